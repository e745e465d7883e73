"""The paper's dimensions: the real classes with small random weights, against their own libraries."""

import numpy as np
import open_clip
import pytest
import timm
import torch
from PIL import Image
from torchvision import transforms as v1
from torchvision.models import optical_flow
from torchvision.transforms import functional as tv

from scripts.common.backends import load_backend
from scripts.common.errors import Rejected, UserError
from scripts.evaluate import frame_transforms as transforms
from scripts.evaluate.raft_flow import DynamicDegree, pad_to_stride
from tests.evaluate.moving_pictures import item_of, pan, texture

TINY_CLIP = {
    "embed_dim": 16,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A tiny CLIP and the file with its weights."""
    torch.manual_seed(0)
    network = open_clip.CLIP(**TINY_CLIP).eval()
    path = tmp_path_factory.mktemp("weights") / "clip.pth"
    torch.save(network.state_dict(), path)
    return network, path


@pytest.fixture(scope="module")
def raft(tmp_path_factory):
    """A small RAFT and the file with its weights."""
    torch.manual_seed(0)
    network = optical_flow.raft_small(weights=None).eval()
    path = tmp_path_factory.mktemp("weights") / "raft.pth"
    torch.save(network.state_dict(), path)
    return network, path


def entry(backend, path, **settings):
    return {
        "backend": f"scripts.evaluate.{backend}",
        "weights": {"path": str(path)},
        "settings": settings,
    }


def clip_backend(name, path):
    return load_backend(entry(name, path, architecture=TINY_CLIP, batch_size=3), device="cpu")


def encode(network, pixels):
    with torch.inference_mode():
        return network.encode_image(pixels, normalize=True).numpy()


def test_subject_consistency_takes_oblong_frames(tmp_path):
    torch.manual_seed(0)
    network = timm.create_model("vit_tiny_patch16_224", num_classes=0, dynamic_img_size=True).eval()
    path = tmp_path / "vit.pth"
    torch.save(network.state_dict(), path)
    settings = {"architecture": "vit_tiny_patch16_224", "batch_size": 2}
    backend = load_backend(entry("dino_features:SubjectConsistency", path, **settings))
    frames = pan(3, 6)

    features = backend.embed(frames)
    pixels = transforms.resize_frames(frames, 224, "bilinear")
    assert pixels.shape[-2:] == (224, 398)
    pixels = tv.normalize(pixels[..., :384] / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    with torch.inference_mode():
        expected = network(pixels[1:2])[0].numpy()
    assert features.shape == (3, 192)
    np.testing.assert_allclose(features[1], expected / np.linalg.norm(expected), atol=1e-5)
    assert np.linalg.norm(features, axis=1) == pytest.approx(1, abs=1e-5)

    assert backend.score(item_of(np.repeat(frames[:1], 3, axis=0))) == pytest.approx(1, abs=1e-5)
    assert 0 < backend.score(item_of(frames)) < 1
    with pytest.raises(Rejected):
        backend.score(item_of(frames[:1]))


@pytest.fixture
def dino(tmp_path):
    torch.manual_seed(0)
    network = timm.create_model("vit_tiny_patch16_224", num_classes=0, dynamic_img_size=True).eval()
    path = tmp_path / "vit.pth"
    torch.save(network.state_dict(), path)
    return network, path


def dino_backend(name, path):
    settings = {"architecture": "vit_tiny_patch16_224", "batch_size": 2}
    return load_backend(entry(f"dino_features:{name}", path, **settings))


def test_image_faithfulness_is_the_suites(dino):
    network, path = dino
    backend = dino_backend("ImageFaithfulness", path)
    frames, image = pan(4, 9), texture(300, 200, seed=3)
    # As the suite does: Resize(256, bicubic), CenterCrop(224), pictures and tensors of bytes alike.
    transform = v1.Compose([v1.Resize(256, v1.InterpolationMode.BICUBIC), v1.CenterCrop(224)])
    pictures = [transform(Image.fromarray(image))]
    tensors = [transform(torch.from_numpy(frame.copy()).permute(2, 0, 1)) for frame in frames]
    pixels = torch.stack([tv.to_tensor(pictures[0]), *(each / 255 for each in tensors)])
    with torch.inference_mode():
        features = network(tv.normalize(pixels, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    features = torch.nn.functional.normalize(features).numpy()
    to_image = (features[1:] @ features[0]).clip(0)
    steps = (features[2:] * features[1:-1]).sum(axis=1).clip(0)
    expected = 0.4 * to_image.max() + 0.3 * steps.mean() + 0.3 * steps.min()
    assert backend.score(item_of(frames, image=image)) == pytest.approx(expected, abs=1e-6)
    with pytest.raises(Rejected):
        backend.score(item_of(frames[:1]))


def test_dimensions_on_dino_share_its_features(dino, monkeypatch):
    _, path = dino
    backends = [dino_backend(name, path) for name in ("SubjectConsistency", "LongHorizonCoherence")]
    seen = []
    for backend in backends:
        embed = backend.embed
        monkeypatch.setattr(
            backend, "embed", lambda f, embed=embed: seen.append(len(f)) or embed(f)
        )
    item = item_of(pan(4, 9))
    scores = [backend.score(item) for backend in backends]
    assert seen == [4] and 0 < scores[1] < 1
    features = backends[0].features(item)
    assert scores[1] == pytest.approx((features[2:] * features[:-2]).sum(axis=1).mean(), abs=1e-6)
    with pytest.raises(Rejected):
        backends[1].score(item_of(pan(2, 9)))


def test_background_consistency(clip):
    network, path = clip
    backend = clip_backend("vbench_clip:BackgroundConsistency", path)
    frames = pan(4, 9)
    features = encode(network, transforms.clip_tensors(frames, 32))
    steps = [
        (max(0, features[i] @ features[i - 1]) + max(0, features[i] @ features[0])) / 2
        for i in range(1, 4)
    ]
    assert backend.score(item_of(frames)) == pytest.approx(np.mean(steps), abs=1e-5)


def test_aesthetic_quality(clip, tmp_path):
    network, path = clip
    head = torch.nn.Linear(16, 1)
    head_path = tmp_path / "head.pth"
    torch.save(head.state_dict(), head_path)
    backend = load_backend(
        entry(
            "vbench_clip:AestheticQuality", head_path, architecture=TINY_CLIP, clip_path=str(path)
        )
    )
    frames = pan(3, 9)
    features = torch.from_numpy(encode(network, transforms.clip_tensors(frames, 32)))
    expected = head(features).mean().item() / 10
    assert backend.score(item_of(frames)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("head", [{"bias": torch.zeros(1)}, torch.nn.Linear(17, 1).state_dict()])
def test_a_predictor_for_other_features_is_refused(clip, tmp_path, head):
    _, path = clip
    torch.save(head, tmp_path / "head.pth")
    settings = {"architecture": TINY_CLIP, "clip_path": str(path)}
    with pytest.raises(UserError, match=r"head\.pth is of another"):
        load_backend(entry("vbench_clip:AestheticQuality", tmp_path / "head.pth", **settings))


def test_temporal_consistency_looks_at_sixteen_frames(clip):
    network, path = clip
    backend = clip_backend("aigcbench_clip:TemporalConsistency", path)
    frames = pan(20, 9)
    features = encode(network, transforms.clip_pictures(frames[:16], 32))
    expected = np.mean([features[i] @ features[i + 1] for i in range(15)])
    assert backend.score(item_of(frames)) == pytest.approx(expected, abs=1e-5)
    frames[16:] = 0
    assert backend.score(item_of(frames)) == pytest.approx(expected, abs=1e-5)


def test_video_text_alignment_cuts_long_prompts_and_says_so(clip):
    network, path = clip
    backend = clip_backend("aigcbench_clip:VideoTextAlignment", path)
    frames = pan(18, 9)
    tokens = open_clip.tokenize(["a cat walks"])
    with torch.inference_mode():
        text = network.encode_text(tokens, normalize=True)[0].numpy()
    features = encode(network, transforms.clip_pictures(frames[:16], 32))
    item = item_of(frames, prompt="a cat walks")
    assert backend.score(item) == pytest.approx((features @ text).mean(), abs=1e-5)
    assert backend.remark(item) is None
    assert backend.remark(item_of(frames, prompt="cat " * 75)) is None
    long = item_of(frames, prompt="cat " * 76)
    assert backend.remark(long) == "prompt_truncated"
    assert -1 <= backend.score(long) <= 1


def test_video_image_alignment_squeezes_all_frames_to_the_image(clip):
    network, path = clip
    backend = clip_backend("aigcbench_clip:VideoImageAlignment", path)
    frames, image = pan(18, 9), texture(90, 60, seed=1)
    squeezed = [transforms.squeeze_to(frame, 90, 60) for frame in frames]
    features = encode(network, transforms.clip_pictures([image, *squeezed], 32))
    expected = (features[1:] @ features[0]).mean()
    assert backend.score(item_of(frames, image=image)) == pytest.approx(expected, abs=1e-5)
    unsqueezed = encode(network, transforms.clip_pictures([image, *frames], 32))
    assert abs((unsqueezed[1:] @ unsqueezed[0]).mean() - expected) > 1e-4


def test_weights_of_another_architecture_are_refused(clip):
    _, path = clip
    wider = {**TINY_CLIP, "embed_dim": 24}
    with pytest.raises(UserError, match=r"clip\.pth is of another architecture"):
        load_backend(entry("vbench_clip:BackgroundConsistency", path, architecture=wider))
    with pytest.raises(UserError, match="no model 'ViT-B-33'"):
        load_backend(entry("vbench_clip:BackgroundConsistency", path, architecture="ViT-B-33"))


def test_dynamic_degree_flow(raft):
    network, path = raft
    backend = DynamicDegree({"path": str(path)}, architecture="raft_small", updates=2)
    frames = pan(2, 4, height=130, width=150)
    pair = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    padded = torch.nn.functional.pad(pair, (1, 1, 3, 3), mode="replicate")
    with torch.inference_mode():
        scaled = 2 * padded / 255 - 1
        expected = network(scaled[:1], scaled[1:], num_flow_updates=2)[-1][0].numpy()
    flow = backend.flow(*frames)
    assert flow.shape == (2, 136, 152)
    np.testing.assert_allclose(flow, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("fps", "pairs"),
    [(24.0, 23), (8.0, 71)],  # of 72 frames, every third or every one is kept
)
def test_dynamic_degree_rule(raft, monkeypatch, fps, pairs):
    backend = DynamicDegree({"path": str(raft[1])}, architecture="raft_small", updates=1)
    compared = []

    def flow(before, after):
        compared.append((int(before[0, 0, 0]), int(after[0, 0, 0])))
        return np.full((2, 8, 8), speed)

    monkeypatch.setattr(backend, "flow", flow)
    frames = np.arange(72, dtype=np.uint8).reshape(-1, 1, 1, 1).repeat(144, 1).repeat(256, 2)
    # A displacement of (2.5, 2.5) is 3.54 pixels; the threshold is 3.375 at 144 pixels.
    speed = 2.5
    assert backend.score(item_of(frames, fps)) == 1.0
    assert len(compared) == pairs and compared[1] == (72 // (pairs + 1), 2 * 72 // (pairs + 1))
    speed = 2.3
    assert backend.score(item_of(frames, fps)) == 0.0


def test_dynamic_degree_of_a_small_video_has_a_reason(raft):
    backend = DynamicDegree({"path": str(raft[1])}, architecture="raft_small", updates=1)
    with pytest.raises(Rejected) as caught:
        backend.score(item_of(pan(4, 1, height=64, width=200)))
    assert caught.value.reason == "too_small"
    with pytest.raises(UserError, match="no architecture 'raft_huge'"):
        DynamicDegree({"path": str(raft[1])}, architecture="raft_huge")


def test_padding_is_symmetric():
    padded = pad_to_stride(torch.arange(13.0).view(1, 1, 1, 13).expand(1, 1, 5, 13))
    assert padded.shape == (1, 1, 8, 16)
    assert padded[0, 0, 0].tolist() == [0, *range(13), 12, 12]
    assert pad_to_stride(torch.zeros(1, 1, 16, 24)).shape == (1, 1, 16, 24)
