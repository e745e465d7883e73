"""A rule's script as a job: what the rule has by some name goes to the argument of that name.

A script ends with ``if __name__ == "__main__": run_job(function, snakemake)``, and nothing above
that line knows of Snakemake.
"""

import inspect
import os
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from scripts.common.rule_log import Counts, rule_log


def run_job(function: Callable[..., Counts], job: Any, **others: Any) -> None:
    """Call a function with what its rule has, and close the log, which records the job.

    An argument gets the rule's output, input, parameter or wildcard of its name (the first there
    is), as ``Path``, list of ``Path`` or ``int`` where its annotation says so. Some names are known
    besides: ``device`` is ``auto`` where the rule asks for a GPU, else ``cpu``; ``gpus`` is how many
    it asks for, and ``devices`` the same, but at least one; ``threads`` are the rule's; ``note``
    takes lines for the log; ``faces`` are the forms of a table or figure, whose provenance states
    parameters that the function need not take. An argument with a default may be missing.

    A rule with a parameter ``lots`` (``scripts.common.lots``) has the function called for each of
    them, with what it alone has besides.

    Args:
        function: returns the counts that close the log.
        job: the object ``snakemake`` of a script.
        others: arguments that no rule has by name.

    Raises:
        TypeError: the rule has nothing for an argument, or a parameter that no argument takes.
    """
    # Read by what starts its threads when it is first imported, such as PyTorch: else each of the
    # jobs side by side takes all cores.
    os.environ["OMP_NUM_THREADS"] = str(job.threads)
    with rule_log(job) as log:
        lots = job.params.get("lots", [{}])
        told = [arguments_of(function, job, lot, note=log.info, **others) for lot in lots]
        log.finish(sum((function(**one) for one in told), Counts()))


def files_of(named: Any) -> dict[str, list[Path]]:
    """Return the files that a rule has by some names, each of which may be one or several."""
    lists = {name: [one] if isinstance(one, str) else one for name, one in named.items()}
    return {name: list(map(Path, found)) for name, found in lists.items()}


def arguments_of(
    function: Callable, job: Any, lot: Mapping[str, Any] = MappingProxyType({}), **others: Any
) -> dict[str, Any]:
    """Return the arguments that ``run_job`` passes to a function, for one of a job's lots."""
    gpus = job.resources.get("gpu", 0)
    known = {"device": "auto" if gpus else "cpu", "devices": max(1, gpus), "gpus": gpus}
    stated = dict(job.output.items()).get("provenance")
    known |= {"threads": job.threads, "faces": [name for name in job.output if name != stated]}
    for values in (job.wildcards, job.params, job.input, job.output):
        known |= dict(values.items())
    known |= lot
    wanted = inspect.signature(function).parameters
    idle = [] if stated else sorted(set(job.params.keys()) - set(wanted) - {"code", "lots"})
    missing = sorted(
        name
        for name, one in wanted.items()
        if name not in known | others and one.default is one.empty
    )
    if idle or missing:
        fault = f"takes no '{idle[0]}'" if idle else f"wants '{missing[0]}', which the rule lacks"
        raise TypeError(f"{function.__name__} {fault}; rule {job.rule} and it must agree")
    kinds = typing.get_type_hints(function)
    # What a script says itself comes before its rule, and as it is.
    said = {name: value for name, value in others.items() if name in wanted}
    return said | {
        name: _as(kinds.get(name), known[name])
        for name in wanted
        if name in known and name not in said
    }


def _as(kind: Any, value: Any) -> Any:
    """Return a value of a rule as an annotation says."""
    parts = [kind, *typing.get_args(kind)]  # some of which cannot be hashed
    if typing.get_origin(kind) in (list, Sequence) and Path in parts:
        return [Path(one) for one in ([value] if isinstance(value, str) else value)]
    if Path in parts:
        return Path(value) if isinstance(value, str) else next(map(Path, value), None)
    return int(value) if kind is int else value
