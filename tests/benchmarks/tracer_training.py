"""The training step of 'Ours' (Table 5), beside the same network with a plain classifier.

ViT-Base/16 at 224 pixels and 90,000 classes; a batch of 512 in bfloat16 on a GPU, a small one in
float32 on a CPU (``BENCH_TRAINING_BATCH``, ``BENCH_TRAINING_CLASSES``, ``BENCH_TRAINING_STEPS``,
``BENCH_TRAINING_WORKERS`` for others). Both take the same pictures from the host's memory, in turns.
How fast the workers bring pictures from the tars is measured on its own.
"""

import io
import os
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from skimage import data
from torch.nn import functional
from torch.utils.data import DataLoader

from scripts.common.fingerprints import sha256_of
from scripts.common.identity import prompt_uuid
from scripts.common.pictures import encode_png, picture_properties
from scripts.common.schemas.items import OK
from scripts.common.schemas.split import TRACE_IMAGES, TRAIN, TRAINING_IMAGE
from scripts.common.schemas.trace import FRAME_INDEX
from scripts.common.shards import ShardItem, write_shard
from scripts.common.tables import read_table, write_table
from scripts.models.devices import PRECISIONS
from scripts.models.training import Learner
from scripts.trace.class_batches import ClassBatches
from scripts.trace.cosface import Recipe, draw_kept
from scripts.trace.cosface_training import build_lesson, course_of
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.training_pictures import PictureDataset, collate, find_training_pictures

NETWORK, SIDE = "vit_base_patch16_224", 224
PATCH, WIDTH, DEPTH = 16, 768, 12
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
ON_GPU = DEVICE.type == "cuda"
CORES = len(os.sched_getaffinity(0))
BATCH = int(os.environ.get("BENCH_TRAINING_BATCH", 512 if ON_GPU else 8))
CLASSES = int(os.environ.get("BENCH_TRAINING_CLASSES", 90_000))
STEPS = int(os.environ.get("BENCH_TRAINING_STEPS", 20 if ON_GPU else 1))
WORKERS = int(os.environ.get("BENCH_TRAINING_WORKERS", min(14, CORES)))
PRECISION = "bfloat16" if ON_GPU else "float32"
ROUNDS = 3
SOURCES, VIDEOS, FRAMES = 24, 5, 10
"""Of the loader's pictures: prompts, videos of each, frames of each video (Supplement 15)."""


def run() -> dict:
    """Measure both steps in turns, the matrix units, and the loader; return what was found."""
    torch.set_num_threads(CORES)
    torch.manual_seed(0)
    steps = {"ours": our_step()}
    steps["ours"]()  # memory is taken, kernels are chosen
    memory = torch.cuda.max_memory_allocated() / 1e9 if ON_GPU else None
    steps["plain"] = plain_step()
    steps["plain"]()
    rounds = []
    for number in range(ROUNDS):
        found = {name: STEPS * BATCH / seconds_of(step, STEPS) for name, step in steps.items()}
        found["peak"] = matrix_units_flops()
        rounds.append(found)
        print(
            f"round {number + 1}: ours {found['ours']:,.2f}, plain {found['plain']:,.2f} images/s, "
            f"matrix product {found['peak'] / 1e12:,.3f} TFLOP/s",
            flush=True,
        )
    loaded = loader_images_per_s()
    ours = statistics.median(found["ours"] for found in rounds)
    plain = statistics.median(found["plain"] for found in rounds)
    peak = max(found["peak"] for found in rounds)
    flops = training_flops(SIDE, CLASSES)
    result = {
        "ours": ours,
        "baseline": plain,
        "ratio": statistics.median(found["ours"] / found["plain"] for found in rounds),
        "unit": "images per second",
        "what": (
            f"a training step of ViT-Base/16 at {SIDE} pixels with {CLASSES:,} classes, batch "
            f"{BATCH}, {PRECISION} on {device_name()}: CosFace with stochastic depth and a moving "
            f"average of the weights, beside timm's {NETWORK} with a linear classifier, both with "
            f"Adam, medians of {ROUNDS} turns"
        ),
        "flops_per_image": flops,
        "matrix_units_tflops": peak / 1e12,
        "share_of_matrix_units": ours * flops / peak,
        "baseline_share_of_matrix_units": plain * flops / peak,
        "loader_images_per_s": loaded,
        "loader_workers": WORKERS,
    }
    if ON_GPU:
        result["peak_memory_gb"] = memory
    print(
        f"ours / plain {result['ratio']:.3f}; {flops / 1e9:.1f} GFLOP an image: ours uses "
        f"{result['share_of_matrix_units']:.1%} of what a matrix product reaches, plain "
        f"{result['baseline_share_of_matrix_units']:.1%}; {WORKERS} workers bring "
        f"{loaded:,.0f} images/s from tars in the page cache"
    )
    return result


