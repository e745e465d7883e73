"""A small copy of the released data set: its real folders, names and columns, a few rows."""

import io
import tarfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from scripts.common.video import encode_video

FULL, SUBSET, EVAL = range(12), range(0, 8), range(6, 10)
"""Which prompts each split has; 6 and 7 are in Subset and Eval."""
GENERATORS = ("pika", "svd", "opensora", "i2vgenxl", "cog")
SUBJECTS = ("Cat", "Cats", "Dragon")
TEXT_DIMENSION, IMAGE_DIMENSION = 24, 8

_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def prompt_id(number: int) -> str:
    """Return a UUID that is not of the workflow's namespace, as the released ones are not."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"prompt {number}"))


def picture(number: int, side: int = 40, form: str = "PNG") -> bytes:
    """Return a picture that is another one for each number."""
    pixels = np.random.default_rng(number).integers(0, 255, (5, 5, 3), np.uint8)
    target = io.BytesIO()
    Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST).save(target, form)
    return target.getvalue()


def video(number: int, seed: int = 0, frames: int = 4) -> bytes:
    """Return a video of so many frames, 32 by 32 pixels."""
    rng = np.random.default_rng([number, seed])
    start = rng.integers(0, 200, (32, 32, 3)).astype(np.uint8)
    return encode_video(np.stack([start + 5 * frame for frame in range(frames)]), 8)


def rows_of(numbers: Sequence[int], later: bool = False) -> dict[str, list]:
    """Return released columns; ``later`` adds those of the later version."""
    columns = {
        "UUID": [prompt_id(number) for number in numbers],
        "Text_Prompt": [f"a thing number {number} moves &amp; turns" for number in numbers],
        "Image_Prompt": [
            {"bytes": picture(number, 16, "JPEG"), "path": None} for number in numbers
        ],
        "Subject": [SUBJECTS[number % len(SUBJECTS)] for number in numbers],
        "Timestamp": [f"2024-01-{1 + number:02d} 00:40:21" for number in numbers],
        "Text_NSFW": [number / 100 for number in numbers],
        "Image_NSFW": ["Safe" if number % 5 else "NSFW" for number in numbers],
    }
    if later:
        columns["UserID"] = [f"user {number % 3}" for number in numbers]
        columns["Direction"] = ["move, turn" if number % 2 else " " for number in numbers]
    return columns


def write_rows(path: Path, columns: Mapping[str, list], *, group_rows: int = 3) -> None:
    """Write released rows as Hugging Face datasets does: small row groups, pictures as structs."""
    kinds = {"Image_Prompt": _PICTURE, "Text_NSFW": pa.float32()}
    table = pa.table({name: pa.array(values, kinds.get(name)) for name, values in columns.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=group_rows)


def write_tar(path: Path, members: Mapping[str, bytes]) -> None:
    """Write a tar as ``tar cf`` does: with folders, dates and owners."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for folder in dict.fromkeys(name.rpartition("/")[0] for name in members):
            if folder.strip("."):
                header = tarfile.TarInfo(folder)
                header.type, header.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(header)
        for name, data in members.items():
            header = tarfile.TarInfo(name)
            header.size, header.mtime, header.uname = len(data), 1_700_000_000, "somebody"
            archive.addfile(header, io.BytesIO(data))


def vectors(numbers: Sequence[int], dimension: int) -> np.ndarray:
    """Return an embedding of each prompt, not of length 1."""
    rows = [np.random.default_rng([number, dimension]).normal(size=dimension) for number in numbers]
    return 3 * np.array(rows, np.float32)


def write_embedding(path: Path, numbers: Sequence[int], dimension: int) -> None:
    """Write a released embedding, in another order than the rows."""
    numbers = list(reversed(numbers))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table(
            {
                "UUID": [prompt_id(number) for number in numbers],
                "embedding": pa.array(list(vectors(numbers, dimension)), pa.list_(pa.float32())),
            }
        ),
        path,
        row_group_size=5,
    )


def write_card(folder: Path, *, full: int = len(FULL)) -> None:
    """Write the card with the numbers of rows."""
    numbers = {"Full": full, "Subset": len(SUBSET), "Eval": len(EVAL)}
    splits = "".join(f"  - name: {n}\n    num_examples: {rows}\n" for n, rows in numbers.items())
    (folder / "README.md").write_text(
        f"---\nlicense: cc-by-nc-4.0\ndataset_info:\n  splits:\n{splits}---\n# TIP-I2V\n"
    )


def make_release(folder: Path, *, full: bool = True, later: bool = False) -> Path:
    """Write the small copy.

    Args:
        folder: where it goes.
        full: with the split Full and what belongs to it; else Subset and Eval alone.
        later: with the columns of the later version.
    """
    if full:
        write_rows(folder / "data/Full-00000-of-00002.parquet", rows_of(FULL[:7], later))
        write_rows(folder / "data/Full-00001-of-00002.parquet", rows_of(FULL[7:], later))
        # Not all of Full's tars were downloaded: prompts 8 to 11 have none.
        write_tar(
            folder / "image_prompt_tar/image_prompt_1.tar",
            {f"image_prompt_1/{prompt_id(number)}.png": picture(number) for number in FULL[:8]},
        )
    write_rows(folder / "data/Subset-00000-of-00001.parquet", rows_of(SUBSET, later))
    write_rows(folder / "data/Eval-00000-of-00001.parquet", rows_of(EVAL, later))
    for split, numbers in (("Full", FULL), ("Subset", SUBSET), ("Eval", EVAL)):
        if full or split != "Full":
            stem = folder / "Embedding" / split
            write_embedding(Path(f"{stem}_Text_Embedding.parquet"), numbers, TEXT_DIMENSION)
            write_embedding(Path(f"{stem}_Image_Embedding.parquet"), numbers, IMAGE_DIMENSION)
    write_tar(
        folder / "subset_image_prompt_tar/subset_image_prompt_1.tar",
        {f"./{prompt_id(number)}.png": picture(number) for number in SUBSET[:5]},
    )
    write_tar(
        folder / "subset_image_prompt_tar/subset_image_prompt_2.tar",
        {f"./{prompt_id(number)}.png": picture(number) for number in SUBSET[5:]},
    )
    write_tar(
        folder / "eval_image_prompt_tar/eval_image_prompt.tar",
        {f"{prompt_id(number)}.png": picture(number) for number in EVAL},
    )
    for seed, name in enumerate(GENERATORS):
        halves = (
            {"_1": SUBSET[:4], "_2": SUBSET[4:]} if name in ("pika", "i2vgenxl") else {"": SUBSET}
        )
        for ending, numbers in halves.items():
            write_tar(
                folder / f"subset_videos_tar/{name}_videos_subset{ending}.tar",
                {
                    f"{name}/{name}_{prompt_id(number)}.mp4": video(number, seed)
                    for number in numbers
                },
            )
        write_tar(
            folder / f"eval_videos_tar/{name}_videos_eval.tar",
            {f"{prompt_id(number).upper()}.mp4": video(number, seed) for number in EVAL},
        )
    write_card(folder)
    return folder
