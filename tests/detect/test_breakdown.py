"""How often models are right by source, overlay and length."""

import pandas as pd
import pytest

from scripts.common.identity import item_uuid
from scripts.common.schemas.detect import CLASSES
from scripts.common.schemas.items import ITEM_INDEX
from scripts.common.schemas.watermark import WATERMARKS
from scripts.common.tables import write_table
from scripts.detect.breakdown import describe_videos, right_by_group

PIKA = [item_uuid("pika", str(number)) for number in range(4)]
REAL = [item_uuid("real", str(number)) for number in range(4)]
LENGTHS = (1.99, 2.0, 5.0, 60.0)


@pytest.fixture
def videos(tmp_path):
    """Four videos of each source, of other lengths; one of pika's is not there."""
    indexes = {}
    for source, uuids in (("pika", PIKA), ("real", REAL)):
        rows = [
            {"uuid": uuid, "status": "ok", "duration_s": length}
            for uuid, length in zip(uuids, LENGTHS, strict=True)
        ]
        if source == "pika":
            rows[3] |= {"status": "rejected", "reason": "no_candidate", "duration_s": None}
        indexes[source] = [tmp_path / f"{source}.parquet"]
        write_table(rows, indexes[source][0], ITEM_INDEX)
    marks = [
        {"uuid": uuid, "score": 0.1, "has_overlay": number != 1, "status": "ok"}
        for number, uuid in enumerate([*PIKA, REAL[0]])
    ]
    write_table(marks, tmp_path / "marks.parquet", WATERMARKS, sort_by=["uuid"])
    return describe_videos(indexes, [tmp_path / "marks.parquet"], ["pika"])


def test_a_video_is_of_its_source_its_prompts_overlay_and_its_length(videos):
    known = {row.uuid: row for row in videos.itertuples()}
    assert set(known) == {*PIKA[:3], *REAL}
    assert [known[uuid].length for uuid in REAL] == [
        "under 2 s", "2 to 4 s", "4 to 6 s", "6 s and more",
    ]  # fmt: skip
    assert [known[uuid].overlay for uuid in PIKA[:3]] == [
        "image prompt with an overlay", "image prompt without one", "image prompt with an overlay",
    ]  # fmt: skip
    assert all(pd.isna(known[uuid].overlay) for uuid in REAL), "even if an id is a prompt's"


def test_a_detector_is_right_if_it_takes_generated_videos_alone_for_generated(videos):
    scored = pd.DataFrame(
        {"uuid": PIKA[:3] + REAL, "source": ["pika"] * 3 + ["real"] * 4, "status": "ok",
         "score": [0.9, 0.5, 0.6, 0.5, 0.1, 0.9, None]}
    )  # fmt: skip
    scored.loc[6, "status"] = "rejected"
    found = right_by_group(scored, videos, ["real"])
    assert found["source", "pika"] == (pytest.approx(2 / 3), 3)
    assert found["source", "real"] == (pytest.approx(2 / 3), 3)
    assert found["overlay", "image prompt with an overlay"] == (1.0, 2)
    assert found["overlay", "image prompt without one"] == (0.0, 1)
    assert found["length", "under 2 s"] == (1.0, 2)
    assert found["length", "4 to 6 s"] == (0.5, 2)
    assert ("length", "6 s and more") not in found


def test_a_classifier_is_right_if_the_largest_output_is_the_truth(videos):
    outputs = [(0.2, 0.3, 0.5), (0.5, 0.3, 0.2), (0.1, 0.8, 0.1), (0.9, 0.0, 0.1)]
    scored = pd.DataFrame(outputs, columns=[f"p_{name}" for name in CLASSES]).assign(
        uuid=[*PIKA[:2], *REAL[:2]], source=["pika"] * 2 + ["real"] * 2, status="ok",
        label=["image_generated"] * 2 + ["real"] * 2,
    )  # fmt: skip
    found = right_by_group(scored, videos, ["real"])
    assert found["source", "pika"] == (0.5, 2) and found["source", "real"] == (0.5, 2)
    assert found["overlay", "image prompt with an overlay"] == (1.0, 1)
