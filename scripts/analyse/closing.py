"""The last words of a run: what it kept of what it read, the largest reasons, where to look."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from scripts.analyse.funnel import Kept, in_words, read_funnel, read_log, sum_up
from scripts.common.study import STAGES

FUNNEL = Path("results/tables/funnel.csv")
ACCOUNT = "account"
"""The rule that writes the funnel."""

ACCOUNTED = STAGES[: STAGES.index("analyse")]
"""Stages that have an account, in the order of the graph; the others show what these made."""

COUNTED_APART = ("score_watermarks",)
"""Rules that reject what stays in the data set."""

_STEPS = 3
_WARNINGS = 8


@dataclass(frozen=True)
class Job:
    """A job that was done in this run.

    Attributes:
        rule: its name.
        stage: the room of its script; empty where it has none.
        part: its wildcards but for the shard, such as a generator.
        log: its log, if it has one.
    """

    rule: str
    stage: str
    part: str
    log: Path | None


def jobs_done(dag: Any) -> list[Job]:
    """Return what was done in a run.

    Args:
        dag: Snakemake's graph of jobs.
    """
    finished = set(dag.finished_jobs)
    planned = dag.needrun_jobs(exclude_finished=False)
    return [_job(job) for job in planned if job in finished]


def _job(job: Any) -> Job:
    script = job.rule.script
    wildcards = (value for name, value in job.wildcards.items() if name != "shard")
    return Job(
        rule=job.rule.name,
        stage=Path(script).parent.name if script else "",
        part=" ".join(wildcards),
        log=Path(job.log[0]) if job.log else None,
    )


def last_words(jobs: Iterable[Job], directory: Path = Path()) -> tuple[list[str], list[str]]:
    """Return the account of a run in a few lines, and warnings of what kept nothing of something.

    A run that made the account is told by it. Any other is told by the last lines of the logs of
    its jobs, and then what earlier runs had done is not counted.

    Args:
        jobs: that were done in this run, if it is over or if it failed.
        directory: the run's working directory.

    Returns:
        Lines and warnings; none where no job worked on items.
    """
    jobs = list(jobs)
    if any(job.rule == ACCOUNT for job in jobs) and (directory / FUNNEL).exists():
        parts, source = read_funnel(directory / FUNNEL), f"{FUNNEL}, and logs/<rule> for each job"
    else:
        logs = [(job, directory / job.log) for job in jobs if job.log and job.stage in ACCOUNTED]
        found = [
            read_log(log, job.stage, job.rule, job.part)
            for job, log in sorted(logs, key=lambda pair: _written(pair[1]))
        ]
        parts = sorted(filter(None, found), key=lambda part: ACCOUNTED.index(part.stage))
        source = "logs/<rule>; 'snakemake tables' adds the whole graph up"
    if not parts:
        return [], []
    lines = ["What came of it, kept of read:"]
    for stage, steps in groupby(sum_up(parts), key=lambda step: step.stage):
        lines += _lines_of_stage(stage, list(steps))
    return [*lines, f"  where to look: {source}"], list(_warnings(parts))


def _written(log: Path) -> float:
    return log.stat().st_mtime if log.exists() else 0.0


def _lines_of_stage(stage: str, steps: Sequence[Kept]) -> Iterable[str]:
    """Yield a line for each step that lost a large share, or one for a stage that lost nothing."""
    losing = sorted((step for step in steps if step.reasons), key=_share_kept)
    if not losing:
        others = f", and all that {len(steps) - 1} more steps read" if steps[1:] else ""
        yield f"  {stage:9} all {steps[0].read:,} {steps[0].unit or 'items'}{others}"
    name = stage
    for step in sorted(losing[:_STEPS], key=steps.index):
        yield f"  {name:9} {step.step} {step.sentence()}: {in_words(step.largest_first)}"
        name = ""
    if len(losing) > _STEPS:
        yield f"  {name:9} and {len(losing) - _STEPS} more that rejected a smaller share"


def _share_kept(step: Kept) -> float:
    return step.kept / max(1, step.read)


def _warnings(parts: Iterable[Kept]) -> Iterable[str]:
    bare = [
        part
        for part in sum_up(parts, by_part=True)
        if part.read and not part.kept and part.step not in COUNTED_APART
    ]
    for part in bare[:_WARNINGS]:
        name = f"{part.step} {part.part}".strip()
        yield (
            f"WARNING: {name} kept NONE of {part.read:,} {part.unit or 'items'} "
            f"({in_words(part.largest_first)}): what is made from them is empty, and no data set "
            f"is published without rows; see logs/{part.step}"
        )
    if len(bare) > _WARNINGS:
        yield f"WARNING: {len(bare) - _WARNINGS} more steps kept nothing of what they read"