def our_step() -> Callable[[], None]:
    """Return a step of the workflow's training, as the paper's entry has it."""
    training = {"drop_path": 0.1, "precision": PRECISION, "batch_size": BATCH}
    settings = {"model": NETWORK, "dimension": WIDTH, "image_size": SIDE}
    recipe = Recipe.of(training)
    lesson = build_lesson(
        {
            "backend": "scripts.trace.timm_tracer:TimmTracer",
            "settings": settings,
            "training": training,
        },
        CLASSES,
    )
    learner = Learner(lesson, course_of(recipe, CLASSES, 0, DEVICE), DEVICE)
    pixels, labels = batch()
    generator = torch.Generator().manual_seed(0)

    def step() -> None:
        kept = draw_kept(DEPTH, recipe.drop_path, BATCH, generator)
        learner.step((pixels, labels, kept), recipe.learning_rate)

    return step


def plain_step() -> Callable[[], None]:
    """Return a step as anybody would write it: timm's network, linear classifier, Adam."""
    network = timm.create_model(NETWORK, num_classes=CLASSES).to(DEVICE).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=3.5e-4, fused=ON_GPU or None)
    pixels, labels = batch()
    preprocessing = Preprocessing(SIDE)

    def step() -> None:
        inputs = preprocessing.normalise(pixels.to(DEVICE, non_blocking=True))
        with torch.autocast(DEVICE.type, PRECISIONS[PRECISION], enabled=ON_GPU):
            loss = functional.cross_entropy(network(inputs), labels.to(DEVICE))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return step


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Return pictures and classes as the loader gives them: on the host, pinned for a GPU."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (BATCH, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, CLASSES, (BATCH,), generator=generator)
    return (pixels.pin_memory(), labels.pin_memory()) if ON_GPU else (pixels, labels)


def seconds_of(step: Callable[[], None], steps: int) -> float:
    """Return how long so many steps take, to their last kernel."""
    synchronise()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    synchronise()
    return time.perf_counter() - start


def synchronise() -> None:
    if ON_GPU:
        torch.cuda.synchronize()


def matrix_units_flops() -> float:
    """Return the operations per second of a large product of matrices in the same precision."""
    side, repeats = (8192, 20) if ON_GPU else (2048, 3)
    dtype = PRECISIONS[PRECISION]
    left, right = (torch.randn(side, side, device=DEVICE, dtype=dtype) for _ in range(2))
    torch.matmul(left, right)
    return 2 * side**3 * repeats / seconds_of(lambda: torch.matmul(left, right), repeats)


