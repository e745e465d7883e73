"""The release: proved by those who will load it, where each column comes from, and removal from it."""

import json
import re
import shutil

import pytest
import yaml

from scripts.commands.release_check import check_croissant, check_parts, check_sums
from scripts.commands.removal import remove_items
from scripts.common.code import ROOT
from scripts.common.errors import UserError
from scripts.common.schemas.annotate import PACKED_DATASET
from scripts.common.shards import Shard
from scripts.common.tables import read_table
from scripts.curate.removal_list import RemovalList
from scripts.publish.column_provenance import COLUMNS, group_of
from tests.publish.small_release import SHEET, SmallRelease


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return SmallRelease(tmp_path_factory.mktemp("made"))


@pytest.fixture
def release(made, tmp_path):
    """A copy on another machine, so to speak."""
    return shutil.copytree(made.path, tmp_path / "fetched")


def croissant_of(release):
    return json.loads((release / "croissant.json").read_text())


def test_datasets_loads_every_part_from_disk_and_streaming(release, monkeypatch):
    pytest.importorskip("datasets", reason="Hugging Face datasets is not installed")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert dict(check_parts(release)) == {
        "default": 5, "text_embedding": 5, "image_embedding": 5, "parameters": 5, "tip_eval": 5,
        "tip_id": 5, "videos": 5,
    }  # fmt: skip


def test_a_part_of_which_rows_are_missing_is_no_release(release, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="Hugging Face datasets is not installed")
    load = datasets.load_dataset
    monkeypatch.setattr(datasets, "load_dataset", lambda *a, **k: load(*a, **k).take(4))
    with pytest.raises(UserError, match="datasets, default: 4 rows are loaded of 5"):
        dict(check_parts(release))


def test_the_validator_finds_no_error_and_loads_records(release):
    mlcroissant = pytest.importorskip("mlcroissant", reason="the validator is not installed")
    assert check_croissant(release) == 5
    dataset = mlcroissant.Dataset(str(release / "croissant.json"))
    assert not dataset.metadata.issues.errors
    first = next(iter(dataset.records("prompts")))
    assert first["prompts/Image_Prompt"].size == (64, 36)
    broken = croissant_of(release)
    broken["recordSet"][0]["field"][0]["source"]["fileSet"]["@id"] = "elsewhere"
    (release / "croissant.json").write_text(json.dumps(broken))
    with pytest.raises(UserError, match=r"croissant\.json is not valid"):
        check_croissant(release)


@pytest.mark.parametrize("change", ["edited", "missing", "left over"])
def test_another_file_than_was_released_is_named(release, change):
    assert check_sums(release) == len(list(release.rglob("*.*"))) + 0
    path = release / "pika_videos_tar/pika_videos_00000.tar"
    if change == "edited":
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    elif change == "missing":
        path.unlink()
    else:
        (release / "secret.parquet").write_bytes(b"")
    name = "secret" if change == "left over" else "pika_videos_00000"
    what = "is not in SHA256SUMS" if change == "left over" else "is missing or was changed"
    with pytest.raises(UserError, match=rf"{name}\.\w+ {what}"):
        check_sums(release)


def test_each_column_s_chain_ends_at_a_source(release):
    described = croissant_of(release)
    entities = {one["@id"]: one for one in described["prov:wasDerivedFrom"]}
    rules = {one["@id"]: one for one in described["prov:wasGeneratedBy"]}
    fields = described["recordSet"][0]["field"]
    assert [field["name"] for field in fields] == PACKED_DATASET.names == list(COLUMNS)
    for field in fields:
        waiting, seen, ends = [field["prov:wasDerivedFrom"]["@id"]], [], set()
        while waiting:
            name = waiting.pop()
            assert name not in seen[:-50], "a chain has no circle"
            seen.append(name)
            entity = entities[name]
            if "prov:wasGeneratedBy" not in entity:
                ends.add(name)
                assert entity["sc:description"] == "an export"
                continue
            used = rules[entity["prov:wasGeneratedBy"]["@id"]]["prov:used"]
            waiting += [one["@id"] for one in used]
        assert ends == {"files/data/exports/*.html"}, field["name"]
    makers = {field["name"]: field["prov:wasGeneratedBy"] for field in fields}
    assert makers["Subject"]["sc:name"] == "A tagger (abc)"
    assert makers["Text_Prompt"] == {"@id": "rule/build_dataset"}
    text = json.dumps(described)
    assert "secret-channel" not in text and "removals" not in text


