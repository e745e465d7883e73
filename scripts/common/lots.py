"""Lots: what one job of a rule makes, which is one lot or all of them, one after the other.

A process takes seconds to start and to import what it needs. Where a lot takes less than that, as
in the demo, a stage's setting ``jobs: together`` has a single job make all lots of a rule. The
rule's function makes one lot, and knows nothing of the others (``scripts.common.job.run_job``).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any


class Lot(dict):
    """Wildcards of a lot, as input functions take them."""

    __getattr__ = dict.__getitem__


@dataclass(frozen=True)
class Lots:
    """The lots of a rule.

    Attributes:
        wildcards: of each lot.
        files: argument -> name of the file that a lot makes, with wildcards in it.
        inputs: takes a lot's wildcards; argument -> a file that it reads, or several.
        settings: takes a lot's wildcards; argument -> what else it alone has.
        together: whether one job makes all lots.
    """

    wildcards: Sequence[Mapping[str, str]]
    files: Mapping[str, str]
    inputs: Callable[[Any], Mapping[str, str | Sequence[str]]]
    settings: Callable[[Any], Mapping[str, Any]] = lambda wildcards: {}
    together: bool = False

    @property
    def outputs(self) -> dict[str, str | list[str]]:
        """The rule's outputs."""
        if not self.together:
            return dict(self.files)
        lots = self.wildcards
        return {name: [file.format(**lot) for lot in lots] for name, file in self.files.items()}

    def reads(self, wildcards: Any) -> list[str]:
        """Return every file that a job reads."""
        files = chain(*(self.inputs(lot).values() for lot in self._of(wildcards)))
        return list(
            dict.fromkeys(chain(*([one] if isinstance(one, str) else one for one in files)))
        )

    def arguments(self, wildcards: Any) -> list[dict[str, Any]]:
        """Return the arguments that each lot of a job has for itself: a rule's parameter ``lots``."""
        return [
            {name: file.format(**lot) for name, file in self.files.items()}
            | {**lot, **self.inputs(lot), **self.settings(lot)}
            for lot in self._of(wildcards)
        ]

    def log(self, name: str) -> str:
        """Return a name with the wildcards of the rule's jobs, of a log or a benchmark."""
        found = dict.fromkeys(re.findall(r"{(\w+)}", next(iter(self.files.values()))))
        return name + "".join(f"/{{{wildcard}}}" for wildcard in found if not self.together)

    def _of(self, wildcards: Any) -> list[Lot]:
        return list(map(Lot, self.wildcards)) if self.together else [Lot(wildcards.items())]
