"""The embedded dimensions on EfficientNet-lite0, with the weights that its package carries."""

import numpy as np
import pytest
import torch
from skimage import data

from scripts.common.errors import Rejected
from scripts.evaluate.imagenet_features import (
    SubjectConsistencyEmbedded,
    VideoImageAlignmentEmbedded,
)
from scripts.models.efficientnet import EfficientNetLite0
from tests.evaluate.moving_pictures import item_of


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def shot(picture, frames=6):
    return np.repeat(picture[None, ::2, ::2], frames, axis=0)


def test_a_cut_to_another_subject_costs_consistency():
    backend = SubjectConsistencyEmbedded(sampled_frames=4)
    cat = shot(data.chelsea()[:, :300])
    cut = np.concatenate([cat[:3], shot(data.coffee()[:300, :300])[:3]])
    assert backend.score(item_of(cat)) == pytest.approx(1, abs=1e-5)
    assert backend.score(item_of(cut)) < 0.8
    with pytest.raises(Rejected):
        backend.score(item_of(cat[:1]))


def test_a_video_of_the_image_is_nearer_than_one_of_another():
    backend = VideoImageAlignmentEmbedded(sampled_frames=2)
    cat, coffee = shot(data.chelsea()), shot(data.coffee())
    same = backend.score(item_of(cat, image=data.chelsea()))
    other = backend.score(item_of(coffee, image=data.chelsea()))
    assert same > 0.8 > other
    pair = EfficientNetLite0().embed([data.chelsea(), cat[0]])
    assert same == pytest.approx(float(pair[0] @ pair[1]), abs=1e-5)


def test_short_videos_are_not_sampled_twice():
    frames = shot(data.chelsea())[:3]
    few, many = (SubjectConsistencyEmbedded(sampled_frames=n) for n in (3, 8))
    frames[1] = 0
    assert few.score(item_of(frames)) == pytest.approx(many.score(item_of(frames)), abs=1e-6)


def test_a_frame_is_embedded_once_for_both(monkeypatch):
    """Of 7 frames, five are 0, 1, 3, 4, 6, and three are 0, 3, 6."""
    subject = SubjectConsistencyEmbedded(sampled_frames=5)
    image = VideoImageAlignmentEmbedded(sampled_frames=3)
    alone = [backend.score(item_of(shot(data.chelsea(), 7))) for backend in (subject, image)]
    embed, seen = EfficientNetLite0.embed, []

    def counting(self, images):
        seen.append(len(images))
        return embed(self, images)

    monkeypatch.setattr(EfficientNetLite0, "embed", counting)
    item = item_of(shot(data.chelsea(), 7))
    assert [backend.score(item) for backend in (subject, image)] == pytest.approx(alone)
    assert seen == [5, 1, 0]
