"""Every backend of config/tracers.yaml on tiny weights in the file format of the real ones."""

import argparse

import numpy as np
import open_clip
import pytest
import timm
import torch
from safetensors.torch import save_file

from scripts.common.errors import UserError
from scripts.models.devices import mixed_precision
from scripts.trace.cosface import draw_kept, tokens_of
from scripts.trace.cosface_training import build_lesson
from scripts.trace.open_clip_tracer import OpenClipTracer
from scripts.trace.perceptual_hash import PerceptualHash
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.timm_tracer import TimmTracer
from scripts.trace.torchscript_tracer import TorchScriptTracer

torch.set_num_threads(1)

TIMM = "scripts.trace.timm_tracer:TimmTracer"
TINY = {"img_size": 32, "patch_size": 16, "embed_dim": 24, "depth": 2, "num_heads": 2}


@pytest.fixture
def images():
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (40 + 7 * i, 60, 3), np.uint8) for i in range(3)]


def tiny_timm(**arguments):
    torch.manual_seed(0)
    network = timm.create_model("vit_base_patch16_224", **TINY, **arguments).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return network


def tracer_of_timm(path, weights=None, **settings):
    settings = {"dimension": 24, "image_size": 32, "model_arguments": TINY} | settings
    weights = {"path": str(path)} | (weights or {})
    return TimmTracer(weights, model="vit_base_patch16_224", **settings)


def assert_unit_vectors(vectors, count, dimension):
    assert vectors.shape == (count, dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    "arguments", [{}, {"init_values": 0.3, "pre_norm": True, "reg_tokens": 2}], ids=["plain", "all"]
)
def test_what_is_kept_whole_is_timms_network(arguments):
    network = tiny_timm(num_classes=0, **arguments)
    pixels = torch.randn(3, 3, 32, 32)
    with torch.inference_mode():
        for kept in (torch.ones(3, 2, 2), None):
            tokens = tokens_of(network, pixels, kept)
            torch.testing.assert_close(network.forward_head(tokens), network(pixels))


def test_stochastic_depth_leaves_the_mean_as_it_is_and_skips_what_it_drops():
    torch.manual_seed(0)
    kept = draw_kept(3, 0.5, 4_000, torch.Generator().manual_seed(0))
    assert kept.shape == (4_000, 3, 2)
    assert (kept[:, 0] == 1).all()
    assert kept[:, 1].unique().tolist() == pytest.approx([0, 4 / 3])
    assert set(kept[:, 2].unique().tolist()) == {0.0, 2.0}
    assert kept.mean(dim=0) == pytest.approx(1, abs=0.06)
    # A picture's draw is that of its place, however many come after it.
    again = draw_kept(3, 0.5, 10, torch.Generator().manual_seed(0))
    assert torch.equal(again, kept[:10])
    assert draw_kept(3, 0.0, 4, torch.Generator()) is None

    network = tiny_timm(num_classes=0)
    pixels = torch.randn(2, 3, 32, 32)
    factors = torch.ones(2, 2, 2)
    factors[1, 1] = 0
    with torch.inference_mode():
        dropped = tokens_of(network, pixels, factors)
        torch.testing.assert_close(dropped[:1], network.forward_features(pixels)[:1])
        network.blocks = network.blocks[:1]
        torch.testing.assert_close(dropped[1:], network.forward_features(pixels)[1:])


def test_timm_weights_as_safetensors(tmp_path, images):
    network = tiny_timm(num_classes=10)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    vectors = tracer_of_timm(tmp_path / "model.safetensors", batch_size=2).embed(images)
    assert_unit_vectors(vectors, 3, 24)
    squares = np.stack([_squeezed(image, 32) for image in images])
    pixels = torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))  # fmt: skip
    with torch.inference_mode():
        features = network.forward_features((pixels - mean) / std)[:, 0]
    expected = torch.nn.functional.normalize(features, dim=1).numpy()
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


class Seen(torch.nn.Module):
    def forward(self, embeddings, labels):
        self.embeddings = embeddings


