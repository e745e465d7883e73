"""TIP-Camera: whether videos do the camera moves that users typed, and how strongly they move."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from scipy.stats import binomtest

from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.evaluate import CAMERA, MOTION_STRENGTH, SCORES
from scripts.common.schemas.items import OK
from scripts.common.schemas.prompts import PARAMETERS
from scripts.common.tables import read_frame, write_table
from scripts.evaluate.camera_requests import ASKED, OTHER, ROTATE, asked_by_parameter, asked_in_text
from scripts.evaluate.global_motion import GlobalMove, classify

PARAMETER, TEXT = "parameter", "text"
_TYPED = ("UUID", "camera", "motion")


def measure_camera(
    scores: Sequence[Path],
    prompts: Path,
    camera: Path,
    strength: Path,
    *,
    components: Mapping[str, str],
    step: float,
    generators: Sequence[str],
    parameters: Path | None = None,
) -> Counts:
    """Write how many videos of each generator do what was asked for, and what they do instead.

    A move asked for by a parameter reached Pika alone: the share of another generator's videos
    that follow it is what happens by chance. Words of the text reached all.

    Args:
        scores: tables of ``SCORES``.
        prompts: TIP-Eval, with the columns uuid and prompt.
        camera: where adherence and confusion go (``CAMERA``).
        strength: where motion by the number typed goes (``MOTION_STRENGTH``).
        components: component of camera motion -> the metric that measures it.
        step: shorter sides by which an edge of the picture must move to count.
        generators: in the order of the tables' rows.
        parameters: table of ``PARAMETERS``, if the data has them.

    Returns:
        Counts of videos; one whose camera was not measured is rejected.
    """
    wide = _measured(scores, components)
    texts = read_frame([prompts])[["uuid", "prompt"]].drop_duplicates("uuid")
    typed = read_frame([parameters], PARAMETERS) if parameters else pd.DataFrame(columns=_TYPED)
    typed = typed[typed["UUID"].isin(texts["uuid"])]
    asked = {
        PARAMETER: dict(zip(typed["UUID"], typed["camera"].map(asked_by_parameter), strict=True)),
        TEXT: dict(zip(texts["uuid"], texts["prompt"].map(asked_in_text), strict=True)),
    }
    done = wide.dropna(subset=["pan", "tilt", "zoom", "rotation"])
    done = done.assign(
        classes=[_classes(row, step) for row in done.to_dict("records")]
    ).reset_index()
    rows = []
    for source, moves in asked.items():
        for generator in generators:
            own = done[done["generator"] == generator].set_index("item")["classes"]
            for move in ASKED:
                wanted = [uuid for uuid, all_ in moves.items() if move in all_]
                known = own.reindex(wanted).dropna()
                rows += [_adherence(generator, source, move, known)] if len(known) else []
    write_table(rows, camera, CAMERA)
    moved = _strength(wide, typed.set_index("UUID")["motion"], generators)
    write_table(list(moved), strength, MOTION_STRENGTH)
    counts = Counts(kept=len(done), declared=len(wide))
    if len(wide) > len(done):
        counts.reject("not_measured", len(wide) - len(done))
    return counts


def _measured(scores: Sequence[Path], components: Mapping[str, str]) -> pd.DataFrame:
    """Return a row for each generator and item and a column for each component."""
    table = read_frame(scores, SCORES)
    table = table[table["metric"].isin(components.values())]
    table = table.assign(value=table["value"].where(table["status"] == OK))
    wide = table.pivot(index=["generator", "item"], columns="metric", values="value")
    return wide.reindex(columns=list(components.values())).set_axis(list(components), axis=1)


def _classes(row: Mapping[str, float], step: float) -> set[str]:
    """Return what the camera did, of ``ASKED``.

    The edges lie half a shorter side from the middle, whatever the picture's proportions.
    """
    turn = math.exp(row["zoom"]) * complex(1, 0)
    found = set(classify(GlobalMove(turn, complex(-row["pan"], row["tilt"])), step=step))
    if abs(math.radians(row["rotation"])) / 2 > step:
        found = (found - {"static"}) | {ROTATE}
    return found


def _adherence(generator: str, source: str, asked: str, classes: pd.Series) -> dict:
    """Return the row of one move that was asked for, of which a video is known.

    In the confusion, a video with several moves counts for each by its share.
    """
    followed = sum(asked in each for each in classes)
    low, high = binomtest(followed, len(classes)).proportion_ci(method="wilson")
    measured = dict.fromkeys((*ASKED, OTHER), 0.0)
    for each in classes:
        for move in each or {OTHER}:
            measured[move] += 1 / max(len(each), 1)
    return {
        "generator": generator,
        "source": source,
        "asked": asked,
        "items": len(classes),
        "followed": followed,
        "adherence": followed / len(classes),
        "low": low,
        "high": high,
        "measured": list(measured.items()),
    }


def _strength(wide: pd.DataFrame, typed: pd.Series, generators: Sequence[str]) -> Iterator[dict]:
    """Yield how strongly videos move for each number that users typed; null where they typed none."""
    table = wide["strength"].dropna().reset_index()
    table["motion"] = table["item"].map(typed)
    for generator in generators:
        own = table[table["generator"] == generator]
        for motion, group in own.groupby("motion", dropna=False):
            spread = group["strength"].sem() if len(group) > 1 else math.nan
            yield {
                "generator": generator,
                "motion": None if pd.isna(motion) else int(motion),
                "items": len(group),
                "strength": group["strength"].mean(),
                "error": None if pd.isna(spread) else spread,
            }


if __name__ == "__main__":
    run_job(measure_camera, snakemake)
