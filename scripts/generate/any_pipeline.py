"""Any image-to-video pipeline of diffusers, as its entry of config/generators.yaml says."""

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
from PIL import Image

from scripts.common.errors import Rejected, UserError
from scripts.common.roles import Sound
from scripts.generate.diffusion import (
    fit_image,
    frames_of,
    load_pipeline,
    load_pretrained,
    seeded,
    sound_of,
)
from scripts.models.devices import pick_device

OWN = ("image", "video", "prompt", "width", "height", "generator", "output_type")
"""Arguments of a call that are no choice of an entry's ``call``."""
KNOWN = {
    "size": ("by", "width", "height", "multiple", "fit"),
    "inputs": ("image", "prompt", "suffix"),
    "output": ("frames", "sound_of"),
    "memory": ("vae_tiling", "vae_slicing", "offload"),
}
"""What the settings of these names may say; anything else would be passed over without a word."""


class AnyPipeline:
    """Animates an image by a pipeline of diffusers; what models differ in stands in the entry."""

    def __init__(
        self,
        weights: Mapping[str, str],
        *,
        pipeline: str,
        call: Mapping[str, Any],
        size: Mapping[str, Any],
        fps: float,
        precision: str = "bfloat16",
        variant: str | None = None,
        parts: Mapping[str, Mapping[str, str]] | None = None,
        scheduler: Mapping[str, Any] | None = None,
        guider: Mapping[str, Any] | None = None,
        inputs: Mapping[str, str] | None = None,
        output: Mapping[str, Any] | None = None,
        memory: Mapping[str, Any] | None = None,
        compiled: bool = False,
        cache: Mapping[str, Any] | None = None,
        device: str = "auto",
    ):
        """Load the weights.

        Args:
            weights: ``hub`` and ``revision``, or ``path`` of a folder in diffusers' layout.
            pipeline: the class.
            call: arguments of the pipeline's call, as they are.
            size: of the video: ``by`` is fixed (``width`` and ``height``), area (as many pixels, in
                the image's proportions) or model (the pipeline decides); sides are multiples of
                ``multiple``; ``fit`` is what is done to images of other proportions.
            fps: frame rate of the file in 1/s.
            precision: of the weights.
            variant: of the weight files.
            parts: component -> ``class`` (of diffusers or transformers), and perhaps ``hub`` and
                ``revision`` or ``path`` where it lies elsewhere, ``subfolder`` and ``precision``.
            scheduler: ``class`` in place of the weights' own, and arguments, such as flow_shift.
            guider: arguments of the pipeline's guider that are others than the weights'.
            inputs: ``image`` is how the image goes in (image, or video of one frame), ``suffix``
                what is put after each prompt, ``prompt`` may be none.
            memory: ``vae_tiling`` and ``vae_slicing`` (true), ``offload`` (model or sequential).
            output: ``frames`` is where the pipeline gives the video (frames, or video);
                ``sound_of`` its part whose ``output_sampling_rate`` the output's ``audio`` has.
            compiled: compile the denoiser where a card is, which rounds other bits and takes
                minutes at first; not with a cache.
            cache: ``class`` of one of diffusers' configurations of a cache, and its arguments;
                denoising is approximated.
            device: where the model runs.

        Raises:
            UserError: the weights are not there, or a class or an argument does not exist.
        """
        said = {"size": size, "inputs": inputs, "output": output, "memory": memory}
        kind = check_settings({"pipeline": pipeline, "call": call} | said)
        own = {name: load_part(part, weights, precision) for name, part in (parts or {}).items()}
        memory = memory or {}
        self._pipeline = load_pipeline(
            kind, weights, precision=precision, variant=variant,
            device="cpu" if memory.get("offload") else device, **own,
        )  # fmt: skip
        if scheduler:
            changed = {key: value for key, value in scheduler.items() if key != "class"}
            current = self._pipeline.scheduler
            chosen = class_of(scheduler["class"]) if "class" in scheduler else type(current)
            check_arguments(chosen, changed)
            self._pipeline.scheduler = chosen.from_config(current.config, **changed)
        if guider:
            check_arguments(type(self._pipeline.guider), guider)
            self._pipeline.guider = self._pipeline.guider.new(**guider)
        if guardrail := getattr(self._pipeline, "safety_checker", None):
            reject_refusals(guardrail)
        save_memory(self._pipeline, memory, device)
        if cache:
            skip_steps(self._pipeline, cache)
        elif compiled and pick_device(device).type == "cuda":
            for part in denoisers(self._pipeline):
                part.compile()
        self._call, self._size, self._fps = dict(call), size, fps
        self._inputs = {"image": "image", "prompt": "text", "suffix": ""} | dict(inputs or {})
        self._output = {"frames": "frames"} | dict(output or {})
        self._takes = inspect.signature(kind.__call__).parameters

    @torch.inference_mode()
    def generate(
        self, image: np.ndarray, prompt: str, *, seed: int
    ) -> tuple[np.ndarray, float] | tuple[np.ndarray, float, Sound]:
        """Return frames, their rate, and sound if any (``scripts.common.roles.Generator``)."""
        picture, sides = self._sized(image)
        shown = to_video(picture) if self._inputs["image"] == "video" else picture
        given: dict[str, Any] = {self._inputs["image"]: shown} | sides
        if self._inputs["prompt"] != "none":
            given |= self._text(prompt + self._inputs["suffix"])
        # Some pipelines draw without the generator that they are given.
        torch.manual_seed(seed % 2**63)
        try:
            output = self._pipeline(**given, **self._call, generator=seeded(seed), output_type="np")
        except Exception:
            self._pipeline.maybe_free_model_hooks()  # a cache keeps nothing for the next video
            raise
        frames = even(frames_of(output, self._output["frames"]))
        if "sound_of" not in self._output:
            return frames, float(self._fps)
        speaker = getattr(self._pipeline, self._output["sound_of"])
        rate = int(speaker.config.output_sampling_rate)
        return frames, float(self._fps), Sound(sound_of(output), rate)

    def _text(self, prompt: str) -> dict[str, Any]:
        """Return the arguments by which a prompt goes in."""
        return {"prompt": prompt}

    def _sized(self, image: np.ndarray) -> tuple[Image.Image, dict[str, int]]:
        """Return the image as it goes in, and the sides that are asked for."""
        if self._size["by"] == "model":
            return Image.fromarray(image), {}
        width, height = self._size["width"], self._size["height"]
        if self._size["by"] == "area":
            width, height = sides_of(
                image.shape[1] / image.shape[0], width * height, self._size.get("multiple", 16)
            )
        asked = {"width": width, "height": height}
        sides = {name: side for name, side in asked.items() if name in self._takes}
        return fit_image(image, width, height, self._size.get("fit", "crop")), sides


