"""The state of a training run, on disk: what a killed run resumes from."""

import os
from pathlib import Path
from typing import Any

import torch

from scripts.common.errors import UserError
from scripts.trace.cosface_learner import Learner


class TrainingState:
    """Everything that the next step depends on: network, head, optimiser, average, table.

    What is random needs no state, since it derives from the seed and the number of the step.
    The file is whole at any moment, and holds tensors and plain values only.

    Attributes:
        row_start: steps that were done when the unfinished row of the table began.
        sums: loss and accuracy of the unfinished row, shape (2,): of this process.
    """

    def __init__(self, path: Path, learner: Learner, device: torch.device):
        """Name the file, and what is kept in it.

        Args:
            path: the file; only the first process writes it.
            learner: what is trained.
            device: where it is.
        """
        self._path, self._learner = path, learner
        self.row_start = 0
        self.sums = torch.zeros(2, device=device)

    def save(self, done: int, rows: list[dict[str, Any]], sums: torch.Tensor) -> None:
        """Write the state after so many steps.

        Args:
            done: steps.
            rows: of the training table.
            sums: of the unfinished row, over all processes.
        """
        average = self._learner.average
        if average is None:
            return
        state = {
            "done": done,
            "network": self._learner.network.state_dict(),
            "head": self._learner.head.state_dict(),
            "optimiser": self._learner.optimiser.state_dict(),
            "average": average.state,
            "updates": average.updates,
            "rows": rows,
            "row_start": self.row_start,
            "sums": sums,
        }
        # One name, so that killed runs leave no more than one unfinished file behind.
        unfinished = self._path.with_name(f"{self._path.name}.unfinished")
        with open(unfinished, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, self._path)

    def resume(self) -> tuple[int, list[dict[str, Any]]]:
        """Load what an earlier run left; return the steps that it had done, and its rows.

        Raises:
            UserError: the file is damaged.
        """
        if not self._path.is_file():
            return 0, []
        learner = self._learner
        try:
            state = torch.load(self._path, map_location="cpu", weights_only=True)
            learner.network.load_state_dict(state["network"])
            learner.head.load_state_dict(state["head"])
            learner.optimiser.load_state_dict(state["optimiser"])
        except Exception as error:
            raise UserError(
                f"{self._path}, the state of a killed training, cannot be read "
                f"({str(error).splitlines()[0]}); delete it to train from the start"
            ) from None
        if learner.average is not None:
            learner.average.load(state["average"], state["updates"])
            self.sums.copy_(state["sums"])
        self.row_start = state["row_start"]
        return state["done"], state["rows"]

    def remove(self) -> None:
        """Delete the file: the run is over."""
        if self._learner.average is not None:
            self._path.unlink(missing_ok=True)