def test_a_training_begins_with_timms_weights_and_learns_what_the_tracer_describes(
    tmp_path, images
):
    """Of the class token, or of the tokens of all patches, as the entry's head says."""
    save_file(tiny_timm(num_classes=10).state_dict(), tmp_path / "model.safetensors")
    weights = {"path": str(tmp_path / "model.safetensors")}
    for pool, head, dimension in (("token", [], 24), ("", [{"tokens": 1}], 4 * 24)):
        arguments = TINY | {"global_pool": pool}
        settings = {"model": "vit_base_patch16_224", "model_arguments": arguments, "head": head}
        settings |= {"dimension": dimension, "image_size": 32}
        lesson = build_lesson({"backend": TIMM, "weights": weights, "settings": settings}, 5).eval()
        lesson.head = Seen()
        squares = np.stack([_squeezed(image, 32) for image in images])
        with torch.inference_mode():
            lesson(torch.from_numpy(squares).permute(0, 3, 1, 2), None, None)
        vectors = TimmTracer(weights, **settings).embed(images)
        assert_unit_vectors(vectors, 3, dimension)
        expected = torch.nn.functional.normalize(lesson.head.embeddings, dim=1)
        np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_only_a_vision_transformer_is_trained():
    settings = {"model": "resnet10t", "dimension": 512, "image_size": 32}
    with pytest.raises(UserError, match="'model' is 'resnet10t', and only a Vision Transformer"):
        build_lesson({"backend": TIMM, "settings": settings}, 5)


def test_a_foreign_checkpoint_through_a_key_map(tmp_path, images):
    network = tiny_timm(num_classes=0)
    state = {f"module.base_encoder.{name}": tensor for name, tensor in network.state_dict().items()}
    state["module.base_encoder.head.0.weight"] = torch.zeros(4, 24)
    state["module.momentum_encoder.cls_token"] = torch.zeros(1, 1, 24)
    # Training scripts keep their command line beside the weights.
    extra = {
        "epoch": 3,
        "args": argparse.Namespace(lr=0.1, output=tmp_path),
        "optimizer": {"lr": 0.1},
    }
    torch.save({"state_dict": state, **extra}, tmp_path / "foreign.pth.tar")
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    mapped = tracer_of_timm(
        tmp_path / "foreign.pth.tar",
        state="state_dict",
        keys=[[r"module\.base_encoder\.", ""]],
        drop=[r"head\."],
    )
    plain = tracer_of_timm(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(mapped.embed(images), plain.embed(images))


def test_position_embeddings_follow_the_image_size(tmp_path, images):
    save_file(tiny_timm(num_classes=0).state_dict(), tmp_path / "model.safetensors")
    larger = tracer_of_timm(
        tmp_path / "model.safetensors", image_size=64, model_arguments=TINY | {"img_size": 64}
    )
    assert_unit_vectors(larger.embed(images), 3, 24)


def test_a_residual_network(tmp_path, images):
    torch.manual_seed(0)
    network = timm.create_model("resnet10t.c3_in1k", pretrained=False)
    state = network.state_dict()
    old = {name: value for name, value in state.items() if "num_batches" not in name}
    save_file(old, tmp_path / "model.safetensors")
    tracer = TimmTracer(
        {"path": str(tmp_path / "model.safetensors")},
        model="resnet10t.c3_in1k",
        dimension=512,
        image_size=32,
        precision="bfloat16",
    )
    assert_unit_vectors(tracer.embed(images), 3, 512)


def test_open_clip(tmp_path, images):
    config = {
        "embed_dim": 12,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
        "text_cfg": {"context_length": 8, "vocab_size": 16, "width": 16, "heads": 2, "layers": 1},
    }
    torch.manual_seed(0)
    model = open_clip.CLIP(**config).eval()
    save_file(model.state_dict(), tmp_path / "open_clip_model.safetensors")
    tracer = OpenClipTracer(
        {"path": str(tmp_path / "open_clip_model.safetensors")},
        model="tiny",
        model_config=config,
        dimension=12,
        image_size=32,
    )
    vectors = tracer.embed(images)
    assert_unit_vectors(vectors, 3, 12)
    pixels = _pixels(tracer._scales[0], images)
    with torch.inference_mode():
        expected = model.encode_image(pixels, normalize=True).numpy()
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    before = OpenClipTracer(
        {"path": str(tmp_path / "open_clip_model.safetensors")},
        model="tiny", model_config=config, dimension=64, image_size=32, projected=False,
    ).embed(images)  # fmt: skip
    shared = torch.from_numpy(before) @ model.visual.proj
    expected = torch.nn.functional.normalize(shared, dim=1).detach()
    np.testing.assert_allclose(expected, vectors, atol=1e-5)


def test_torchscript(tmp_path, images):
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    ).eval()
    path = tmp_path / "sscd.torchscript.pt"
    torch.jit.trace(network, torch.zeros(1, 3, 32, 32)).save(str(path))
    tracer = TorchScriptTracer({"path": str(path)}, dimension=6, image_size=32)
    vectors = tracer.embed(images)
    assert_unit_vectors(vectors, 3, 6)
    pixels = _pixels(tracer._scales[0], images)
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(network(pixels), dim=1).numpy()
    np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_perceptual_hash_gives_the_hamming_distance(images):
    import imagehash
    from PIL import Image

    tracer = PerceptualHash(hash_size=8)
    vectors = tracer.embed(images)
    assert_unit_vectors(vectors, 3, 64)
    hashes = [imagehash.phash(Image.fromarray(image)) for image in images]
    for i in range(3):
        for j in range(3):
            assert vectors[i] @ vectors[j] == pytest.approx(1 - 2 * (hashes[i] - hashes[j]) / 64)
    assert tracer.embed([]).shape == (0, 64)