def training_flops(side: int, classes: int) -> float:
    """Return the operations of the matrix products that one picture needs in a training step.

    Forward, with n tokens of width d in L blocks: 24 n d^2 (queries, keys, values, projection and
    the two layers of the perceptron) and 4 n^2 d (attention) a block; 2 (n - 1) 3 p^2 d for the
    patches of side p; 2 d C for the classes. Backward is twice the forward: once for the inputs,
    once for the weights (the patches' inputs, whose gradient nobody needs, are once too many).
    """
    tokens = (side // PATCH) ** 2 + 1
    block = 24 * tokens * WIDTH**2 + 4 * tokens**2 * WIDTH
    patches = 2 * (tokens - 1) * 3 * PATCH**2 * WIDTH
    return 3.0 * (DEPTH * block + patches + 2 * WIDTH * classes)


def loader_images_per_s() -> float:
    """Return how many pictures the workers bring in a second, drawn at random from tars."""
    recipe = Recipe(batch_size=64, workers=WORKERS)
    with tempfile.TemporaryDirectory() as folder:
        pictures = find_training_pictures(*write_pictures(Path(folder)))
        batches = ClassBatches(
            pictures.labels, pictures.sources, batch_size=recipe.batch_size,
            instances=recipe.instances, stop=12 * WORKERS, seed=0,
        )  # fmt: skip
        dataset = PictureDataset(pictures, Preprocessing(SIDE))
        start, images = 0.0, 0
        loader = DataLoader(
            dataset, batch_sampler=batches, num_workers=recipe.workers, collate_fn=collate,
            pin_memory=ON_GPU,
        )  # fmt: skip
        for number, (pixels, _) in enumerate(loader):
            if number < 2 * WORKERS:  # what was read ahead while the workers started
                start = time.perf_counter()
            else:
                images += len(pixels)
        return images / (time.perf_counter() - start)


def write_pictures(folder: Path) -> tuple[list[Path], list[Path], Path]:
    """Write tars as ``decode_frames`` and ``extract_images`` do, of parts of a photograph.

    Returns:
        Tars of frames, their indexes, the list of source images.
    """
    random = np.random.default_rng(0)
    photograph = np.tile(data.astronaut(), (3, 4, 1))

    def part(height: int, width: int) -> np.ndarray:
        top, left = random.integers(0, 512, 2)
        return np.ascontiguousarray(photograph[top : top + height, left : left + width])

    uuids = sorted(prompt_uuid(f"prompt {number}") for number in range(SOURCES))
    images = folder / "images" / "00000.tar"
    sources = [part(576, 1024) for _ in uuids]
    items = [
        ShardItem(uuid, encode_png(source), picture_properties(source))
        for uuid, source in zip(uuids, sources, strict=True)
    ]
    write_shard(images, images.with_suffix(".parquet"), items, "png")
    tars = [folder / f"generator{number}" / "00000.tar" for number in range(VIDEOS)]
    for tar in tars:
        tar.parent.mkdir()
        rows = []
        with tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT) as archive:
            for uuid in uuids:
                for frame in range(FRAMES):
                    place = add_jpeg(archive, f"{uuid}.{frame:05d}.jpg", part(SIDE, SIDE))
                    rows.append({"uuid": uuid, "part": TRAIN, "frame": frame, "status": OK} | place)
        write_table(rows, tar.with_suffix(".parquet"), FRAME_INDEX)
    rows = read_table(images.with_suffix(".parquet")).to_pylist()
    places = ("uuid", "offset", "size_bytes", "sha256")
    listed = [
        {"role": TRAINING_IMAGE, "tar": str(images)} | {k: r[k] for k in places} for r in rows
    ]
    write_table(listed, folder / "training_images.parquet", TRACE_IMAGES)
    indexes = [tar.with_suffix(".parquet") for tar in tars]
    return tars, indexes, folder / "training_images.parquet"


def add_jpeg(archive: tarfile.TarFile, name: str, picture: np.ndarray) -> dict:
    """Write a picture into a tar as ``decode_frames`` does; return where it lies."""
    target = io.BytesIO()
    Image.fromarray(picture).save(target, "JPEG", quality=Recipe.jpeg_quality, subsampling=0)
    member = tarfile.TarInfo(name)
    member.size = target.tell()
    offset = archive.offset + tarfile.BLOCKSIZE
    archive.addfile(member, io.BytesIO(target.getvalue()))
    place = {"offset": offset, "size_bytes": member.size}
    return place | {"sha256": sha256_of(target.getvalue())}


def device_name() -> str:
    return torch.cuda.get_device_name() if ON_GPU else f"a CPU with {CORES} cores"
