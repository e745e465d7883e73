"""The released data set as it lies on the Hugging Face hub: which files there are, by their names.

The names are the real ones. The documentation calls the folder of the Subset's image prompts
``sub_image_prompt_tar``; it is ``subset_image_prompt_tar``, and both are looked for.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from scripts.common.errors import UserError

REPOSITORY = "WenhaoWang/TIP-I2V"
FULL, SUBSET, EVAL = "Full", "Subset", "Eval"

PICTURE_FOLDERS = {
    FULL: ("image_prompt_tar",),
    SUBSET: ("subset_image_prompt_tar", "sub_image_prompt_tar"),
    EVAL: ("eval_image_prompt_tar",),
}
"""Split -> folders with tars of its image prompts in full size."""

VIDEO_FOLDERS = {SUBSET: "subset_videos_tar", EVAL: "eval_videos_tar"}
"""Split -> folder with tars ``<generator>_videos_...``: what the models made of it."""
FULL_VIDEOS = "pika_videos_tar"
"""Folder with Pika's videos of all prompts; no other model has them."""

EMBEDDINGS = {
    "text_embedding": "Embedding/{split}_Text_Embedding.parquet",
    "image_embedding": "Embedding/{split}_Image_Embedding.parquet",
}
_PART = re.compile(r"-(\d{5})-of-(\d{5})$")


def splits_of(release: Mapping[str, Any]) -> list[str]:
    """Return the splits that a configuration reads, the largest first."""
    return [FULL] * release["full"] + [SUBSET] * release["subset"] + [EVAL]


def released_files(
    release: Mapping[str, Any], generators: Mapping[str, str], annotations: Sequence[str]
) -> list[str]:
    """Return patterns of all names in the release that a configuration needs.

    Args:
        release: of the configuration.
        generators: as the configuration calls them -> as the release does.
        annotations: that are taken as released.
    """
    splits = splits_of(release)
    files = ["README.md", *(f"data/{split}-*" for split in splits)]
    files += [EMBEDDINGS[one].format(split=split)
              for one in annotations if one in EMBEDDINGS for split in splits]  # fmt: skip
    if "tars" in release["pictures"]:
        files += [f"{place}/*" for split in splits for place in PICTURE_FOLDERS[split]]
    folders = [VIDEO_FOLDERS[split] for split in splits if split in VIDEO_FOLDERS]
    folders += [FULL_VIDEOS] * release["all_pika_videos"]
    return files + [f"{place}/{name}_videos*" for place in folders for name in generators.values()]


def released_annotations(config: Mapping[str, Any]) -> list[str]:
    """Return the annotations that are taken as released.

    Directions came with a later version: where the tables have no such column, they are not.
    """
    release = config["release"]
    names = list(release["annotations"])
    if "direction" in names:
        # Arrow takes a second to start.
        from scripts.curate.release.released_rows import columns_of

        try:
            first = find_tables(release["folder"], splits_of(release)[0])[0]
            there = "Direction" in columns_of(first)
        except UserError:  # the rule that reads the table says so, if it is wanted
            there = False
        names = [name for name in names if name != "direction" or there]
    return names


def find_tables(folder: Path | str, split: str) -> list[Path]:
    """Return the Parquet files of a split's rows, in their order.

    Raises:
        UserError: there are none, one is missing, or parts of two uploads lie side by side.
    """
    data = Path(folder) / "data"
    files = sorted(data.glob(f"{split}-*.parquet"))
    parts = [(path, _PART.search(path.stem)) for path in files]
    found = {int(match[1]): path for path, match in parts if match}
    totals = {int(match[2]) for _, match in parts if match}
    way_out = how_to_get(folder, f"data/{split}-*")
    if not found:
        raise UserError(f"{data} holds no {split}-00000-of-NNNNN.parquet; {way_out}")
    if len(totals) > 1:
        names = ", ".join(f"of-{total:05d}" for total in sorted(totals))
        raise UserError(
            f"{data} holds parts of several uploads of {split} ({names}); delete all but one"
        )
    total = totals.pop()
    for number in range(total):
        if number not in found:
            raise UserError(
                f"{data}/{split}-{number:05d}-of-{total:05d}.parquet is missing; {way_out}"
            )
    return [found[number] for number in range(total)]


