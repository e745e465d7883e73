"""An overlay that pictures have in common is found, and in each of them; nothing where nothing is."""

import io

import numpy as np
import pytest
from PIL import Image

from scripts.analyse.plot_watermark import plot_watermark
from scripts.common.pictures import picture_properties
from scripts.common.schemas.watermark import OVERLAYS, WATERMARKS
from scripts.common.shards import ShardItem, Shards, write_shard
from scripts.common.tables import read_table
from scripts.curate.watermark.find_watermark import find_watermark
from scripts.curate.watermark.overlays import (
    MeanGradients,
    chance_threshold,
    clipped_gradients,
    find_overlays,
    read_luma,
    score_picture,
)
from scripts.curate.watermark.score_watermarks import read_overlays, score_watermarks
from tests.curate.watermark.marked_pictures import mark, pictures, write_pictures

WIDE, TALL, SQUARE = (256, 144), (144, 256), (180, 180)
SETTINGS = {"sample": 500, "min_images": 40, "working_side": 640, "false_positive_rate": 0.001}
STYLE = {"found_colour": "#D55E00", "sizes": 5, "width_in": 9.0}


def find(folder, images, **changes):
    path = folder / "overlays.parquet"
    counts = find_watermark(images, path, seed=1, settings=SETTINGS | changes)
    return counts, path


def score(folder, overlays, shard=None):
    shard = shard or folder
    path = folder / "scores.parquet"
    counts = score_watermarks(
        shard / "00000.tar", shard / "00000.parquet", overlays, path, ledger_root=folder / "ledger"
    )
    return counts, {row["uuid"]: row for row in read_table(path, WATERMARKS).to_pylist()}


def auc(positive, negative):
    """Return how often a positive has the higher score, a tie counting half."""
    pairs = np.subtract.outer(np.array(positive), np.array(negative))
    return float((pairs > 0).mean() + (pairs == 0).mean() / 2)


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """Pictures of two frequent sizes and a rare one, half of which have a mark."""
    folder = tmp_path_factory.mktemp("marked")
    groups = {
        "wide": (90, WIDE, 1, 0.35, 0.5), "tall": (60, TALL, 2, 0.35, 0.5),
        "square": (24, SQUARE, 3, 0.35, 0.5),
    }  # fmt: skip
    images, truth = write_pictures(folder, groups)
    counts, overlays = find(folder, images)
    return folder, truth, counts, overlays


def test_a_semi_transparent_mark_is_found_in_its_place(marked):
    _, _, counts, overlays = marked
    assert (counts.kept, len(counts.notes)) == (174, 2)
    found, (threshold, rare_threshold) = read_overlays(overlays)
    assert [overlay.size for overlay in found] == [WIDE, TALL]
    assert 0 < threshold < rare_threshold < 0.6
    for overlay in found:
        ys, xs = np.nonzero(mark(overlay.size)[..., 0])
        left, top, width, height = overlay.box
        assert abs(left - xs.min()) < 12 and abs(top - ys.min()) < 12
        assert abs(left + width - xs.max()) < 12 and abs(top + height - ys.max()) < 12


def test_each_picture_is_told_apart_also_those_of_a_rare_size(marked, tmp_path):
    folder, truth, _, overlays = marked
    counts, rows = score(tmp_path, overlays, folder)
    assert counts.kept == len(rows) == len(truth)
    for name in ("wide", "tall", "square"):
        own = [uuid for uuid in truth if uuid.startswith(name)]
        scores = {is_marked: [rows[uuid]["score"] for uuid in own if truth[uuid] == is_marked]
                  for is_marked in (True, False)}  # fmt: skip
        assert auc(scores[True], scores[False]) > 0.99
        said = [rows[uuid]["has_overlay"] for uuid in own if truth[uuid]]
        assert np.mean(said) > 0.9
        assert not any(rows[uuid]["has_overlay"] for uuid in own if not truth[uuid])


def test_pictures_that_were_not_looked_at_before_are_told_apart(marked):
    _, _, _, overlays = marked
    found, (threshold, _) = read_overlays(overlays)
    scores = {True: [], False: []}
    for picture, is_marked in pictures(80, WIDE, 77, 0.25, 0.5):  # fainter than those learnt from
        scores[is_marked] += score_picture(picture, found)
    assert auc(scores[True], scores[False]) > 0.99
    assert max(scores[False]) < threshold


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_found_where_nothing_is(tmp_path, seed):
    images, _ = write_pictures(tmp_path, {"plain": (80, WIDE, 10 + seed, 0.0)})
    counts, overlays = find(tmp_path, images)
    assert read_overlays(overlays) == ([], (1.0, 1.0)) and not counts.notes
    _, rows = score(tmp_path, overlays)
    assert {(row["score"], row["has_overlay"]) for row in rows.values()} == {(None, False)}


def test_a_mark_of_a_third_of_the_pictures_is_enough(tmp_path):
    images, truth = write_pictures(tmp_path, {"some": (120, WIDE, 5, 0.35, 0.3)})
    _, overlays = find(tmp_path, images)
    assert len(read_overlays(overlays)[0]) == 1
    _, rows = score(tmp_path, overlays)
    assert np.mean([rows[uuid]["has_overlay"] == truth[uuid] for uuid in truth]) > 0.97


