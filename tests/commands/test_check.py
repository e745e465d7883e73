"""What ``make check`` finds missing before anything runs."""

from dataclasses import replace

from scripts.commands.check import find_branches, find_faults, read_configuration, study_of
from scripts.common.code import ROOT
from tests.curate.release.small_release import make_release

FOLDER = ROOT / "config"


def test_the_demo_lacks_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_faults(study_of(read_configuration(FOLDER / "demo.yaml"))) == []


def test_what_the_paper_needs_is_found_missing_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    config = read_configuration()
    config["curate"]["links"] |= {
        "mirror": "no-mirror", "fresh_table": "no-table.csv", "fresh_command": ["no-program", "x"],
    }  # fmt: skip
    faults = "\n".join(find_faults(study_of(config)))
    for missing in ("no folder no-mirror", "no-table.csv is missing", "no program no-program"):
        assert missing in faults
    assert "data/exports holds no .html file" in faults
    assert "generators.yaml: opensora: the checkout data/Open-Sora is missing; clone" in faults
    assert "OPENAI_API_KEY is not set" in faults
    assert "config/sources.yaml: vsc22: there is no data/VSC22/dataset_*/*/*.mp4" in faults


def test_what_is_given_is_not_looked_for(tmp_path, monkeypatch):
    """Where a later stage is the first, neither exports nor other stages' models and sources."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    faults = "\n".join(find_faults(study_of(read_configuration() | {"start": "detect"})))
    for sheet in ("detectors", "tracers"):
        assert f"config/{sheet}.yaml" in faults
    for given in ("exports", "OPENAI", "generators.yaml", "dimensions.yaml", "sources.yaml"):
        assert given not in faults


def test_what_is_missing_of_the_release_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    make_release(tmp_path / "data/TIP-I2V", full=False, later=True)
    config = read_configuration(FOLDER / "release.yaml")
    faults = "\n".join(find_faults(study_of(config)))
    # Neither exports nor what would make anew what was released.
    assert "exports" not in faults and "OPENAI_API_KEY" not in faults
    assert "generators.yaml" not in faults and "TIP-I2V" not in faults
    (tmp_path / "data/TIP-I2V/eval_videos_tar/cog_videos_eval.tar").unlink()
    (tmp_path / "data/TIP-I2V/Embedding/Eval_Text_Embedding.parquet").unlink()
    (tmp_path / "data/TIP-I2V/data/Eval-00000-of-00001.parquet").unlink()
    found = "\n".join(find_faults(study_of(config)))
    for word in ("the videos of 'cogvideox'", "Eval_Text_Embedding.parquet is missing",
                 "holds no Eval-00000"):  # fmt: skip
        assert word in found
    assert "OPENAI_API_KEY" not in found


def test_an_entry_that_says_too_much_is_refused_and_a_branch_is_told(tmp_path, monkeypatch):
    """Before anything runs: an argument that the class has not, and weights that may move."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    config = read_configuration()
    config["generate"]["generators"] = ["pika", "svd", "skyreels_v1"]
    study = study_of(config)
    told = [one for one in find_branches(study) if "generators" in one]
    assert [one.partition("(")[2] for one in told] == [
        "hunyuanvideo-community/HunyuanVideo at main)",
        "Skywork/SkyReels-V1-Hunyuan-I2V at main)",
    ]
    sheet, changed = study.sheets["generators"], {}
    for entry, name, wrong in (("svd", "call", "num_frame"), ("skyreels_v1", "inputs", "promt")):
        settings = sheet[entry]["settings"] | {name: {wrong: 1}}
        changed[entry] = sheet[entry] | {"settings": settings}
    sheets = study.sheets | {"generators": sheet | changed}
    faults = "\n".join(find_faults(replace(study, sheets=sheets)))
    assert "takes no 'num_frame'; the nearest is 'num_frames'" in faults
    assert "settings.inputs has 'promt'; the nearest is 'prompt'" in faults
    assert (
        "generators.yaml: skyreels_v1: transformer: Skywork/SkyReels-V1-Hunyuan-I2V at main"
        in faults
    )