def check_settings(settings: Mapping[str, Any]) -> type:
    """Return the pipeline's class of settings as in ``AnyPipeline``.

    Raises:
        UserError: as ``check_call``; or one of ``KNOWN`` says what there is not.
    """
    for name, known in KNOWN.items():
        for key in settings.get(name) or {}:
            if key not in known:
                raise UserError(f"settings.{name} has '{key}'{_nearest(key, list(known))}")
    return check_call(settings["pipeline"], settings["call"])


def check_arguments(kind: type, given: Mapping[str, Any]) -> None:
    """Refuse what a scheduler or guider does not take: diffusers would pass it over.

    Raises:
        UserError: there is no such argument; the nearest one is named.
    """
    known = list(inspect.signature(kind).parameters)
    for name in given:
        if name not in known:
            raise UserError(f"{kind.__name__} takes no '{name}'{_nearest(name, known)}")


def reject_refusals(guardrail: Any) -> None:
    """Have what a guardrail refuses be a rejected item: diffusers' pipelines fail at it.

    Args:
        guardrail: whose ``check_text_safety`` of a prompt is false, or whose ``check_video_safety``
            of frames gives none, as those of cosmos-guardrail.
    """
    lets_prompt, lets_frames = guardrail.check_text_safety, guardrail.check_video_safety

    def check_text_safety(prompt: str) -> bool:
        if not lets_prompt(prompt):
            raise Rejected("guardrail_refused", "the prompt")
        return True

    def check_video_safety(frames: np.ndarray) -> np.ndarray:
        if (shown := lets_frames(frames)) is None:
            raise Rejected("guardrail_refused", "a frame")
        return shown

    guardrail.check_text_safety = check_text_safety
    guardrail.check_video_safety = check_video_safety