def test_faults_are_named(tmp_path, images):
    network = tiny_timm(num_classes=0)
    path = tmp_path / "model.safetensors"
    save_file(network.state_dict(), path)
    with pytest.raises(UserError, match=r"\(24,\) numbers, not 25"):
        tracer_of_timm(path, dimension=25).embed(images)
    with pytest.raises(UserError, match=r"12 missing \(blocks\.2\.norm1\.weight"):
        tracer_of_timm(path, model_arguments=TINY | {"depth": 3})
    with pytest.raises(UserError, match=r"12 left over \(blocks\.1\.attn\.proj\.bias"):
        tracer_of_timm(path, model_arguments=TINY | {"depth": 1})
    with pytest.raises(UserError, match=r"of another shape \(cls_token"):
        tracer_of_timm(path, model_arguments=TINY | {"embed_dim": 12})
    with pytest.raises(UserError, match="no model 'vit_bass'"):
        TimmTracer({"path": str(path)}, model="vit_bass", dimension=24)
    with pytest.raises(UserError, match="fetch it with: curl -fL --create-dirs -o"):
        tracer_of_timm(tmp_path / "absent.pth", weights={"url": "https://example.org/absent.pth"})
    with pytest.raises(UserError, match="'half'; it may be float32, float16, bfloat16"):
        tracer_of_timm(path, precision="half")
    with pytest.raises(UserError, match="squash"):
        tracer_of_timm(path, resize="squash")
    (tmp_path / "text.torchscript.pt").write_text("no weights")
    text = {"path": str(tmp_path / "text.torchscript.pt")}
    with pytest.raises(UserError, match="TorchScript"):
        TorchScriptTracer(text, dimension=4)
    with pytest.raises(UserError, match="has another checksum than the entry says"):
        TorchScriptTracer(text | {"sha256": "0" * 64}, dimension=4)


class _Hostile:
    def __reduce__(self):
        return (print, ("code of a checkpoint was run",))


def test_a_pickle_with_code_is_refused(tmp_path, capsys):
    torch.save({"state_dict": {"x": torch.zeros(1)}, "extra": _Hostile()}, tmp_path / "bad.pth")
    with pytest.raises(UserError, match="cannot be read as tensors alone"):
        tracer_of_timm(tmp_path / "bad.pth", state="state_dict")
    assert "was run" not in capsys.readouterr().out


def test_tf32_is_a_precision_of_products_alone():
    torch.set_float32_matmul_precision("highest")  # a training leaves its own
    with mixed_precision(torch.device("cuda"), "tf32"):
        assert torch.get_float32_matmul_precision() == "high"
        assert not torch.is_autocast_enabled("cuda")
    assert torch.get_float32_matmul_precision() == "highest"
    with mixed_precision(torch.device("cpu"), "tf32"):
        assert torch.get_float32_matmul_precision() == "highest"


def test_cropping_takes_the_middle():
    image = np.zeros((40, 120, 3), np.uint8)
    image[:, 36:84] = 255
    cropped = Preprocessing(20, "crop", 20).to_square(image)
    assert cropped.shape == (20, 20, 3)
    assert cropped.min() == 255
    assert Preprocessing(20).to_square(image)[:, 0].max() == 0


def _pixels(shaping, images):
    squares = np.stack([shaping.to_square(image) for image in images])
    return shaping.normalise(torch.from_numpy(squares).permute(0, 3, 1, 2))


def _squeezed(image, size):
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))


def test_tracers_of_one_input_size_share_a_pictures_square(tmp_path, images, monkeypatch):
    save_file(tiny_timm(num_classes=0).state_dict(), tmp_path / "model.safetensors")
    path, made, squares = tmp_path / "model.safetensors", [], {}
    others = ({}, {"normalisation": "half"}, {"sizes": [32]}, {"interpolation": "bilinear"})
    tracers = [tracer_of_timm(path, **settings) for settings in others]
    alone = [tracer.embed(images[:1]) for tracer in tracers]
    to_square = Preprocessing.to_square
    monkeypatch.setattr(
        Preprocessing,
        "to_square",
        lambda *given: made.append(given[0].interpolation) or to_square(*given),
    )
    prepared = [tracer.prepare(images[0], squares) for tracer in tracers]
    assert made == ["bicubic", "bilinear"]
    for tracer, picture, expected in zip(tracers, prepared, alone, strict=True):
        np.testing.assert_array_equal(tracer.embed_prepared([picture]), expected)
