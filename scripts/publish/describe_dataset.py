"""Write the data set's card: what Hugging Face datasets needs to load it, and what it is."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from scripts.common.job import run_job
from scripts.common.rule_log import Counts
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


def describe_dataset(
    packed: Sequence[Path],
    embeddings: Sequence[Path],
    card: Path,
    *,
    annotators: Mapping[str, str],
    licence: str,
    banner: str,
    parameters: Sequence[Path] = (),
) -> Counts:
    """Write README.md with the features, the split and its size, and what made each column.

    Args:
        packed: tables of ``PACKED_DATASET``: ``data/Full-*`` beside the card.
        embeddings: tables of ``packed_embeddings``.
        card: the README.md.
        annotators: what made each annotation, in words.
        licence: of the data, by its identifier on the hub.
        banner: a line put over everything; empty for none.
        parameters: the table of ``PARAMETERS``, if there is one.

    Returns:
        Counts of the data set's rows.

    Raises:
        UserError: the data set is empty.
    """
    rows = sum(pq.read_metadata(path).num_rows for path in packed)
    refuse_empty(rows, card.parent)
    size = sum(path.stat().st_size for path in packed)
    front = yaml.safe_dump(_front_matter(rows, size, licence), sort_keys=False, allow_unicode=True)
    text = f"---\n{front}---\n\n{_body(rows, embeddings, annotators, banner)}"
    text += "".join(map(_of_parameters, parameters))
    card.parent.mkdir(parents=True, exist_ok=True)
    card.write_text(text, encoding="utf-8")
    return Counts(kept=rows, declared=rows)


def _front_matter(rows: int, size: int, licence: str) -> dict:
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
            {
                "config_name": "default",
                "data_files": [{"split": "Full", "path": "data/Full-*"}],
            }
        ],
    }


def _body(rows: int, embeddings: Sequence[Path], annotators: Mapping[str, str], banner: str) -> str:
    lines = [f"> **{banner}**", ""] if banner else []
    lines += [
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
        "| column | what it holds |",
        "|---|---|",
    ]
    lines += [
        f"| `{field.name}` | {field.metadata[b'description'].decode()} |"
        for field in PACKED_DATASET
    ]
    lines += [
        "",
        "Embeddings lie in files of their own, row by row as `load_dataset` gives them:",
        "",
    ]
    lines += ["| file | column | type |", "|---|---|---|"]
    for path in embeddings:
        vector = pq.read_schema(path)[1]
        kind = f"{vector.type.list_size} x {vector.type.value_type}".replace("halffloat", "float16")
        lines.append(f"| `{path.parent.name}/{path.name}` | `{vector.name}` | {kind} |")
    lines += ["", "| annotation | made by |", "|---|---|"]
    lines += [f"| {name.replace('_', ' ')} | {maker} |" for name, maker in annotators.items()]
    return "\n".join(lines) + "\n"


def _of_parameters(path: Path) -> str:
    """Return the card's section about what users asked for."""
    lines = [
        "",
        f"`{path.name}` has what users asked Pika for beside the prompt, in a row for each `UUID`:",
        "",
        "| column | what it holds |",
        "|---|---|",
        *(f"| `{each.name}` | {each.metadata[b'description'].decode()} |" for each in PARAMETERS),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    run_job(describe_dataset, snakemake)