def check_call(pipeline: str, call: Mapping[str, Any]) -> type:
    """Return a pipeline's class whose call has all arguments.

    Raises:
        UserError: there is no such class, or no such argument; the nearest one is named.
    """
    kind = class_of(pipeline)
    known = [name for name in inspect.signature(kind.__call__).parameters if name != "self"]
    for name in call:
        if name in OWN:
            raise UserError(
                f"{pipeline}: '{name}' is given for each image; take it out of settings.call"
            )
        if name not in known:
            raise UserError(f"{pipeline} takes no '{name}'{_nearest(name, known)}")
    return kind


def class_of(name: str) -> Any:
    """Return a class of diffusers or transformers.

    Raises:
        UserError: neither has it; the nearest name is given.
    """
    for library in (diffusers, transformers):
        if hasattr(library, name):
            return getattr(library, name)
    raise UserError(
        f"neither diffusers nor transformers has '{name}'{_nearest(name, dir(diffusers))}"
    )


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"; the nearest is '{near[0]}'" if near else ""


def load_part(part: Mapping[str, str], weights: Mapping[str, str], precision: str) -> Any:
    """Return a component that is loaded by itself, such as a VAE at full precision.

    Args:
        part: as in ``AnyPipeline``.
        weights: of the pipeline, where the part names no place of its own.
        precision: of the pipeline, where the part names none.
    """
    settings: dict[str, Any] = {key: part[key] for key in ("subfolder",) if key in part}
    kind = class_of(part["class"])
    if issubclass(kind, torch.nn.Module):
        settings["dtype"] = getattr(torch, part.get("precision", precision))
    return load_pretrained(kind, part if {"hub", "path"} & part.keys() else weights, **settings)


def save_memory(pipeline: Any, memory: Mapping[str, Any], device: str) -> None:
    """Have a pipeline take less memory, at the cost of time."""
    if memory.get("vae_tiling"):
        pipeline.vae.enable_tiling()
    if memory.get("vae_slicing"):
        pipeline.vae.enable_slicing()
    if way := memory.get("offload"):
        offload = getattr(pipeline, f"enable_{way}_cpu_offload")
        offload(device=None if device == "auto" else device)


def denoisers(pipeline: Any) -> list[Any]:
    """Return the networks that denoise: one, or two experts of which each has its steps."""
    names = ("transformer", "transformer_2", "unet")
    return [part for name in names if (part := getattr(pipeline, name, None)) is not None]


def skip_steps(pipeline: Any, cache: Mapping[str, Any]) -> None:
    """Have a pipeline's denoisers take over what hardly changes from step to step.

    Args:
        pipeline: of which each denoiser gets a cache of its own.
        cache: as in ``AnyPipeline``.

    Raises:
        UserError: the cache does not fit the pipeline.
    """
    kind = class_of(cache["class"])
    arguments = {name: value for name, value in cache.items() if name != "class"}
    if "current_timestep_callback" in inspect.signature(kind).parameters:
        arguments["current_timestep_callback"] = lambda: pipeline.current_timestep
    try:
        for part in denoisers(pipeline):
            part.enable_cache(kind(**arguments))
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(
            f"{cache['class']} does not go with {type(pipeline).__name__} ({error}); correct the "
            "entry's 'fast', or take it out"
        ) from None


def sides_of(aspect: float, area: int, multiple: int) -> tuple[int, int]:
    """Return width and height of about so many pixels, multiples of a number.

    Args:
        aspect: width over height.
        area: in pixels; not exceeded by more than the rounding of the width.
        multiple: of both sides.
    """
    height = max(1, round((area / aspect) ** 0.5 / multiple)) * multiple
    width = max(1, int(area / height / multiple)) * multiple
    return width, height


def to_video(picture: Image.Image) -> torch.Tensor:
    """Return a picture as a video of one frame: float32 in [0, 1] of shape (1, 1, 3, height, width)."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None, None] / 255


def even(frames: np.ndarray) -> np.ndarray:
    """Return frames without a last odd row or column, which video files cannot have."""
    height, width = frames.shape[1:3]
    return frames[:, : height - height % 2, : width - width % 2]
