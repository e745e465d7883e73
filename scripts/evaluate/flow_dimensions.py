"""What is scored on optical flow, whichever network or procedure gives it: once for all of them."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scripts.common.errors import Rejected, UserError
from scripts.common.roles import EvaluationItem
from scripts.common.schemas.evaluate import COMPONENTS
from scripts.evaluate import movement
from scripts.evaluate.camera_requests import asked_in_text
from scripts.evaluate.global_motion import (
    MOVES,
    GlobalMove,
    classify_tracked,
    fit_move,
    moves_together,
)
from scripts.evaluate.unscorable import require_frames

ASKED = "asked"
"""What of a camera's motion is no number of its own, but whether it is what the prompt asks for."""


@dataclass(frozen=True)
class PairMotion:
    """What the flow between two frames says.

    Attributes:
        size: height and width of the frames whose flow it is, in pixels, without padding.
        strongest: ``strongest_motion``, in pixels.
        move: of the picture as a whole.
    """

    size: tuple[int, int]
    strongest: float
    move: GlobalMove


class FlowDimension(ABC):
    """A dimension on the flow between frames an eighth of a second apart."""

    what: Hashable
    """All that decides the flow: dimensions that agree in it share it."""

    def prepared(self, frame: np.ndarray) -> np.ndarray:
        """Return a frame, uint8 RGB, as the flow is worked out on it: by default as it is."""
        return frame

    @abstractmethod
    def flow(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return the displacement between prepared frames: (2, height, width), x and y, pixels."""

    def motions(self, item: EvaluationItem) -> list[PairMotion]:
        """Return the motion between neighbouring kept frames, worked out once for all dimensions.

        Raises:
            Rejected: too_few_frames, or what ``flow`` raises.
        """
        kept = item.frames[:: movement.frame_step(item.fps)]
        require_frames(len(kept), 2)
        return item.shared(("motions", self.what), lambda: self._motions(kept))

    def _motions(self, kept: np.ndarray) -> list[PairMotion]:
        found = []
        for before, after in itertools.pairwise(map(self.prepared, kept)):
            flow = self.flow(before, after)
            strongest = movement.strongest_motion(flow)
            found.append(PairMotion(before.shape[:2], strongest, fit_move(flow)))
        return found


class DynamicDegreeRule(FlowDimension):
    """VBench's dynamic degree: whether a video moves."""

    def score(self, item: EvaluationItem) -> float:
        """Return 1 if the video moves, else 0; errors as ``motions``."""
        motions = self.motions(item)
        threshold = movement.moving_threshold(*motions[0].size)
        needed = movement.needed_pairs(len(motions) + 1)
        return float(movement.is_moving([each.strongest for each in motions], threshold, needed))


class CameraMotionRule(FlowDimension):
    """One component of what the camera did from the first frame to the last, or how strong all is.

    ``pan`` to the right and ``tilt`` up in shorter sides of the picture, ``zoom`` in as a natural
    logarithm, ``rotation`` of the scene clockwise in degrees; ``strength`` is the
    strongest motion between frames an eighth of a second apart, the median, in shorter sides.
    ``asked`` is the suite's dimension (VBench-I2V, ``camera_motion``): the share of the moves named
    by the prompt that the camera does, so 1 or 0 where it names one, as the suite's prompts do. The
    suite tracks points by CoTracker; here they go where the fitted move takes them.
    """

    def __init__(self, *flow: Any, component: str, **settings: Any):
        """Take the component; the rest as the flow's class.

        Raises:
            UserError: there is no such component, or as the flow's class.
        """
        super().__init__(*flow, **settings)
        if component not in (*COMPONENTS, ASKED):
            raise UserError(
                f"there is no component '{component}' of camera motion; 'settings.component' may "
                f"be one of: {', '.join((*COMPONENTS, ASKED))}"
            )
        self._component = component

    def score(self, item: EvaluationItem) -> float:
        """Return the component.

        Raises:
            Rejected: no_move_asked, or what ``motions`` raises.
        """
        asked = asked_in_text(item.prompt).intersection(MOVES)
        if self._component == ASKED and not asked:
            raise Rejected("no_move_asked")
        motions = self.motions(item)
        if self._component == "strength":
            return float(np.median([each.strongest / min(each.size) for each in motions]))
        whole = moves_together(each.move for each in motions)
        if self._component == ASKED:
            height, width = item.frames.shape[1:3]
            return len(asked & classify_tracked(whole, height, width)) / len(asked)
        return getattr(whole, self._component)
