"""Detectors that see a clip of a video, fitted on the training part of TIP-ID."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms
from transformers import CLIPVisionModel, Dinov2Model, XCLIPVisionModel

from scripts.common.errors import Rejected, UserError
from scripts.detect.metrics import threshold_of
from scripts.models.devices import pick_device, prepare_torch
from scripts.models.pixels import IMAGENET
from scripts.models.weights import load_exactly, load_pretrained, read_tensors, rename_keys

State = dict[str, torch.Tensor]


class ClipDetector:
    """What they share: frames go through a network, what describes the clip is judged by a fit.

    A score is one half at the threshold, above which there is a given share of the real training
    videos and no more; only these fix it, and its scale.
    """

    size = 224

    def __init__(self, network: nn.Module, false_alarms: float, device: str):
        """Take the network, whose weights are not changed, and the share that is above."""
        self._false_alarms = false_alarms
        self._device = pick_device(device)
        self._network = network.eval().to(self._device)
        self._fitted: State = {}

    def describe(self, clips: Sequence[torch.Tensor]) -> np.ndarray:
        """Return what tells clips apart, of each clip that ``prepare`` returned."""
        return np.stack([self.numbers(self._tokens(clip)).numpy() for clip in clips])

    def fit(self, numbers: np.ndarray, generated: np.ndarray, path: Path, *, seed: int) -> None:
        """Write what ``fitted`` reads: how numbers of training videos become scores.

        Args:
            numbers: of shape (videos, numbers of each), from ``describe``.
            generated: whether each is generated, of shape (videos,).
            path: safetensors to write.
            seed: of what is random.
        """
        state = self.learn(numbers, generated, seed)
        real = self.evidence(numbers[~generated], state)
        fixed = {"threshold": threshold_of(real, self._false_alarms), "spread": real.std() + 1e-12}
        state |= {name: torch.tensor([value], dtype=torch.float64) for name, value in fixed.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: value.contiguous() for name, value in state.items()}, path)

    def fitted(self, path: Path) -> Self:
        """Return the detector as it was fitted.

        Raises:
            UserError: the file is missing or damaged.
        """
        self._fitted = read_tensors(path)
        return self

    def score(self, clips: Sequence[torch.Tensor]) -> np.ndarray:
        """Return scores of shape (clips,) in [0, 1], 1 for generated, of clips from ``prepare``."""
        return self.judge(self.describe(clips), self._fitted)

    @torch.inference_mode()
    def _tokens(self, clip: torch.Tensor) -> torch.Tensor:
        return self.embed(clip.to(self._device)).double().cpu()

    def embed(self, frames: torch.Tensor) -> torch.Tensor:
        """Return a vector of each frame (frames, 3, size, size): its pooled output."""
        return self._network(pixel_values=frames).pooler_output

    def numbers(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the clip's numbers, of its frames' vectors."""
        raise NotImplementedError

    def learn(self, numbers: np.ndarray, generated: np.ndarray, seed: int) -> State:
        """Return what is learnt before the threshold is fixed, by name; here nothing."""
        return {}

    def evidence(self, numbers: np.ndarray, learnt: State) -> np.ndarray:
        """Return how much speaks for generated, of shape (clips,), of any scale."""
        raise NotImplementedError

    def judge(self, numbers: np.ndarray, fitted: State) -> np.ndarray:
        """Return scores in [0, 1] of numbers, one half at the threshold."""
        above = self.evidence(numbers, fitted) - fitted["threshold"].item()
        return 1 / (1 + np.exp(-above / fitted["spread"].item()))


ENCODERS = {"clip": CLIPVisionModel, "x_clip": XCLIPVisionModel, "dinov2": Dinov2Model}


