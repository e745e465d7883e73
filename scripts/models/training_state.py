"""The state of a training run, on disk: what a killed run resumes from."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from scripts.common.errors import UserError
from scripts.models.training_processes import process_of_group

if TYPE_CHECKING:
    from scripts.models.training import Learner


@dataclass
class Run:
    """How far a training is.

    Attributes:
        sums: of the unfinished row of the curve: what the lesson returned, in this process.
        done: steps.
        rows: of the curve: step, learning rate, and the means of what the lesson returned.
        row_start: steps that were done when the unfinished row began.
        skipped: item -> reason of what could not be used.
    """

    sums: torch.Tensor
    done: int = 0
    rows: list[list[float]] = field(default_factory=list)
    row_start: int = 0
    skipped: dict[str, str] = field(default_factory=dict)


class TrainingState:
    """Everything that the next step depends on: lesson, optimiser, average, curve.

    What is random needs no state, since it derives from the seed and the number of the step.
    The file is whole at any moment, and holds tensors and plain values only.
    """

    def __init__(self, path: Path):
        """Name the file; only the first process writes it."""
        self._path = path

    def save(
        self, learner: "Learner", run: Run, sums: torch.Tensor, skipped: dict[str, str]
    ) -> None:
        """Write the state.

        Args:
            learner: what is trained.
            run: how far it is.
            sums: of the unfinished row, over all processes.
            skipped: by any process.
        """
        if process_of_group()[0]:
            return
        average = learner.average
        state = {
            "lesson": learner.lesson.state_dict(),
            "optimiser": learner.optimiser.state_dict(),
            "average": average and average.state,
            "updates": average and average.updates,
            "done": run.done,
            "rows": run.rows,
            "row_start": run.row_start,
            "sums": sums,
            "skipped": skipped,
        }
        # One name, so that killed runs leave no more than one unfinished file behind.
        unfinished = self._path.with_name(f"{self._path.name}.unfinished")
        with open(unfinished, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, self._path)

    def resume(self, learner: "Learner") -> Run:
        """Load what an earlier run left, if it left anything.

        Raises:
            UserError: the file is damaged.
        """
        run = Run(torch.zeros(learner.lesson.values, device=learner.device))
        if not self._path.is_file():
            return run
        try:
            state = torch.load(self._path, map_location="cpu", weights_only=True)
            learner.lesson.load_state_dict(state["lesson"])
            learner.optimiser.load_state_dict(state["optimiser"])
        except Exception as error:
            raise UserError(
                f"{self._path}, the state of a killed training, cannot be read "
                f"({str(error).splitlines()[0]}); delete it to train from the start"
            ) from None
        if learner.average is not None:
            learner.average.load(state["average"], state["updates"])
        if process_of_group()[0] == 0:
            run.sums.copy_(state["sums"])
        run.done, run.rows, run.row_start = state["done"], state["rows"], state["row_start"]
        run.skipped = state["skipped"]
        return run