def test_files_of_a_folder_are_one_entity():
    assert group_of("results/prompts/00000.parquet") == "results/prompts/*.parquet"
    assert group_of("results/dataset.parquet") == "results/dataset.parquet"
    assert group_of("data/exports/a channel [1].html") == "data/exports/*.html"


def test_every_source_says_what_its_files_are():
    schema = yaml.safe_load((ROOT / "config/schemas/config.schema.yaml").read_text())
    assert set(SHEET["origins"]) == set(schema["properties"]["source"]["enum"])


def test_it_has_the_fields_of_responsible_ai_and_checksums(release):
    described = croissant_of(release)
    named = {key.removeprefix("rai:") for key in described if key.startswith("rai:")}
    assert {"dataCollection", "dataLimitations", "dataBiases", "personalSensitiveInformation",
            "dataUseCases", "dataSocialImpact"} <= named  # fmt: skip
    assert described["conformsTo"].endswith("/1.1")
    assert described["description"].startswith("MADE UP 5 text and image prompts")
    files = [one for one in described["distribution"] if one["@type"] == "cr:FileObject"]
    sums = (release / "SHA256SUMS").read_text()
    assert len(files) > 10
    assert all(f"{one['sha256']}  {one['contentUrl']}\n" in sums for one in files)


def test_splits_name_the_release_s_own_tars(release):
    table = read_table(release / "splits/tip_id/pika.parquet").to_pylist()
    videos = release / "pika_videos_tar/pika_videos_00000"
    shard = Shard(videos.with_suffix(".tar"), videos.with_suffix(".parquet"))
    assert {row["tar"] for row in table} == {"pika_videos_tar/pika_videos_00000.tar"}
    for row in table:
        data = (release / row["tar"]).read_bytes()[row["offset"] :][: row["size_bytes"]]
        assert data == shard.read(row["uuid"])


def test_videos_for_the_viewer_are_those_of_the_tars(release):
    videos = release / "pika_videos_tar/pika_videos_00000"
    shard = Shard(videos.with_suffix(".tar"), videos.with_suffix(".parquet"))
    table = read_table(release / "videos/pika-00000.parquet")
    assert {row["UUID"]: row["Video"]["bytes"] for row in table.to_pylist()} == dict(shard)
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["Video"] == {"_type": "Video"}


@pytest.mark.parametrize("by", ["UUID", "UserID"])
def test_what_is_removed_on_request_is_nowhere_in_a_release(made, release, by, monkeypatch):
    text, row = next(iter(made.rows.items()))
    gone = [other for other, one in made.rows.items() if (by == "UUID" and one["UUID"] == row["UUID"])
            or (by == "UserID" and one["UserID"] == row["UserID"])]  # fmt: skip
    if by == "UserID":
        if not row["UserID"]:
            pytest.skip("the made-up stage has no users")
        removals = RemovalList(frozenset(), frozenset([row["UserID"]]))
    else:
        removals = RemovalList(frozenset([row["UUID"]]), frozenset())
    videos = release / "pika_videos_tar/pika_videos_00000"
    video = Shard(videos.with_suffix(".tar"), videos.with_suffix(".parquet")).read(row["UUID"])
    remove_items(release, removals)
    for path in release.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert video not in data and text.encode() not in data, path
        assert row["UUID"].encode() not in data, path
    assert check_sums(release)
    left = 5 - len(gone)
    card, described = (release / "README.md").read_text(), croissant_of(release)
    assert f"\n{left} unique prompts" in card and re.search(rf"`videos` \| {left} \|", card)
    assert (
        yaml.safe_load(card.split("---\n")[1])["dataset_info"]["splits"][0]["num_examples"] == left
    )
    assert f" {left} text and image prompts" in described["description"]
    if by == "UUID":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        assert set(dict(check_parts(release)).values()) == {left}
