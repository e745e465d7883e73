"""Shortcuts are found where they are planted in made-up videos, and nowhere else."""

import io

import av
import numpy as np
import pandas as pd
import pytest

from scripts.common.video import encode_video
from scripts.detect.formats import SHORTCUTS, describe_format
from scripts.detect.shortcuts import find_shortcuts

VIDEOS = 14
FRAMES, HEIGHT, WIDTH = 10, 48, 64


def made_up(
    seed: int, frames: int = FRAMES, height: int = HEIGHT, width: int = WIDTH
) -> np.ndarray:
    """Return frames of smooth random texture that moves, of no class: contrast and speed vary."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(128, rng.uniform(25, 45), (height // 4 + 2, width // 4 + 2, 3))
    texture = np.kron(coarse, np.ones((4, 4, 1)))[:height, :width].clip(30, 225)
    speed, axis = int(rng.integers(1, 4)), int(rng.integers(2))
    return np.stack([np.roll(texture, step * speed, axis) for step in range(frames)]).astype(
        np.uint8
    )


def mpeg4(frames: np.ndarray) -> bytes:
    """Return frames in another codec, at much the same quality."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return target.getvalue()


def squeezed(frames: np.ndarray) -> np.ndarray:
    return (16 + frames.astype(float) * 219 / 255 * 0.6).astype(np.uint8)


def marked(frames: np.ndarray) -> np.ndarray:
    frames = frames.copy()
    frames[:, -7:-2, -12:-2] = 0
    frames[:, -6:-3, -11:-3:2] = 255
    return frames


def barred(frames: np.ndarray) -> np.ndarray:
    frames = frames.copy()
    frames[:, :5] = frames[:, -5:] = 0
    return frames


def repeated(frames: np.ndarray) -> np.ndarray:
    return frames[[0, *range(len(frames) - 1)]]


def still(frames: np.ndarray) -> np.ndarray:
    return np.repeat(frames[:1], len(frames), axis=0)


PLANTED = {
    "rate": lambda seed: encode_video(made_up(seed), 24),
    "size": lambda seed: encode_video(made_up(seed, height=64, width=80), 8),
    "length": lambda seed: encode_video(made_up(seed, frames=14), 8),
    "codec": lambda seed: mpeg4(made_up(seed)),
    "colour_range": lambda seed: encode_video(squeezed(made_up(seed)), 8),
    "corner_mark": lambda seed: encode_video(marked(made_up(seed)), 8),
    "black_bars": lambda seed: encode_video(barred(made_up(seed)), 8),
    "first_frame_repeat": lambda seed: encode_video(repeated(made_up(seed)), 8),
    "stillness": lambda seed: encode_video(still(made_up(seed)), 8),
    "quantiser": lambda seed: encode_video(made_up(seed), 8, crf=38),
}


def described(make, label: str, first: int) -> list[dict]:
    return [
        describe_format(make(seed)) | {"label": label, "group": f"{label}-{seed}"}
        for seed in range(first, first + VIDEOS)
    ]


def plain(seed: int) -> bytes:
    return encode_video(made_up(seed), 8)


@pytest.fixture(scope="module")
def real():
    return described(plain, "real", 0)


@pytest.mark.parametrize("shortcut", PLANTED)
def test_a_planted_shortcut_is_found(real, shortcut):
    planted = described(PLANTED[shortcut], "image_generated", 1000)
    found = find_shortcuts(pd.DataFrame(real + planted), 0)
    assert found[shortcut]["is_found"] and found[shortcut]["accuracy"] > 0.85
    # What else changes by what was planted, and nothing but that.
    beside = {
        "codec": {"quantiser", "colour_range"},
        "colour_range": {"stillness"},
        "corner_mark": {"colour_range", "stillness"},
        "black_bars": {"colour_range", "stillness", "corner_mark"},
        "stillness": {"first_frame_repeat", "quantiser", "corner_mark"},
        "quantiser": {"colour_range", "stillness"},
    }
    others = {name for name, test in found.items() if test["is_found"]} - {shortcut}
    assert others <= beside.get(shortcut, set())


def test_none_is_found_where_none_is_planted(real):
    for first in (1000, 2000, 3000):
        formats = pd.DataFrame(real + described(plain, "image_generated", first))
        assert not any(test["is_found"] for test in find_shortcuts(formats, 0).values())


def test_the_shortcuts_are_the_ten_that_are_planted():
    assert list(SHORTCUTS) == list(PLANTED) and len(SHORTCUTS) == 10