def test_a_picture_that_comes_again_and_again_is_no_overlay(tmp_path):
    own = [picture for picture, _ in pictures(50, WIDE, 8, 0.0)]
    for number, picture in enumerate(own[:1] * 50 + own):
        Image.fromarray(picture).save(tmp_path / f"{number:03d}.png")
    items = [
        ShardItem(path.stem, path.read_bytes(), picture_properties(own[0]))
        for path in sorted(tmp_path.glob("*.png"))
    ]
    write_shard(tmp_path / "00000.tar", tmp_path / "00000.parquet", items, "png")
    images = Shards([tmp_path / "00000.tar"], [tmp_path / "00000.parquet"])
    counts, overlays = find(tmp_path, images)
    assert counts.rejected == {"same_picture": 50} and counts.kept == 50
    assert read_overlays(overlays)[0] == []


def test_large_pictures_are_looked_at_smaller(tmp_path):
    images, truth = write_pictures(tmp_path, {"wide": (60, (320, 180), 4, 0.6, 0.5)})
    _, overlays = find(tmp_path, images, working_side=160)
    found, _ = read_overlays(overlays)
    assert found[0].scale == 0.5 and found[0].box[2] < 40
    _, rows = score(tmp_path, overlays)
    assert np.mean([rows[uuid]["has_overlay"] == truth[uuid] for uuid in truth]) > 0.9


def test_no_picture_at_all_has_no_overlay(tmp_path):
    write_shard(tmp_path / "00000.tar", tmp_path / "00000.parquet", [
        ShardItem("lost", reason="no_video"), ShardItem("bad", b"no picture", picture_properties(
            np.zeros((4, 4, 3), np.uint8)))], "png")  # fmt: skip
    images = Shards([tmp_path / "00000.tar"], [tmp_path / "00000.parquet"])
    counts, overlays = find(tmp_path, images)
    assert counts.sentence() == "read 1 = kept 0 + rejected 1 (undecodable 1)"
    assert read_table(overlays, OVERLAYS).num_rows == 0
    _, rows = score(tmp_path, overlays)
    assert list(rows) == ["bad"]
    draw(tmp_path, overlays, tmp_path / "scores.parquet")


@pytest.mark.parametrize("least", [1, 40])
def test_a_size_of_which_there_is_one_picture_ends_no_search(tmp_path, least):
    images, _ = write_pictures(tmp_path, {"wide": (1, WIDE, 1, 0.35, 1.0)})
    counts, overlays = find(tmp_path, images, min_images=least)
    assert counts.kept == 1
    (row,) = read_table(overlays, OVERLAYS).to_pylist()
    assert row["images"] == 1 and row["is_searched"] == (least == 1)
    assert row["gradient"] is None, "what one picture has is in common with none"


def test_the_same_pictures_give_the_same_bytes(marked, tmp_path):
    folder, _, _, overlays = marked
    _, again = find(tmp_path, Shards([folder / "00000.tar"], [folder / "00000.parquet"]))
    assert again.read_bytes() == overlays.read_bytes()


def test_a_finished_shard_is_recalled_until_another_overlay_is_found(marked, tmp_path, monkeypatch):
    folder, _, _, overlays = marked
    _, first = score(tmp_path, overlays, folder)
    monkeypatch.setattr(
        "scripts.curate.watermark.score_watermarks.score_picture", lambda *_: [0.125]
    )
    assert score(tmp_path, overlays, folder)[1] == first
    _, other = find(tmp_path, Shards([folder / "00000.tar"], [folder / "00000.parquet"]),
                         false_positive_rate=0.1)  # fmt: skip
    assert {row["score"] for row in score(tmp_path, other, folder)[1].values()} == {0.125}


def test_the_threshold_is_what_chance_exceeds_as_rarely_as_asked():
    scores = np.random.default_rng(0).normal(0.1, 0.05, 20_000)
    threshold = chance_threshold(scores, 0.001)
    assert 0.1 + 3.0 * 0.05 < threshold < 0.1 + 3.4 * 0.05
    assert chance_threshold([], 0.001) == 1.0
    assert chance_threshold([0.2, 0.3], 0.001) > 0.3


def test_a_slope_that_all_pictures_have_is_no_overlay():
    """Skies are bright and grounds are dark."""
    gradients, random = MeanGradients(), np.random.default_rng(0)
    slope = np.linspace(200, 40, 144, dtype=np.float32)[:, None].repeat(256, axis=1)
    for _ in range(60):
        gradients.add(slope + random.normal(0, 6, slope.shape).astype(np.float32))
    assert find_overlays(gradients, WIDE, 1.0) == []


def test_gradients_are_clipped_and_point_to_the_bright_side():
    picture = np.zeros((6, 8, 3), np.uint8)
    picture[:, 4:] = 200
    picture[4:] = 4
    by_x, by_y = clipped_gradients(read_luma(picture, 1.0))
    assert by_x[1].tolist() == [0, 0, 0, 8, 8, 0, 0, 0]
    assert by_y[:, 0].tolist() == [0, 0, 0, 2, 2, 0]


def draw(folder, overlays, scores):
    figures = [folder / "watermark.pdf", folder / "watermark.png"]
    counts = plot_watermark(overlays, [scores], faces=figures, style=STYLE, banner="MADE UP")
    picture = np.asarray(Image.open(io.BytesIO(figures[1].read_bytes())).convert("RGB"), int)
    orange = (np.abs(picture - [0xD5, 0x5E, 0x00]).sum(axis=2) < 20).sum()
    return counts, int(orange)


def test_the_picture_marks_what_was_found(marked, tmp_path):
    folder, truth, _, overlays = marked
    score(tmp_path, overlays, folder)
    counts, orange = draw(tmp_path, overlays, tmp_path / "scores.parquet")
    assert counts.read == len(truth) and counts.rejected["overlay"] > 0.4 * len(truth)
    assert orange > 100
