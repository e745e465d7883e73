"""VideoMAE with a head of three classes: built, trained, written, read, asked (Supplement 14)."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import VideoMAEConfig, VideoMAEForVideoClassification, VideoMAEImageProcessor

from scripts.common.errors import UserError
from scripts.common.schemas.detect import CLASSES
from scripts.common.video import read_frames
from scripts.detect.clips import ClipSettings, consecutive_clips, evaluation_input
from scripts.detect.tip_id import Video
from scripts.detect.training_clips import FrameStore, TrainingClips
from scripts.detect.videomae_training import Classifying, RunningSettings, TrainingSettings, load
from scripts.models.devices import mixed_precision, pick_device, prepare_torch
from scripts.models.pixels import IMAGENET
from scripts.models.training import train, write_curve
from scripts.models.training_processes import process_of_group
from scripts.models.training_state import TrainingState
from scripts.models.weights import load_exactly, load_pretrained, read_tensors

_NEW = ("classifier.", "fc_norm.")
"""Layers of the classifier that a pre-trained model does not have."""

_LEFT = ("decoder.", "encoder_to_decoder.", "mask_token")
"""Layers of the pre-trained model that the classifier does not have."""


class VideoMae:
    """The video classifier of Table 4: real, text-generated or image-generated.

    A weights file carries its model's configuration, so that it can be read without the
    pre-trained model.
    """

    def __init__(
        self,
        weights: Mapping[str, str] | None,
        *,
        clip: Mapping[str, Any],
        training: Mapping[str, Any],
        running: Mapping[str, Any],
        model: Mapping[str, Any],
        device: str = "auto",
        threads: int = 1,
    ):
        """Take the settings of an entry; nothing is loaded yet.

        Args:
            weights: 'hub' and 'revision', or 'path', of a pre-trained model; none begins from
                random weights.
            clip: see ``ClipSettings``.
            training: see ``TrainingSettings``.
            running: see ``RunningSettings``.
            model: fields of transformers' VideoMAEConfig that differ from the pre-trained model's,
                or from its defaults.
            device: cpu, cuda or auto.
            threads: of the CPU; the same number gives the same weights.

        Raises:
            UserError: a setting is unknown or missing.
        """
        self._weights, self._model, self._threads = weights, dict(model), threads
        self._clip = ClipSettings(**clip)
        self._training = TrainingSettings(**training)
        self._running = RunningSettings(**running)
        self._device = pick_device(device)
        if self._clip.short_side[0] < self._clip.size:
            raise UserError(
                "config/detectors.yaml: clip.short_side must not be smaller than clip.size, the "
                "side of the crop"
            )

    def train(
        self,
        videos: Sequence[Video],
        read: Callable[[Video], bytes],
        weights: Path,
        curve: Path,
        *,
        state: Path,
        seed: int,
        held: dict[Video, np.ndarray] | None = None,
    ) -> dict[str, str]:
        """Train on the videos' classes, in this process or as one of its group; write the outputs.

        Args:
            videos: the training videos of all three classes.
            read: returns a video's bytes, or raises ``Rejected``.
            weights: safetensors to write.
            curve: csv to write: iteration, loss, learning_rate.
            state: file of the unfinished training's state, from which a killed one resumes.
            seed: of the run; on the CPU it decides every byte.
            held: frames that were decoded before, to which more are added.

        Returns:
            uuid -> reason of videos that could not be used.

        Raises:
            UserError: the pre-trained model is missing or does not fit, a class has no video, or
                the training diverged.
        """
        prepare_torch(self._threads, seed)
        model, running = self.new_model(), self._running
        course = self._training.course(seed, running.checkpoint_every)
        decoding = max(1, running.workers) * process_of_group()[1]
        clips = TrainingClips(
            videos,
            FrameStore(read, self._clip, running.frames_in_memory_mb * 2**20 // decoding, held),
            self._clip,
            samples=course.steps * course.batch_size,
            seed=seed,
            balanced=self._training.balanced,
        )
        _, run = train(
            Classifying(model),
            course,
            lambda start: load(clips, course, running.workers, start),
            TrainingState(state),
            device=self._device,
            what=f"train {weights.stem}",
        )
        rows = ([number, f"{loss:.6f}", f"{rate:.8g}"] for number, rate, loss in run.rows)
        write_curve(curve, ["iteration", "loss", "learning_rate"], rows)
        if process_of_group()[0] == 0:
            write_model(model, weights)
        return run.skipped

    def new_model(self) -> VideoMAEForVideoClassification:
        """Return the model before its training; the new layers are random.

        Raises:
            UserError: the pre-trained model is missing, does not fit, or expects other pixels.
        """
        heads = {"num_labels": len(CLASSES), "id2label": dict(enumerate(CLASSES))}
        heads["label2id"] = {name: number for number, name in enumerate(CLASSES)}
        sizes = {"image_size": self._clip.size, "num_frames": self._clip.frames}
        if self._weights is None:
            return VideoMAEForVideoClassification(
                VideoMAEConfig(**{**self._model, **heads, **sizes})
            )
        place = self._weights.get("path") or self._weights["hub"]
        local = {"local_files_only": True}
        _check_pixels(
            place, load_pretrained(VideoMAEImageProcessor.from_pretrained, self._weights, **local)
        )
        model, report = load_pretrained(
            VideoMAEForVideoClassification.from_pretrained,
            self._weights,
            **local,
            **self._model,
            **heads,
            output_loading_info=True,
        )
        _check_loading(place, report, pools=model.config.use_mean_pooling)
        for name, wanted in sizes.items():
            if getattr(model.config, name) != wanted:
                raise UserError(
                    f"config/detectors.yaml: clips of {name} {wanted} do not fit {place}, which "
                    f"takes {getattr(model.config, name)}"
                )
        return model.float()

    def test_clips(self, video: Video, read: Callable[[Video], bytes]) -> torch.Tensor:
        """Return a test video's clips, decoded once and ready for any trained model.

        Args:
            video: whose whole windows are seen, one after the other.
            read: returns its bytes, or raises ``Rejected``.

        Returns:
            float32 of shape (clips, frames, 3, size, size).

        Raises:
            Rejected: the video cannot be had or decoded.
        """
        clips = consecutive_clips(video.frames, video.fps, self._clip)
        size = self._clip.decoded_size(video.width, video.height)
        frames = read_frames(read(video), [index for clip in clips for index in clip], size)
        parts = np.split(frames, len(clips))
        return torch.stack([evaluation_input(part, self._clip) for part in parts])

    @torch.inference_mode()
    def classify(
        self, model: torch.nn.Module, videos: Sequence[torch.Tensor], *, batch_size: int
    ) -> list[np.ndarray]:
        """Return the softmax outputs of each video's clips.

        Args:
            model: from ``read_model``.
            videos: of each its clips, from ``test_clips``.
            batch_size: clips per call of the model.

        Returns:
            float64 of shape (clips, classes) of each video, in the order of ``CLASSES``.
        """
        outputs = []
        for clips in torch.cat(list(videos)).split(batch_size):
            with mixed_precision(self._device, self._training.precision):
                logits = model(pixel_values=clips.to(self._device)).logits
            outputs.append(torch.softmax(logits.double(), dim=1).cpu())
        parts = torch.cat(outputs).split([len(clips) for clips in videos])
        return [part.numpy() for part in parts]

    def read_model(self, weights: Path) -> torch.nn.Module:
        """Return a trained model, ready to classify.

        Raises:
            UserError: the file is damaged or of another model.
        """
        torch.set_num_threads(self._threads)
        return read_model(weights).to(self._device)


def write_model(model: VideoMAEForVideoClassification, path: Path) -> None:
    """Write a model's weights and configuration; the same weights give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    config = model.config.to_diff_dict()
    config.pop("transformers_version", None)
    state = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    # One key of metadata: safetensors writes several in no fixed order.
    save_file(state, path, metadata={"config": json.dumps(config, sort_keys=True)})


