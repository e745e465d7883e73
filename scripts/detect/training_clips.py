"""The clips of a training run: which video each sample is, and where its frames come from."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from scripts.common.errors import Rejected, UserError
from scripts.common.identity import derived_seed
from scripts.common.schemas.detect import CLASSES
from scripts.common.video import read_frames
from scripts.detect.clips import ClipSettings, random_clip, training_input
from scripts.detect.tip_id import Video
from scripts.models.training import Batch

Sample = tuple[torch.Tensor, int, tuple[tuple[str, str], ...]]
"""A clip, its class, and (uuid, reason) of videos in whose place it came."""


class FrameStore:
    """Frames of training videos, decoded once and held while there is memory for them.

    What does not fit is decoded each time, so the limit decides about time and never about
    results.
    """

    def __init__(
        self,
        read: Callable[[Video], bytes],
        settings: ClipSettings,
        limit_bytes: int,
        held: dict[Video, np.ndarray] | None = None,
    ):
        """Hold up to ``limit_bytes`` of frames, reduced as ``settings`` say; 0 holds none.

        What a store of the same settings ``held`` before is not decoded again; more is added to it.
        """
        self._read, self._settings = read, settings
        self._held = {} if held is None else held
        self._left = limit_bytes - sum(frames.nbytes for frames in self._held.values())

    def frames(self, video: Video, indices: Sequence[int]) -> np.ndarray:
        """Return frames as uint8 RGB of shape (frames, height, width, 3).

        Raises:
            Rejected: the video cannot be had or decoded.
        """
        if video in self._held:
            return self._held[video][list(indices)]
        data = self._read(video)
        size = self._settings.decoded_size(video.width, video.height)
        width, height = size or (video.width, video.height)
        needed = video.frames * width * height * 3
        if needed > self._left:
            return read_frames(data, indices, size)
        frames = read_frames(data, size=size)
        self._held[video] = frames
        self._left -= frames.nbytes
        return frames[list(indices)]


class TrainingClips(torch.utils.data.Dataset):
    """Sample number n of a training run: a clip and its class, the same on every machine.

    The classes take turns, or all videos are one pool. Within a pool every video comes once before
    any comes again; the order of each pass, the window, the
    scale, the crop and the mirroring derive from the seed and n. A run that resumes, or has other
    workers, therefore sees the same samples.
    """

    def __init__(
        self,
        videos: Sequence[Video],
        store: FrameStore,
        settings: ClipSettings,
        *,
        samples: int,
        seed: int,
        balanced: bool = True,
    ):
        """Take the training videos.

        Args:
            videos: of all classes, in any order.
            store: where their frames are.
            settings: how clips are made.
            samples: in the whole run.
            seed: of the run.
            balanced: whether the classes take turns.

        Raises:
            UserError: a class has no video.
        """
        self._store, self._settings, self._samples, self._seed = store, settings, samples, seed
        ordered = sorted(videos, key=lambda video: (video.source, video.uuid))
        classes = [[video for video in ordered if video.label == name] for name in CLASSES]
        self._pools = classes if balanced else [ordered]
        for name, members in zip(CLASSES, classes, strict=True):
            if not members:
                raise UserError(
                    f"TIP-ID has no training video of the class {name}; add a source to "
                    "split.tip_id, or lower split.tip_id.test_share"
                )

    def __len__(self) -> int:
        return self._samples

    def __getitem__(self, number: int) -> Sample | str:
        """Return the clip, its class, and the (uuid, reason) of videos that cannot be used.

        In place of such a video comes the next one of the pool; a sentence if there is none,
        since an error that leaves a worker comes as its whole traceback.
        """
        position, pool = divmod(number, len(self._pools))
        rng = np.random.default_rng(derived_seed(self._seed, "clip", number))
        skipped = []
        for step in range(len(self._pools[pool])):
            video = self._drawn(pool, position, step)
            try:
                if not video.frames:
                    raise Rejected("no_video")
                indices = random_clip(video.frames, video.fps, self._settings, rng)
                frames = self._store.frames(video, indices)
            except Rejected as error:
                skipped.append((video.uuid, error.reason))
                continue
            kind = CLASSES.index(video.label)
            return training_input(frames, self._settings, rng), kind, tuple(skipped)
        return f"no training video of the class {video.label} can be decoded"

    def _drawn(self, pool: int, position: int, step: int) -> Video:
        members = self._pools[pool]
        turn, place = divmod(position, len(members))
        # Drawn anew for each sample: a millisecond for 90,000 videos, a hundredth of the decoding.
        order = np.random.default_rng(derived_seed(self._seed, "order", pool, turn))
        return members[order.permutation(len(members))[(place + step) % len(members)]]


def collate(samples: Sequence[Sample | str]) -> Batch:
    """Return clips (batch, frames, 3, size, size) and classes (batch,), and what was skipped."""
    for sample in samples:
        if isinstance(sample, str):
            return sample
    clips, kinds, skipped = zip(*samples, strict=True)
    return (torch.stack(clips), torch.tensor(kinds)), [item for items in skipped for item in items]