class D3(ClipDetector):
    """D3 (Zheng et al., Training-free detection by second-order features, 2025).

    As in https://github.com/Zig-HS/D3: 8 frames a second, of which the first 16 are seen, or 8 where
    there are fewer; a tenth of the longer side goes at both ends, the rest is resized to a square;
    blue and red stand in each other's place, as OpenCV reads pictures, and ImageNet's normalisation
    is used whatever the network. A clip's number is the standard deviation of the second differences
    of its frames' embeddings: of the changes of the distance (or cosine) from frame to frame.
    The authors begin anywhere in a video of more than 3 s, here it is at its start. They publish no
    threshold, only that generated videos have smaller numbers.
    """

    rate, counts = 8.0, (16, 8)

    def __init__(
        self,
        weights: Mapping[str, str],
        *,
        encoder: str,
        distance: str,
        false_alarms: float,
        device: str = "auto",
    ):
        """Load the network.

        Args:
            weights: 'hub' and 'revision', or 'path', in transformers' layout.
            encoder: clip, x_clip or dinov2.
            distance: l2 or cos.
            false_alarms: share of real training videos that are taken for generated.

        Raises:
            UserError: weights or a setting are at fault.
        """
        for what, value, known in (
            ("encoder", encoder, ENCODERS), ("distance", distance, ("l2", "cos")),
        ):  # fmt: skip
            if value not in known:
                raise UserError(
                    f"config/detectors.yaml: '{what}' is {value!r}; it may be one of: {', '.join(known)}"
                )
        load = partial(ENCODERS[encoder].from_pretrained, local_files_only=True)
        super().__init__(load_pretrained(load, weights), false_alarms, device)
        self._distance = distance

    @classmethod
    def seen_frames(cls, frames: int, fps: float) -> list[int]:
        """Return the numbers of the frames that a clip of a video has.

        Raises:
            Rejected: too_short, for fewer than 8.
        """
        step = max(fps, cls.rate) / cls.rate
        there = [int(number * step + 1e-6) for number in range(cls.counts[0])]
        there = [number for number in there if number < frames]
        for count in cls.counts:
            if len(there) >= count:
                return there[:count]
        raise Rejected("too_short", f"{frames} frames")

    def prepare(self, frames: np.ndarray) -> torch.Tensor:
        """Return uint8 RGB frames (frames, height, width, 3) as the network takes them."""
        height, width = frames.shape[1:3]
        rows, columns = (0, int(width * 0.1)) if width > height else (int(height * 0.1), 0)
        middle = frames[:, rows : height - rows, columns : width - columns, ::-1]
        pixels = torch.from_numpy(np.ascontiguousarray(middle)).permute(0, 3, 1, 2).float() / 255
        side = (self.size, self.size)
        resized = functional.interpolate(pixels, side, mode="bilinear", align_corners=False)
        return transforms.normalize(resized, *IMAGENET)

    def numbers(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return one number, of shape (1,)."""
        before, after = vectors[:-1], vectors[1:]
        if self._distance == "l2":
            change = (before - after).norm(dim=-1)
        else:
            change = functional.cosine_similarity(before, after, dim=-1)
        return change.diff().std()[None]

    def evidence(self, numbers: np.ndarray, learnt: State) -> np.ndarray:
        """Return what falls with the number, on a logarithmic scale."""
        return -np.log(numbers[:, 0] + 1e-12)


class ReStraV(ClipDetector):
    """ReStraV (Interno et al., Detection via perceptual straightening, 2025).

    As in https://github.com/ChristianInterno/ReStraV: 24 frames over 2 s in the middle of a video,
    the last one again where it ends before; each resized to a square (bicubic, antialiased), not
    normalised; all tokens of DINOv2's ViT-S/14 after its last norm are one vector. A clip's 21 numbers are
    the first 7 distances and the first 6 angles (degrees) of the frames' path, and mean, smallest,
    largest and variance of all its distances, and of all its angles. A network of two hidden layers
    learns from them, with as many real as generated videos. The authors' threshold, that of the best
    F1 of what was learnt from, is not taken: it depends on the generated videos.
    """

    frames, seconds = 24, 2.0
    hidden, epochs, batch_size, rate = (64, 32), 10, 32, 1e-3

    def __init__(self, weights: Mapping[str, str], *, false_alarms: float, device: str = "auto"):
        """Load DINOv2 at ``weights`` (hub and revision, or path), in transformers' layout.

        Args:
            weights: hub and revision, or path.
            false_alarms: as of ``D3``.

        Raises:
            UserError: weights are missing.
        """
        load = partial(Dinov2Model.from_pretrained, local_files_only=True)
        network = load_pretrained(load, weights)
        _shrink_positions(network, self.size)
        super().__init__(network, false_alarms, device)

    @classmethod
    def seen_frames(cls, frames: int, fps: float) -> list[int]:
        """Return the numbers of the frames that a clip of a video has.

        Raises:
            Rejected: too_short, for a video of one frame; undecodable, if its rate is not known.
        """
        if frames < 2:
            raise Rejected("too_short", f"{frames} frames")
        if not fps:
            raise Rejected("undecodable", "the frame rate is not known")
        start = max(0.0, frames / fps / 2 - cls.seconds / 2)
        times = start + np.arange(cls.frames) * cls.seconds / (cls.frames - 1)
        return np.minimum(np.floor(times * fps + 1e-6), frames - 1).astype(int).tolist()

    def prepare(self, frames: np.ndarray) -> torch.Tensor:
        """Return uint8 RGB frames (frames, height, width, 3) as the network takes them."""
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 255
        side = [self.size, self.size]
        return transforms.resize(pixels, side, InterpolationMode.BICUBIC, antialias=True)

    def embed(self, frames: torch.Tensor) -> torch.Tensor:
        """Return all tokens of each frame as one vector."""
        return self._network(pixel_values=frames).last_hidden_state.flatten(1)

    def numbers(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return 21 numbers."""
        steps = vectors.diff(dim=0)
        distance = steps.norm(dim=-1)
        cosine = functional.cosine_similarity(steps[:-1], steps[1:], dim=-1).clamp(-1, 1)
        angle = torch.rad2deg(torch.acos(cosine))
        of_all = [
            number
            for path in (distance, angle)
            for number in (path.mean(), path.min(), path.max(), path.var(unbiased=False))
        ]
        return torch.cat([distance[:7], angle[:6], torch.stack(of_all)])

    def learn(self, numbers: np.ndarray, generated: np.ndarray, seed: int) -> State:
        """Return the network's weights, and what normalises its inputs."""
        prepare_torch(1, seed)
        random = np.random.default_rng(seed)
        size = min(generated.sum(), (~generated).sum())
        chosen = np.concatenate(
            [random.permutation(np.flatnonzero(kind))[:size] for kind in (~generated, generated)]
        )
        inputs = torch.from_numpy(numbers[chosen]).float()
        is_real = torch.from_numpy(~generated[chosen]).float()
        mean, deviation = inputs.mean(0), inputs.std(0, unbiased=False) + 1e-8
        inputs, network = (inputs - mean) / deviation, self._layers()
        optimiser = torch.optim.Adam(network.parameters(), lr=self.rate)
        for _ in range(self.epochs):
            for part in torch.from_numpy(random.permutation(len(chosen))).split(self.batch_size):
                optimiser.zero_grad()
                logits = network(inputs[part])[:, 0]
                functional.binary_cross_entropy_with_logits(logits, is_real[part]).backward()
                optimiser.step()
        fixed = {"mean": mean, "deviation": deviation}
        return fixed | {f"network.{name}": value for name, value in network.state_dict().items()}

    def evidence(self, numbers: np.ndarray, learnt: State) -> np.ndarray:
        """Return the network's logits of generated."""
        network = self._layers()
        load_exactly(network, rename_keys(learnt, [(r"network\.", "")]), "what ReStraV learnt")
        inputs = (torch.from_numpy(numbers).float() - learnt["mean"]) / learnt["deviation"]
        with torch.inference_mode():
            return -network(inputs)[:, 0].double().numpy()

    def _layers(self) -> nn.Sequential:
        first, second = self.hidden
        return nn.Sequential(
            nn.Linear(21, first),
            nn.ReLU(),
            nn.Linear(first, second),
            nn.ReLU(),
            nn.Linear(second, 1),
        )


def _shrink_positions(network: Dinov2Model, size: int) -> None:
    """Fit DINOv2's positions to smaller pictures as its own code does.

    That adds a tenth of a patch to the side, from which transformers' interpolation differs.
    """
    embeddings = network.embeddings
    side = size // network.config.patch_size
    first, grid = embeddings.position_embeddings.data.split(
        [1, embeddings.position_embeddings.shape[1] - 1], dim=1
    )
    before = round(grid.shape[1] ** 0.5)
    if before == side:
        return
    grid = grid.reshape(1, before, before, -1).permute(0, 3, 1, 2)
    factor = (side + 0.1) / before
    grid = functional.interpolate(grid, scale_factor=(factor, factor), mode="bicubic")
    grid = grid.permute(0, 2, 3, 1).flatten(1, 2)
    embeddings.position_embeddings = nn.Parameter(torch.cat([first, grid], dim=1))
    embeddings.patch_embeddings.num_patches = side**2