def read_model(path: Path) -> VideoMAEForVideoClassification:
    """Return the model that ``write_model`` wrote.

    Raises:
        UserError: the file is damaged or of another model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            config = json.loads(file.metadata()["config"])
        model = VideoMAEForVideoClassification(VideoMAEConfig(**config))
        load_exactly(model, read_tensors(path), path)
    except Exception as error:  # the library's own exceptions share no base class
        raise UserError(
            f"{path} holds no trained VideoMAE ({str(error).splitlines()[0]}); delete it and "
            "train again"
        ) from None
    return model.eval()


def _check_loading(place: str, report: Mapping[str, Any], *, pools: bool) -> None:
    """Some versions of transformers lose the attention's biases of this model without an error.

    A classifier that pools has a new norm after the pooling in place of the encoder's last one, as
    in its authors' own fine-tuning (https://github.com/MCG-NJU/VideoMAE, modeling_finetune.py).
    """
    left = (*_LEFT, "videomae.layernorm.") if pools else _LEFT
    lost = [key for key in report["unexpected_keys"] if not key.startswith(left)]
    made_up = [key for key in report["missing_keys"] if not key.startswith(_NEW)]
    if lost or made_up:
        raise UserError(
            f"the pre-trained model {place} does not fit VideoMAE as transformers builds it: "
            f"weight '{sorted([*lost, *made_up])[0]}' has no place or no value; install the "
            "versions of envs/requirements.txt"
        )


def _check_pixels(place: str, processor: VideoMAEImageProcessor) -> None:
    """The library's default is another normalisation than this checkpoint's."""
    found = (*processor.image_mean, *processor.image_std)
    if not np.allclose(found, (*IMAGENET[0], *IMAGENET[1])):
        raise UserError(
            f"the pre-trained model {place} expects pixels normalised by mean "
            f"{tuple(processor.image_mean)} and deviation {tuple(processor.image_std)}, which is "
            "not what clips are normalised by"
        )
