"""The release's card: what Hugging Face datasets needs to load it, and what it is."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from scripts.common.schemas.annotate import PACKED_DATASET
from scripts.common.schemas.prompts import PARAMETERS
from scripts.publish.pack_dataset import refuse_empty

_SIZES = [
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
]


CONFIGS = {
    "default": "data/*.parquet",
    "text_embedding": "Embedding/Full_Text_Embedding.parquet",
    "image_embedding": "Embedding/Full_Image_Embedding.parquet",
    "parameters": "parameters.parquet",
    "tip_eval": "splits/tip_eval/*.parquet",
    "tip_id": "splits/tip_id/*.parquet",
    "tip_trace_frames": "splits/tip_trace/frames/*.parquet",
    "tip_trace_images": "splits/tip_trace/images/*.parquet",
    "videos": "videos/*.parquet",
}
"""Name by which ``load_dataset`` takes a part of the release -> its files; each has a split Full."""


def write_card(
    card: Path,
    packed: Sequence[Path],
    names: Sequence[str],
    *,
    annotators: Mapping[str, str],
    licence: str,
    banner: str,
) -> int:
    """Write README.md with the features, the parts and their sizes, and what made each column.

    Args:
        card: the README.md.
        packed: tables of ``PACKED_DATASET`` beside it.
        names: of the release's files, from there.
        annotators: what made each annotation, in words.
        licence: of the data, by its identifier on the hub.
        banner: a line put over everything; empty for none.

    Returns:
        The data set's rows.

    Raises:
        UserError: the data set is empty.
    """
    rows = sum(pq.read_metadata(path).num_rows for path in packed)
    refuse_empty(rows, card.parent)
    size = sum(path.stat().st_size for path in packed)
    front = _front_matter(rows, size, licence, names)
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    tables = [name for name in names if name.endswith(".parquet")]
    lines = [f"---\n{head}---\n", *_body(rows, card.parent, tables, annotators, banner)]
    if "parameters.parquet" in names:
        said = "What users asked Pika for beside the prompt, in a row for each `UUID`, is in `parameters`:"
        lines += ["", said, "", *_columns(PARAMETERS)]
    card.parent.mkdir(parents=True, exist_ok=True)
    card.write_text("\n".join([*lines, *_of_tars(names), ""]), encoding="utf-8")
    return rows


def parts_of(names: Sequence[str]) -> dict[str, str]:
    """Return which parts a release has, by its files: name for ``load_dataset`` -> pattern."""
    return {part: one for part, one in CONFIGS.items() if any(fnmatch(name, one) for name in names)}


def _front_matter(rows: int, size: int, licence: str, names: Sequence[str]) -> dict:
    features = [
        {"name": field.name, "dtype": "image" if field.name == "Image_Prompt" else str(field.type)}
        for field in PACKED_DATASET
    ]
    for feature in features:
        feature["dtype"] = {"float": "float32"}.get(feature["dtype"], feature["dtype"])
    return {
        "pretty_name": "TIP-I2V, rebuilt",
        "license": licence,
        "language": ["en"],
        "task_categories": ["image-to-video", "text-to-video"],
        "size_categories": [next((name for limit, name in _SIZES if rows < limit), "n>10M")],
        "dataset_info": {
            "features": features,
            "splits": [{"name": "Full", "num_bytes": size, "num_examples": rows}],
            "download_size": size,
            "dataset_size": size,
        },
        "configs": [
            {"config_name": part, "data_files": [{"split": "Full", "path": pattern}]}
            for part, pattern in parts_of(names).items()
        ],
    }


def _body(
    rows: int, folder: Path, tables: Sequence[str], annotators: Mapping[str, str], banner: str
) -> list[str]:
    """Return the card's lines about the data set and its parts, and what made the annotations."""
    parts = []
    for part, pattern in parts_of(tables).items():
        files = [folder / name for name in tables if fnmatch(name, pattern)]
        number = sum(pq.read_metadata(path).num_rows for path in files)
        columns = ", ".join(map(_with_kind, pq.read_schema(files[0])))
        parts.append((f"`{part}`", f"{number:,}", columns))
    makers = ((name.replace("_", " "), maker) for name, maker in annotators.items())
    return [
        *([f"> **{banner}**", ""] if banner else []),
        "# Text and image prompts for image-to-video generation",
        "",
        f"{rows:,} unique prompts, rebuilt as Wang and Yang describe TIP-I2V (arXiv 2411.04709).",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        'dataset = load_dataset("path/to/this/folder", split="Full")',
        "```",
        "",
        *_columns(PACKED_DATASET),
        "",
        'Other parts are loaded by name, as in `load_dataset(folder, name, split="Full")`. Embeddings lie',
        "row by row as `load_dataset` gives the prompts.",
        "",
        *_table(("name", "rows", "columns"), parts),
        "",
        *_table(("annotation", "made by"), makers),
    ]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table in Markdown."""
    first, *others = (f"| {' | '.join(cells)} |" for cells in (header, *rows))
    return [first, "|" + "---|" * len(header), *others]


def _with_kind(column: pa.Field) -> str:
    """Return a column's name, and of a vector its numbers."""
    kind = column.type
    if not pa.types.is_fixed_size_list(kind):
        return f"`{column.name}`"
    numbers = f"{kind.list_size} x {kind.value_type}".replace("halffloat", "float16")
    return f"`{column.name}` ({numbers})"


def _columns(schema: pa.Schema) -> list[str]:
    """Return the lines of a table that says what columns hold."""
    said = ((f"`{one.name}`", one.metadata[b"description"].decode()) for one in schema)
    return _table(("column", "what it holds"), said)


def _of_tars(names: Sequence[str]) -> list[str]:
    """Return the card's lines about tars, by folder."""
    folders = Counter(str(Path(name).parent) for name in names if name.endswith(".tar"))
    if not folders:
        return []
    head = "Full-size pictures and videos lie in tars of `<uuid>.png` and `<uuid>.mp4`, each with an index:"
    said = ((f"`{folder}/`", f"{number:,}") for folder, number in sorted(folders.items()))
    return ["", head, "", *_table(("folder", "tars"), said)]