def find_embeddings(folder: Path | str, annotation: str, splits: Sequence[str]) -> list[Path]:
    """Return the tables of a released embedding, one for each split, the largest first.

    The largest alone is enough where it has every prompt; what is missing in it is looked for in
    the others if they are there.

    Raises:
        UserError: the largest split's table is missing.
    """
    paths = [Path(folder) / EMBEDDINGS[annotation].format(split=split) for split in splits]
    needed = paths[:1] if splits[0] == FULL else paths
    for path in needed:
        if not path.is_file():
            raise UserError(
                f"{path} is missing; {how_to_get(folder, f'Embedding/{path.name}')}, or take "
                f"{annotation} off release.annotations, and the annotator makes it"
            )
    return [path for path in paths if path.is_file()]


def find_picture_tars(folder: Path | str, splits: Sequence[str]) -> list[str]:
    """Return the tars of image prompts in full size, from the folder, without ``.tar``.

    There may be none, or not all: then the pictures of the tables can stand in.
    """
    return [
        name
        for split in splits
        for place in PICTURE_FOLDERS[split]
        for name in _tars(folder, place)
    ]


def find_video_tars(
    folder: Path | str,
    generator: str,
    released_name: str,
    splits: Sequence[str] = (SUBSET, EVAL),
    *,
    full: bool = False,
) -> list[str]:
    """Return the tars of a generator's videos, from the folder, without ``.tar``.

    Args:
        folder: of the release.
        generator: as the configuration calls it.
        released_name: as the release calls it: the beginning of the tars' names.
        splits: of whose prompts the videos are wanted.
        full: Pika's videos of all prompts are wanted as well.

    Raises:
        UserError: a folder that is needed has none.
    """
    found = []
    places = [VIDEO_FOLDERS[split] for split in splits if split in VIDEO_FOLDERS]
    for place in places + [FULL_VIDEOS] * full:
        tars = _tars(folder, place, f"{released_name}_videos*")
        if not tars:
            pattern = f"{place}/{released_name}_videos*"
            raise UserError(
                f"{folder} holds no {pattern}.tar, the videos of '{generator}'; "
                f"{how_to_get(folder, pattern)}, or take '{generator}' off generate.generators"
            )
        found += tars
    return found


def stated_rows(card: Path) -> dict[str, int]:
    """Return how many rows the data set's card says that each split has; nothing if it does not.

    Args:
        card: README.md, whose head is YAML with ``dataset_info``.
    """
    try:
        head = re.split(r"^---\s*$", card.read_text(encoding="utf-8"), flags=re.M)[1]
        information = yaml.safe_load(head)["dataset_info"]
        blocks = information if isinstance(information, list) else [information]
        return {
            split["name"]: int(split["num_examples"])
            for block in blocks
            for split in block["splits"]
        }
    except (OSError, IndexError, KeyError, TypeError, ValueError, yaml.YAMLError):
        return {}


def how_to_get(folder: Path | str, pattern: str) -> str:
    """Return the way out of an error: the command that downloads some files of the release."""
    return (
        f"get it with: hf download {REPOSITORY} --repo-type dataset --include '{pattern}' "
        f"--local-dir {folder}"
    )


def _tars(folder: Path | str, place: str, pattern: str = "*") -> list[str]:
    """Return tars in the order of their numbers: tar 2 before tar 10."""
    paths = (Path(folder) / place).glob(f"{pattern}.tar")
    names = [f"{place}/{path.stem}" for path in paths if not path.name.startswith(".")]
    return sorted(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)] + [0])
