"""What ``make check`` finds missing before anything runs."""

from scripts.commands.check import find_faults, read_configuration, study_of
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
    assert "OPENAI_API_KEY is not set" in faults
    assert "config/sources.yaml: vsc22: there is no data/VSC22/dataset_*/*/*.mp4" in faults


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
