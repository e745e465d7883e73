"""The account of trace: frames that were decoded, described and searched for (Section 5.4)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from scripts.analyse.steps import Step, follow, kept_ids, reasons_of, write_account
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.split import TRACE_FRAMES, TRACE_IMAGES
from scripts.common.schemas.trace import FRAME_INDEX, MATCHES, QUERY, REFERENCES
from scripts.common.tables import read_frame
from scripts.trace.feature_tables import by_model_and_set

STAGE = "trace"


def account_trace(
    trace_frames: Mapping[str, Path],
    frame_indexes: Mapping[str, Sequence[Path]],
    trace_images: Mapping[str, Path],
    features: Mapping[tuple[str, str], Sequence[Path]],
    matches: Mapping[str, Path],
    account: Path,
) -> Counts:
    """Follow every frame and picture of TIP-Trace through every tracer.

    Args:
        trace_frames: generator -> its frames (``TRACE_FRAMES``).
        frame_indexes: generator -> indexes of its decoded frames (``FRAME_INDEX``).
        trace_images: references, distractors -> ``TRACE_IMAGES``.
        features: (model, set) -> shards of features; a set is a generator's queries, or pictures.
        matches: model -> ``MATCHES``.
        account: table of ``ACCOUNT``.

    Returns:
        Counts of steps.

    Raises:
        UserError: a sum is off; the step is named.
    """
    steps = []
    pictures = {
        name: pd.Index(read_frame(path, TRACE_IMAGES, ["uuid"])["uuid"])
        for name, path in trace_images.items()
    }
    for generator, path in trace_frames.items():
        step, queries = account_of_frames(generator, path, frame_indexes[generator])
        steps.append(step)
        pictures[generator] = queries
    described = {}
    for (model, name), paths in features.items():
        outcomes = reasons_of(read_frame(paths, columns=["uuid", "status", "reason"]))
        if name != REFERENCES:  # a million ids for each model, which nobody asks for again
            described[model, name] = kept_ids(outcomes)
        part = f"{model} {name}"
        steps.append(follow(STAGE, "extract_features", "images", pictures[name], outcomes, part))
    for model, path in matches.items():
        rows = read_frame(path, MATCHES, ["set", "query", "status", "reason"])
        rows = rows.drop_duplicates(["set", "query"])
        for name in [name for one, name in described if one == model]:
            outcomes = reasons_of(rows[rows["set"] == name], key="query")
            wanted, part = described[model, name], f"{model} {name}"
            steps.append(follow(STAGE, "match_queries", "queries", wanted, outcomes, part))
    return write_account(steps, account)


def account_of_frames(
    generator: str, wanted: Path, indexes: Sequence[Path]
) -> tuple[Step, pd.Index]:
    """Return the step from wanted to decoded frames, and the prompts whose query is there."""
    columns = ["uuid", "part", "frame"]
    asked = read_frame(wanted, TRACE_FRAMES, columns)
    decoded = read_frame(indexes, FRAME_INDEX, [*columns, "status", "reason"])
    for table in (asked, decoded):
        table["key"] = table["uuid"] + "/" + table["part"] + "/" + table["frame"].astype(str)
    outcomes = reasons_of(decoded, key="key")
    step = follow(STAGE, "decode_frames", "frames", asked["key"], outcomes, generator)
    there = decoded[(decoded["status"] == "ok") & (decoded["part"] == QUERY)]
    return step, pd.Index(there["uuid"])


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = account_trace(
            trace_frames={Path(path).stem: path for path in snakemake.input.trace_frames},
            frame_indexes=snakemake.params.frame_indexes,
            trace_images={Path(path).stem: path for path in snakemake.input.trace_images},
            features=by_model_and_set(snakemake.input.features),
            matches={Path(path).stem: Path(path) for path in snakemake.input.matches},
            account=Path(snakemake.output.account),
        )
        log.finish(counts)
