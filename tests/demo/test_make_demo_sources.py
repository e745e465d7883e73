"""The demo's made-up sources: videos, images and prompts of elsewhere, in small."""

import io

import numpy as np
import pytest
from PIL import Image

from scripts.common.fingerprints import sha256_of
from scripts.common.schemas.sources import OUTSIDE_PROMPTS
from scripts.common.shards import Shard
from scripts.common.tables import read_table
from scripts.common.video import probe_video
from scripts.demo.footage import PLACES, cut, handheld
from scripts.demo.make_demo_sources import make_demo_sources
from scripts.demo.outside_prompts import GRAMMARS, outside_prompts
from scripts.demo.subjects import SUBJECTS
from scripts.demo.textures import drift_video, zoom_video

SIZES = {
    "real_videos": 2,
    "segments": 2,
    "text_videos": 2,
    "reference_images": 8,
    "distractor_images": 4,
    "outside_prompts_each": 20,
}
NAMES = ("real_videos", "text_videos_drift", "distractor_images")


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    counts = make_demo_sources(folder, **SIZES, seed=5)
    assert counts.kept == 4 + 2 * 2 + 8 + 4 + 3 * 20
    return folder


def shard(folder, name):
    return Shard(folder / f"{name}.tar", folder / f"{name}.parquet")


def test_the_same_seed_gives_the_same_bytes(sources, tmp_path):
    make_demo_sources(tmp_path, **SIZES, seed=5)
    for path in sorted(path for path in sources.rglob("*") if path.is_file()):
        assert sha256_of(tmp_path / path.relative_to(sources)) == sha256_of(path), path.name


def test_videos_are_as_their_index_says(sources):
    for name in NAMES[:2]:
        videos = shard(sources, name)
        for uuid in videos.uuids:
            row, found = videos.rows[uuid], probe_video(videos.read(uuid))
            assert (found.width, found.height, found.frames) == (
                row["width"],
                row["height"],
                row["frames"],
            )
            assert found.fps == row["fps"]
            assert found.duration_s == pytest.approx(3)


def test_segments_of_a_take_share_a_group(sources):
    rows = shard(sources, "real_videos").rows.values()
    groups = [row["group"] for row in rows]
    assert len(groups) == 4
    assert len(set(groups)) == 2


def test_images_decode_and_no_id_is_in_two_sources(sources):
    seen = []
    for name in NAMES:
        seen += shard(sources, name).uuids
    assert len(seen) == len(set(seen))
    for name in NAMES[2:]:
        images = shard(sources, name)
        for uuid in images.uuids:
            picture = Image.open(io.BytesIO(images.read(uuid)))
            assert picture.size == (images.rows[uuid]["width"], images.rows[uuid]["height"])


def test_prompts_say_that_they_are_made_up(sources):
    for dataset in GRAMMARS:
        table = read_table(sources / f"prompts_{dataset}.parquet", OUTSIDE_PROMPTS)
        assert set(table["dataset"].to_pylist()) == {f"{dataset} (made up)"}
        assert len(set(table["prompt"].to_pylist())) == 20
        assert len(set(table["uuid"].to_pylist())) == 20


@pytest.mark.parametrize("dataset", GRAMMARS)
def test_grammars_give_enough_for_the_demo(dataset):
    assert len(set(outside_prompts(dataset, 150, 1))) == 150


def test_segments_go_on_where_the_last_one_ended():
    clips = list(handheld(PLACES[0], (64, 36), 24, 2, seed=3))
    assert [clip.shape for clip in clips] == [(72, 36, 64, 3)] * 2
    jump = np.abs(clips[1][0].astype(int) - clips[0][-1]).mean()
    apart = np.abs(clips[1][-1].astype(int) - clips[0][0]).mean()
    assert jump < apart


def test_handheld_footage_has_noise_that_drawn_videos_lack():
    def flicker(frames):
        """Change from frame to frame that the frame after next takes back: noise, not motion."""
        values = frames.astype(float)
        return np.median(np.abs(values[:-2] - 2 * values[1:-1] + values[2:]))

    real = next(handheld(PLACES[0], (64, 36), 24, 1, seed=3))
    for draw in (zoom_video, drift_video):
        assert flicker(real) > 3 * flicker(draw((64, 36), 3))


def test_places_lie_beside_what_prompts_use():
    """Of photographs that both use, real videos get a part that prompts leave out."""
    used = {view.scene: view.area for subject in SUBJECTS for view in subject.views}
    shared = {"china": "china", "hubble": "galaxies"}
    assert set(shared) < {place.scene for place in PLACES}
    for place in PLACES:
        if place.scene in shared:
            left, top, right, bottom = used[shared[place.scene]]
            x0, y0, x1, y1 = place.area
            assert x0 >= right or x1 <= left or y0 >= bottom or y1 <= top


def test_cut_has_the_size_asked_for():
    assert cut(PLACES[0], (80, 45), 0.5, (0.3, 0.9)).size == (80, 45)
