"""A generator that is somebody's own program, such as Open-Sora's checkout in its own environment.

It is called once for each video: the image lies in a file, and the program leaves a video.
"""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from scripts.common.errors import UserError
from scripts.common.pictures import encode_png
from scripts.common.video import read_frames
from scripts.generate.any_pipeline import even
from scripts.generate.diffusion import fit_image

PLACES = ("image", "prompt", "seed", "folder")
"""What stands in braces in a command."""


class Program:
    """Animates an image by a program that takes a file and leaves a file."""

    def __init__(
        self,
        weights: Mapping[str, str] | None = None,
        *,
        checkout: str,
        command: Sequence[str],
        width: int,
        height: int,
        fit: str,
        fps: float,
        timeout_s: float,
        drop: str = "",
        device: str = "auto",
    ):
        """Take the settings.

        Args:
            weights: none of ours; the program knows its own.
            checkout: folder in which the program is run.
            command: program and arguments, in which ``{image}`` (a PNG), ``{prompt}``, ``{seed}``
                and ``{folder}`` (where the video is to go) are filled in. No shell reads them.
            width: to which the image is brought, in pixels...
            height: ...and its height...
            fit: ...and how (``fit_image``).
            fps: frame rate of the file in 1/s.
            timeout_s: after which a run is given up.
            drop: characters that a prompt must not have, since the program reads more into them.
            device: the program's own choice.

        Raises:
            UserError: there is no such folder.
        """
        check_checkout(checkout)
        self._checkout, self._command = checkout, list(command)
        self._size, self._fit, self._fps = (width, height), fit, float(fps)
        self._timeout_s, self._drop = timeout_s, str.maketrans("", "", drop)

    def generate(self, image: np.ndarray, prompt: str, *, seed: int) -> tuple[np.ndarray, float]:
        """Return frames and frame rate (``scripts.common.roles.Generator``).

        Raises:
            RuntimeError: the program failed, took too long, or left no video.
        """
        with tempfile.TemporaryDirectory() as folder:
            picture = Path(folder, "image.png")
            picture.write_bytes(encode_png(np.asarray(fit_image(image, *self._size, self._fit))))
            made = Path(folder, "made")
            made.mkdir()
            given = {"image": str(picture), "folder": str(made), "seed": str(seed % 2**31),
                     "prompt": prompt.translate(self._drop)}  # fmt: skip
            self._run([_filled(word, given) for word in self._command])
            found = sorted(made.rglob("*.mp4"))
            if len(found) != 1:
                raise RuntimeError(f"{self._command[0]} left {len(found)} videos instead of one")
            return even(read_frames(found[0])), self._fps

    def _run(self, command: Sequence[str]) -> None:
        try:
            done = subprocess.run(
                command, cwd=self._checkout, timeout=self._timeout_s, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                errors="replace", check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise UserError(
                f"there is no program {command[0]}; correct the entry's settings.command"
            ) from None
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{command[0]} took more than {self._timeout_s:g} s") from None
        if done.returncode:
            last = (done.stdout.strip().splitlines() or ["it said nothing"])[-1]
            raise RuntimeError(f"{command[0]} ended with {done.returncode}: {last}")


def check_checkout(checkout: str) -> None:
    """Find the folder of a program missing before it is called.

    Raises:
        UserError: it is.
    """
    if not Path(checkout).is_dir():
        raise UserError(
            f"the checkout {checkout} is missing; clone the program there, or correct the entry's "
            "settings.checkout"
        )


def _filled(word: str, given: Mapping[str, str]) -> str:
    """Return a word of a command with its places filled in, in one go: a prompt fills none."""
    for place in PLACES:
        before, found, after = word.partition(f"{{{place}}}")
        if found:
            return _filled(before, given) + given[place] + _filled(after, given)
    return word
