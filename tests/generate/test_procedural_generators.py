"""The procedures: honest animations of the image, of different fidelity and dynamics."""

import inspect
from itertools import pairwise

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from scripts.common.backends import find_backend, load_backend
from scripts.common.code import ROOT
from scripts.generate.canvas import fit_canvas, mentions, sample, strength

SHEET = yaml.safe_load((ROOT / "config" / "generators.yaml").read_text())
PROCEDURES = [name for name, entry in SHEET.items() if entry.get("embedded")]
CAT = np.asarray(Image.fromarray(data.chelsea()).resize((512, 320)))


def generate(name, image=CAT, prompt="the cat moves", seed=1):
    return load_backend(SHEET[name], device="auto").generate(image, prompt, seed=seed)


def difference(first, second):
    return float(np.abs(first.astype(np.float32) - second.astype(np.float32)).mean())


@pytest.mark.parametrize("name", [name for name in SHEET if "backend" in SHEET[name]])
def test_an_entry_fits_its_class(name):
    entry = SHEET[name]
    arguments = entry.get("settings", {}) | {"device": "auto"}
    inspect.signature(find_backend(entry)).bind(weights=entry.get("weights"), **arguments)
    assert (ROOT / "envs" / f"{entry.get('envs', 'video')}.yaml").exists()


@pytest.mark.parametrize("name", PROCEDURES)
def test_the_sheet_says_how_long_and_how_large_a_video_is(name):
    frames, fps = generate(name)
    wanted = SHEET[name]["settings"]
    assert frames.shape == (wanted["frames"], 160, 256, 3)
    assert frames.dtype == np.uint8
    assert fps == wanted["fps"]


@pytest.mark.parametrize("name", PROCEDURES)
def test_a_seed_gives_one_video_and_another_seed_another(name):
    first, again, other = (generate(name, seed=seed)[0] for seed in (1, 1, 2**63 - 1))
    assert np.array_equal(first, again)
    assert difference(first, other) > 0.5


@settings(max_examples=12, deadline=None)
@given(width=st.integers(1, 700), height=st.integers(1, 700), name=st.sampled_from(PROCEDURES))
def test_images_of_any_size_keep_their_aspect_as_far_as_sides_are_even(width, height, name):
    frames, _ = generate(name, np.full((height, width, 3), 99, np.uint8))
    _, rows, columns, _ = frames.shape
    assert rows % 2 == columns % 2 == 0
    assert max(rows, columns) == 256
    assert min(rows, columns) == max(16, 2 * round(128 * min(width, height) / max(width, height)))


def test_the_procedures_differ_in_fidelity_and_dynamics():
    canvas = fit_canvas(CAT, 256)
    away, steps = {}, {}
    for name in PROCEDURES:
        frames, _ = generate(name)
        away[name] = [difference(canvas, frame) for frame in frames]
        steps[name] = np.mean([difference(a, b) for a, b in pairwise(frames)])
    # The first frame is the image, but where the encoder has spoilt it.
    assert max(away[name][0] for name in ("camera_move", "sway", "morph")) < 2.5
    assert away["shimmer"][0] > 5
    # Morph goes ever farther away, and farthest; sway comes and goes.
    assert np.all(np.diff(away["morph"][::4]) > 0)
    assert away["morph"][-1] > 1.5 * max(away[name][-1] for name in PROCEDURES if name != "morph")
    assert max(away["sway"]) > 1.2 * away["sway"][-1] or min(away["sway"][4:]) < away["sway"][-1]
    assert steps["camera_move"] < steps["sway"] < steps["shimmer"]


def bar_position(frame):
    return float(
        (frame[..., 0].astype(float).sum(0) @ np.arange(frame.shape[1])) / frame[..., 0].sum()
    )


@pytest.mark.parametrize(
    ("prompt", "moves"), [("camera pans right", -1), ("pan to the LEFT slowly", 1)]
)
def test_the_camera_goes_where_the_prompt_says(prompt, moves):
    scene = np.zeros((160, 256, 3), np.uint8)
    scene[:, 123:133] = 255
    frames, _ = generate("camera_move", scene, prompt)
    positions = [bar_position(frame) for frame in frames]
    assert np.all(np.diff(positions) * moves > -0.3)
    assert (positions[-1] - positions[0]) * moves > 5


def test_the_camera_moves_in_or_out_and_farther_for_strong_words():
    canvas = fit_canvas(CAT, 256)
    into, out = generate("camera_move")[0], generate("camera_move", prompt="slow zoom out")[0]
    assert difference(into[0], canvas) < 1.5 < difference(into[-1], canvas)
    assert difference(out[-1], canvas) < 1.5 < difference(out[0], canvas)
    gentle, strong = (
        generate("camera_move", prompt=prompt)[0] for prompt in ("move slowly", "fast move")
    )
    assert difference(gentle[-1], canvas) < difference(strong[-1], canvas)


def test_words_are_whole_words():
    assert mentions("Zooming out, please", "zoom(?:s|ed|ing)? out")
    assert not mentions("an upright downtown scene", "up", "down", "right")
    assert (strength("a fast car"), strength("gently waving"), strength("a breakfast")) == (
        1.4,
        0.6,
        1,
    )


def test_sampling_is_bilinear_and_mirrors_outside():
    image = np.arange(12, dtype=np.float32).reshape(3, 4, 1)
    x, y = np.float32([[0, 0.5, 3, -1, 4]]), np.float32([[0, 0.5, 2, 0, 1]])
    assert sample(image, x, y)[0, :, 0].tolist() == [0, 2.5, 11, 1, 6]
