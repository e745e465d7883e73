"""The Croissant file: valid, its records can be loaded, each column's chain ends at a source."""

import json

import numpy as np
import pytest
import yaml

from scripts.common.code import ROOT
from scripts.common.schemas.annotate import PACKED_DATASET
from scripts.common.tables import write_table
from scripts.publish.describe_croissant import describe_croissant
from scripts.publish.pack_dataset import encode_preview

SHEET = yaml.safe_load((ROOT / "config/croissant.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def croissant(tmp_path):
    """The file beside a data set of two rows."""
    picture = encode_preview(np.full((8, 8, 3), 200, np.uint8), 8, 80)
    rows = [
        {"UUID": f"u{i}", "Text_Prompt": f"text {i}", "Subject": "Cat", "Direction": "walk"}
        | {"Image_Prompt": {"bytes": picture, "path": f"u{i}.jpg"}, "Text_NSFW": 0.25}
        | {"Timestamp": "2024-01-01 00:00:00", "Image_NSFW": "Safe", "UserID": "a"}
        for i in range(2)
    ]
    (tmp_path / "data").mkdir()
    packed = tmp_path / "data/Full-00000-of-00001.parquet"
    write_table(rows, packed, PACKED_DATASET)
    describe_croissant(
        [packed], tmp_path / "croissant.json", sheet=SHEET, source="demo",
        annotators={"subject": "A tagger (abc)"}, licence="cc-by-nc-4.0", banner="made up",
    )  # fmt: skip
    return tmp_path / "croissant.json"


def test_the_validator_finds_no_error_and_loads_records(croissant):
    mlcroissant = pytest.importorskip("mlcroissant", reason="the validator is not installed")
    dataset = mlcroissant.Dataset(str(croissant))
    assert not dataset.metadata.issues.errors
    records = list(dataset.records("prompts"))
    assert [record["prompts/Text_Prompt"] for record in records] == [b"text 0", b"text 1"]
    assert records[0]["prompts/Image_Prompt"].size == (8, 8)
    assert records[0]["prompts/Text_NSFW"] == 0.25


@pytest.mark.parametrize("source", ["demo", "discord_exports", "release"])
def test_each_column_s_chain_ends_at_a_source(croissant, source):
    fields = json.loads(croissant.read_text())["recordSet"][0]["field"]
    by_id = {field["@id"]: field for field in fields}
    assert [field["name"] for field in fields] == PACKED_DATASET.names
    for field in fields:
        seen = []
        while "@id" in field["prov:wasDerivedFrom"]:
            assert field["@id"] not in seen
            seen.append(field["@id"])
            field = by_id[field["prov:wasDerivedFrom"]["@id"]]
        assert field["prov:wasDerivedFrom"]["sc:name"] in SHEET["sources"]["demo"].values()
    origins = {made["from"] for made in SHEET["columns"].values()} - set(PACKED_DATASET.names)
    assert set(SHEET["sources"][source]) == origins
    makers = {field["name"]: field["prov:wasGeneratedBy"]["sc:name"] for field in fields}
    assert makers["Subject"] == "A tagger (abc)"


def test_it_has_the_fields_of_responsible_ai_and_checksums(croissant):
    described = json.loads(croissant.read_text())
    named = {key.removeprefix("rai:") for key in described if key.startswith("rai:")}
    assert {"dataCollection", "dataLimitations", "dataBiases", "personalSensitiveInformation",
            "dataUseCases", "dataSocialImpact"} <= named  # fmt: skip
    assert described["conformsTo"].endswith("/1.1") and described["description"].startswith(
        "made up"
    )
    assert len(described["distribution"][0]["sha256"]) == 64
