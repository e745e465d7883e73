"""Checkpoints of other projects, as tiny weights in their layout, through the sheet's entries.

Each network is written out here once more as its authors' code has it, so that what is compared
is the whole way from a file to a vector: names, strides, pooling, head, sizes.
"""

import argparse
import functools

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.errors import UserError
from scripts.models.devices import PRECISIONS
from scripts.trace.heads import build_head
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.timm_tracer import TimmTracer

torch.set_num_threads(1)

SHEET = read_sheets(ROOT / "config")["tracers"]
TINY_VIT = {"img_size": 32, "patch_size": 16, "embed_dim": 24, "depth": 2, "num_heads": 2}
TINY_RESNET = {"layers": (1, 1, 1, 1), "channels": (8, 16, 32, 64)}


@pytest.fixture
def images():
    """Pictures of several shapes, of one colour each: noise is all the same once it is pooled."""
    noise = np.random.default_rng(0).integers(0, 60, (3, 60, 60, 3), np.uint8)
    colours = np.array([[190, 0, 0], [0, 190, 190], [60, 60, 60]], np.uint8)
    return [
        part[: 40 + 7 * i] + colour
        for i, (part, colour) in enumerate(zip(noise, colours, strict=True))
    ]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def randomise(network):
    """Give a network weights and statistics under which no part of it is idle."""
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif tensor.is_floating_point():
            tensor.normal_(std=0.3)
    return network.eval()


def tracer_of(name, path, **tiny):
    """Return the sheet's tracer with smaller arguments, which reads ``path``."""
    settings = dict(SHEET[name]["settings"])
    settings["model_arguments"] = settings.get("model_arguments", {}) | tiny.pop("arguments", {})
    return TimmTracer({"path": str(path)}, **settings | tiny)


def pixels_of(images, size, normalisation="imagenet", interpolation="bicubic"):
    shaping = Preprocessing(size, interpolation=interpolation, normalisation=normalisation)
    squares = np.stack([shaping.to_square(image) for image in images])
    return shaping.normalise(torch.from_numpy(squares).permute(0, 3, 1, 2))


def assert_same(tracer, images, expected):
    vectors = tracer.embed(images)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(vectors, functional.normalize(expected, dim=1), atol=1e-5)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3  # else nothing was compared


class Waveblock(nn.Module):
    def forward(self, features):
        return features


class BotNetwork(nn.Module):
    """https://github.com/WangWenhao0716/ISC-Track2-Submission, models_balance_matrix/resnet.py."""

    def __init__(self, hidden=20, wide=28, out=10):
        super().__init__()
        resnet = timm.create_model("resnet50", num_classes=0, **TINY_RESNET)
        resnet.layer4[0].conv2.stride = resnet.layer4[0].downsample[0].stride = (1, 1)
        wave = Waveblock()
        gem = nn.ParameterDict({"p": nn.Parameter(torch.full((1,), 3.5))})
        self.base = nn.Sequential(
            resnet.conv1, resnet.bn1, resnet.maxpool, resnet.act1, resnet.layer1,
            resnet.layer2, wave, resnet.layer3, wave, resnet.layer4, gem,
        )  # fmt: skip
        width = resnet.num_features
        self.projector_feat_bn = nn.Sequential(
            nn.Sequential(
                nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.LeakyReLU(0.2),
                nn.Linear(hidden, wide),
            ),
            nn.BatchNorm1d(wide),
        )  # fmt: skip
        self.matrix_feat_bn = nn.Sequential(
            nn.Sequential(nn.BatchNorm1d(wide), nn.LeakyReLU(0.2), nn.Linear(wide, out)),
            nn.BatchNorm1d(out),
        )

    def forward(self, x):
        x = torch.clamp(self.base[:10](x), min=1e-6)
        return self.matrix_feat_bn(self.projector_feat_bn((x**3).mean(dim=(2, 3)) ** (1.0 / 3)))


@pytest.mark.parametrize("prefix", ["", "module."])
def test_bot(tmp_path, images, prefix):
    network = randomise(BotNetwork())
    state = {f"{prefix}{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save(state, tmp_path / "bot.pth.tar")
    tracer = tracer_of(
        "bot", tmp_path / "bot.pth.tar", dimension=10, sizes=[40, 64], arguments=TINY_RESNET
    )
    with torch.inference_mode():
        both = [functional.normalize(network(pixels_of(images, n)), dim=1) for n in (40, 64)]
    assert_same(tracer, images, sum(both) / 2)


def test_cnncl(tmp_path, images):
    class IscNet(nn.Module):
        """https://github.com/lyakaap/ISC21-Descriptor-Track-1st, isc_feature_extractor/model.py."""

        def __init__(self):
            super().__init__()
            self.backbone = timm.create_model("tf_efficientnetv2_b0", features_only=True)
            self.fc = nn.Linear(self.backbone.feature_info[-1]["num_chs"], 12, bias=False)
            self.bn = nn.BatchNorm1d(12)

        def forward(self, x):
            x = self.backbone(x)[-1].clamp(min=1e-6)
            return self.bn(self.fc(functional.avg_pool2d(x, x.shape[-2:]).flatten(1)))

    network = IscNet().eval()
    pixels = pixels_of(images, 64, "half", "bilinear")
    with torch.inference_mode():  # else random weights describe all pictures almost alike
        network.bn.momentum = 1.0
        network.bn.train()
        network(pixels)
        network.eval()
    state = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    extra = {"arch": "tf_efficientnetv2_m_in21ft1k", "args": argparse.Namespace(input_size=512)}
    torch.save({"state_dict": state} | extra, tmp_path / "isc.pth.tar")
    tracer = tracer_of(
        "cnncl", tmp_path / "isc.pth.tar", model="tf_efficientnetv2_b0", dimension=12, image_size=64
    )
    with torch.inference_mode():
        assert_same(tracer, images, network(pixels))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_anypattern(tmp_path, images, prefix):
    class Pattern(nn.Module):
        """https://github.com/WangWenhao0716/AnyPattern, Test/models/vit_models_first_dgg.py."""

        def __init__(self):
            super().__init__()
            self.vit = timm.create_model("vit_base_patch16_224", num_classes=0, **TINY_VIT)
            self.vit.patch_embed.proj = nn.Conv2d(9, 24, 16, stride=16)
            self.vit.pattern_token = nn.Parameter(torch.zeros(1, 1, 24))
            self.vit.pos_embed_1 = nn.Parameter(torch.zeros(1, 1, 24))
            self.vit.head_pat = nn.Linear(24, 90)
            self.linear = nn.Linear(24, 7)
            self.projector_feat_bn_1 = nn.Sequential(self.linear, nn.Identity())

        def forward(self, x, support, support_o):
            x = self.vit.patch_embed(torch.cat((x, support, support_o), dim=1))
            first, last = (
                token.expand(len(x), -1, -1)
                for token in (self.vit.cls_token, self.vit.pattern_token)
            )
            x = torch.cat((first, x, last), dim=1)
            x = x + torch.cat((self.vit.pos_embed, self.vit.pos_embed_1), dim=1)
            return self.projector_feat_bn_1(self.vit.norm(self.vit.blocks(x))[:, 0])

    network = randomise(Pattern())
    state = {f"{prefix}{name}": tensor for name, tensor in network.state_dict().items()}
    state[f"{prefix}classifier.weight"] = torch.zeros(4, 24)
    torch.save(state, tmp_path / "any.pth.tar")
    tracer = tracer_of(
        "anypattern", tmp_path / "any.pth.tar", dimension=7, image_size=32, arguments=TINY_VIT
    )
    pixels = pixels_of(images, 32)
    with torch.inference_mode():
        assert_same(tracer, images, network(pixels, pixels, pixels))


def test_anypattern_wants_its_own_checkpoint(tmp_path):
    network = timm.create_model("vit_base_patch16_224", num_classes=0, in_chans=9, **TINY_VIT)
    state = {f"vit.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save(state, tmp_path / "any.pth.tar")
    with pytest.raises(UserError, match="no 'pattern_token', so it is not AnyPattern's"):
        tracer_of("anypattern", tmp_path / "any.pth.tar", dimension=7, arguments=TINY_VIT)


LAYOUTS = {
    "simsiam": ("module.encoder.", "state_dict", {"fc.0.weight": torch.zeros(3, 3)}, TINY_RESNET),
    "mocov3": ("module.base_encoder.", "state_dict", {"head.0.weight": torch.zeros(3, 24)}, TINY_VIT),
    "simclr": ("_feature_blocks.", "classy_state_dict.base_model.model.trunk", {}, TINY_RESNET),
    "blip": ("visual_encoder.", "model", {}, TINY_VIT),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_networks_under_other_names(tmp_path, images, name):
    prefix, place, extra, tiny = LAYOUTS[name]
    settings = SHEET[name]["settings"]
    network = timm.create_model(settings["model"], num_classes=0, **tiny)
    network = randomise(network)
    state = {f"{prefix}{key}": tensor for key, tensor in (network.state_dict() | extra).items()}
    state["text_encoder.layer.weight"] = torch.zeros(2, 2)
    for key in reversed(place.split(".")):
        state = {key: state}
    torch.save(state | {"epoch": 3}, tmp_path / "foreign.pth")
    tracer = tracer_of(
        name,
        tmp_path / "foreign.pth",
        dimension=network.num_features,
        image_size=32,
        arguments=tiny,
    )
    pixels = pixels_of(images, 32, settings.get("normalisation", "imagenet"))
    with torch.inference_mode():
        assert_same(tracer, images, network(pixels))


def test_zerovl_is_projected(tmp_path, images):
    network = randomise(timm.create_model("vit_base_patch16_224", num_classes=0, **TINY_VIT))
    projection = nn.Linear(24, 5)
    state = {f"image_encoder.model.model.{k}": v for k, v in network.state_dict().items()}
    state |= {f"image_projection.linear.{k}": v for k, v in projection.state_dict().items()}
    state = {f"module.{name}": tensor for name, tensor in state.items()}
    torch.save({"state_dict": state}, tmp_path / "zerovl.pth")
    tracer = tracer_of(
        "zerovl", tmp_path / "zerovl.pth", dimension=5, image_size=32, arguments=TINY_VIT
    )
    with torch.inference_mode():
        assert_same(tracer, images, projection(network(pixels_of(images, 32, "half"))))


def test_blip_may_be_projected_and_slip_not(tmp_path, images):
    """A choice of the sheet, as its comments say."""
    network = randomise(timm.create_model("vit_base_patch16_224", num_classes=0, **TINY_VIT))
    projection = nn.Linear(24, 5)
    state = {f"visual_encoder.{name}": tensor for name, tensor in network.state_dict().items()}
    state |= {f"vision_proj.{name}": tensor for name, tensor in projection.state_dict().items()}
    torch.save({"model": state}, tmp_path / "blip.pth")
    tracer = tracer_of(
        "blip", tmp_path / "blip.pth", dimension=5, image_size=32, arguments=TINY_VIT,
        head=[{"linear": "vision_proj"}],
    )  # fmt: skip
    with torch.inference_mode():
        assert_same(tracer, images, projection(network(pixels_of(images, 32, "clip"))))
    state = {f"module.visual.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "slip.pt")
    tracer = tracer_of(
        "slip", tmp_path / "slip.pt", dimension=24, image_size=32, arguments=TINY_VIT, head=[]
    )
    with torch.inference_mode():
        assert_same(tracer, images, network(pixels_of(images, 32)))


def test_a_layer_after_the_features_is_not_dropped_without_a_word(tmp_path, images):
    network = randomise(timm.create_model("vit_base_patch16_224", num_classes=0, **TINY_VIT))
    state = network.state_dict() | {"pre_logits.fc.weight": torch.zeros(24, 24)}
    torch.save(state, tmp_path / "vit.pth")
    settings = {"model": "vit_base_patch16_224", "model_arguments": TINY_VIT}
    settings |= {"dimension": 24, "image_size": 32}
    weights = {"path": str(tmp_path / "vit.pth")}
    with pytest.raises(
        UserError, match=r"has 'pre_logits\.fc\.weight', a layer after the features"
    ):
        TimmTracer(weights, **settings)
    tracer = TimmTracer(weights, **settings, drop=[r"pre_logits\."])
    with torch.inference_mode():
        assert_same(tracer, images, network(pixels_of(images, 32)))


@pytest.mark.parametrize("prefix", ["", "module."])
def test_copynce(tmp_path, images, prefix):
    """https://github.com/eddielyc/CopyNCE, core/models: no last norm, and others' epsilon."""
    plain = functools.partial(nn.LayerNorm, eps=1e-4)
    encoder = timm.create_model(
        "vit_small_patch16_224", num_classes=0, norm_layer=plain, final_norm=False, **TINY_VIT
    )
    encoder.blocks.apply(lambda part: isinstance(part, nn.LayerNorm) and setattr(part, "eps", 1e-4))
    head = nn.ModuleDict({"fc1": nn.Linear(24, 9, bias=False), "bn": nn.BatchNorm1d(9)})
    network = nn.ModuleDict({"encoder": encoder, "heads": nn.ModuleDict({"linear_head": head})})
    randomise(network)
    for tensor in (encoder.cls_token, encoder.pos_embed, *encoder.patch_embed.parameters()):
        tensor.data.mul_(0.03)  # so that an epsilon matters
    state = {f"{prefix}{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"model": state, "epoch": 30}, tmp_path / "copynce.pth.tar")
    path = tmp_path / "copynce.pth.tar"
    tracer = tracer_of("copynce", path, dimension=9, image_size=32, arguments=TINY_VIT)
    with torch.inference_mode():
        token = encoder.forward_features(pixels_of(images, 32))[:, 0]
        expected = functional.normalize(head["bn"](head["fc1"](token)), dim=1)
    assert_same(tracer, images, expected)
    for other in ({"norm_epsilon": 1e-6}, {"head": SHEET["copynce"]["settings"]["head"][:1]}):
        wrong = tracer_of("copynce", path, dimension=9, image_size=32, arguments=TINY_VIT, **other)
        assert np.abs(wrong.embed(images) - expected.numpy()).max() > 1e-4


NEWER = {
    "dinov3": {"img_size": 32},
    "siglip2": {"img_size": 32},
    "pe_core": {"img_size": 32},
    "tipsv2": {"img_size": 28},
}


@pytest.mark.parametrize("name", NEWER)
def test_descriptors_that_are_newer_than_the_paper(tmp_path, images, name):
    """Tiny networks of their kinds, in the layout in which timm publishes their weights."""
    settings, tiny = SHEET[name]["settings"], NEWER[name] | {"embed_dim": 48, "depth": 2}
    tiny |= {"num_heads": 3}
    model = settings["model"].partition(".")[0]
    network = randomise(timm.create_model(model, **tiny))
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    side = tiny["img_size"]
    tracer = tracer_of(
        name, tmp_path / "model.safetensors", dimension=48, image_size=side, arguments=tiny
    )
    network.reset_classifier(0)
    with torch.inference_mode():
        expected = network(pixels_of(images, side, settings.get("normalisation", "imagenet")))
    assert_same(tracer, images, expected)


def test_slip(tmp_path, images):
    network = randomise(timm.create_model("vit_base_patch16_224", num_classes=0, **TINY_VIT))
    matrix = torch.randn(24, 5)
    state = {f"module.visual.{name}": tensor for name, tensor in network.state_dict().items()}
    state |= {"module.image_projection": matrix, "module.logit_scale": torch.ones(())}
    torch.save({"state_dict": state, "args": argparse.Namespace(lr=1)}, tmp_path / "slip.pt")
    tracer = tracer_of("slip", tmp_path / "slip.pt", dimension=5, image_size=32, arguments=TINY_VIT)
    with torch.inference_mode():
        assert_same(tracer, images, network(pixels_of(images, 32)) @ matrix)


def test_a_head_that_the_checkpoint_lacks():
    state = {"fc.weight": torch.zeros(3, 4)}
    with pytest.raises(UserError, match=r"a\.pth has no tensor 'bn\.weight'"):
        build_head([{"linear": "fc"}, {"batch_norm": "bn"}], state, "a.pth")
    with pytest.raises(UserError, match=r"'head' has a layer \{'conv': 'fc'\}; each is one of"):
        build_head([{"conv": "fc"}], state, "a.pth")


@pytest.mark.parametrize("family", ["vit_base_patch16_224", "resnet50"])
def test_bfloat16_keeps_the_ranks_that_are_clear(tmp_path, family, monkeypatch):
    """A stand-in for real weights: what bfloat16 changes lies below the gaps between neighbours."""

    def as_on_a_gpu(device, precision):
        return torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "float32")

    monkeypatch.setattr("scripts.trace.torch_tracer.mixed_precision", as_on_a_gpu)
    tiny = TINY_VIT if "vit" in family else TINY_RESNET
    network = randomise(timm.create_model(family, num_classes=0, **tiny))
    torch.save(network.state_dict(), tmp_path / "n.pth")
    random = np.random.default_rng(2)
    pictures = [random.integers(0, 256, (32, 32, 3), np.uint8) for _ in range(24)]
    tracers = [
        TimmTracer(
            {"path": str(tmp_path / "n.pth")}, model=family, model_arguments=tiny,
            dimension=network.num_features, image_size=32, precision=precision,
        )
        for precision in ("float32", "bfloat16")
    ]  # fmt: skip
    exact, rough = (tracer.embed(pictures) for tracer in tracers)
    assert np.abs(exact - rough).max() > 0  # it is another precision
    cosines = exact @ exact.T
    moved = np.abs(cosines - rough @ rough.T).max()
    assert moved < 0.02
    for row, other in zip(cosines, rough @ rough.T, strict=True):
        gaps = row[:, None] - row[None, :] > 2 * moved
        assert (other[:, None] > other[None, :])[gaps].all()
