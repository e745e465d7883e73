"""The move of the camera: fitted to flows and to pictures whose moves are known."""

import cmath
import math

import numpy as np
import pytest
from scipy.ndimage import affine_transform

from scripts.common.backends import load_backend
from scripts.common.errors import Rejected, UserError
from scripts.evaluate.classical_flow import CameraMotionEmbedded
from scripts.evaluate.global_motion import (
    MOVES,
    GlobalMove,
    classify,
    classify_tracked,
    fit_move,
    moves_together,
)
from tests.evaluate.moving_pictures import item_of, texture

HEIGHT, WIDTH = 144, 256
# What the camera does -> zoom, and shift of its middle to the right and down, at a time in [0, 1].
CAMERA = {
    "pan_right": lambda time: (1, 40 * time, 0),
    "pan_left": lambda time: (1, -40 * time, 0),
    "tilt_up": lambda time: (1, 0, -30 * time),
    "tilt_down": lambda time: (1, 0, 30 * time),
    "zoom_in": lambda time: (1 + 0.3 * time, 0, 0),
    "zoom_out": lambda time: (1.3 - 0.3 * time, 0, 0),
    "static": lambda time: (1, 0, 0),
}


def flow_of(move, height=60, width=90):
    """Return the exact flow of a move."""
    rows, columns = np.mgrid[:height, :width]
    short = min(height, width)
    places = ((columns - (width - 1) / 2) + 1j * (rows - (height - 1) / 2)) / short
    moved = move.at(places) * short
    return np.stack([moved.real, moved.imag])


@pytest.fixture(scope="module")
def scenery():
    fine, coarse = texture(400, 560), texture(400, 560, seed=1)
    return (fine // 2 + coarse // 2).astype(float)


def film(scenery, camera, thing=None, frames=12):
    """Return a video: a camera before scenery, and perhaps a thing that crosses the picture."""
    shown = []
    for time in np.linspace(0, 1, frames):
        zoom, right, down = camera(time)
        matrix = np.eye(2) / zoom
        offset = np.array([200 + down, 280 + right]) - matrix @ np.array([HEIGHT / 2, WIDTH / 2])
        frame = np.stack(
            [
                affine_transform(scenery[..., n], matrix, offset, (HEIGHT, WIDTH), order=1)
                for n in range(3)
            ],
            axis=-1,
        )
        if thing is not None:
            left = int(20 + 120 * time)
            frame[40:110, left : left + 70] = thing
        shown.append(frame.astype(np.uint8))
    return np.stack(shown)


def measured(item):
    parts = {name: CameraMotionEmbedded(component=name).score(item)
             for name in ("pan", "tilt", "zoom", "rotation")}  # fmt: skip
    return parts, GlobalMove(cmath.exp(parts["zoom"]), complex(-parts["pan"], parts["tilt"]))


@pytest.mark.parametrize("crossed", [False, True])
@pytest.mark.parametrize("asked", CAMERA)
def test_seven_of_seven_moves_are_known(scenery, asked, crossed):
    thing = texture(70, 70, seed=2)[..., ::-1] if crossed else None
    parts, move = measured(item_of(film(scenery, CAMERA[asked], thing)))
    assert classify(move, step=0.02) == {asked}
    words = {"static": "camera static"}.get(asked, f"camera {asked.replace('_', 's ')}")
    score = CameraMotionEmbedded(component="asked").score
    item = item_of(film(scenery, CAMERA[asked], thing), prompt=f"a lake, {words}")
    assert score(item) == 1
    right = {"pan_right": ("pan", 40 / 144), "pan_left": ("pan", -40 / 144),
             "tilt_up": ("tilt", 30 / 144), "tilt_down": ("tilt", -30 / 144),
             "zoom_in": ("zoom", math.log(1.3)), "zoom_out": ("zoom", -math.log(1.3))}  # fmt: skip
    for name in ("pan", "tilt", "zoom"):
        its, size = right.get(asked, ("", 0))
        assert parts[name] == pytest.approx(size if its == name else 0, abs=0.025)
    assert abs(parts["rotation"]) < 1


@pytest.mark.parametrize("move", [
    GlobalMove(1.02 + 0j, 0.03 - 0.01j), GlobalMove(cmath.rect(0.99, 0.02), -0.05j), GlobalMove(),
])  # fmt: skip
def test_a_fit_finds_the_move_behind_things_that_move(move):
    flow = flow_of(move)
    flow += np.random.default_rng(0).normal(0, 0.05, flow.shape)
    flow[:, 10:40, 20:70] += np.array([6.0, -4.0])[:, None, None]  # 28 % of the picture
    found = fit_move(flow)
    assert found.turn == pytest.approx(move.turn, abs=2e-3)
    assert found.shift == pytest.approx(move.shift, abs=2e-3)


def test_a_fit_is_the_same_at_any_size():
    move = GlobalMove(cmath.rect(1.05, 0.03), 0.04 + 0.02j)
    for height, width in [(24, 24), (48, 90), (300, 200)]:
        found = fit_move(flow_of(move, height, width))
        assert found.turn == pytest.approx(move.turn, abs=1e-6)
        assert found.shift == pytest.approx(move.shift, abs=1e-6)


def test_moves_follow_each_other():
    first, second = GlobalMove(2 + 0j, 0.1 + 0j), GlobalMove(1j, -0.2j)
    place = 0.3 - 0.4j
    after = place + first.at(place)
    assert place + moves_together([first, second]).at(place) == pytest.approx(
        after + second.at(after)
    )


def test_signs_are_the_cameras():
    move = GlobalMove(cmath.rect(1.5, math.radians(10)), complex(-0.2, 0.3))
    assert (move.pan, move.tilt) == (0.2, 0.3)  # the scene goes left and down
    assert move.zoom == pytest.approx(math.log(1.5))
    assert move.rotation == pytest.approx(10)


@pytest.mark.parametrize("move, classes", [
    (GlobalMove(1 + 0j, -0.006 + 0j), {"pan_right"}),
    (GlobalMove(1 + 0j, -0.004 + 0j), {"static"}),  # VBench: strictly beyond 0.005
    (GlobalMove(1 + 0j, 0.1 + 0.1j), {"pan_left", "tilt_up"}),
    (GlobalMove(1.1 + 0j, 0j), {"zoom_in"}),
    (GlobalMove(cmath.rect(1, 0.1)), set()),  # the edges turn: none of VBench's seven
])  # fmt: skip
def test_classes_are_vbenchs(move, classes):
    assert classify(move) == classes
    assert set(MOVES) == set(CAMERA)


@pytest.mark.parametrize("turn, shift, size, classes", [
    (1.3, 0, (144, 256), {"pan_left", "tilt_up", "zoom_in"}),  # its points are off the middle
    (1.05, 0, (576, 1024), {"pan_left", "zoom_in"}),
    (0.8, 0, (512, 512), {"pan_right", "tilt_down", "zoom_out"}),
    (cmath.rect(1, 0.1), 0, (480, 720), {"tilt_up"}),
    (1, 0.0052, (144, 256), {"pan_left"}),
    (1, -0.02 + 0.03j, (576, 1024), {"pan_right", "tilt_up"}),
    (1, 0.004j, (576, 1024), {"tilt_up"}),  # below the step, but for the cut to whole pixels
    (1.0031237, -0.0029267 - 6.5e-5j, (480, 720), set()),  # two edges stand still, two do not
])  # fmt: skip
def test_classes_are_those_of_vbenchs_own_code_on_points_moved_alike(turn, shift, size, classes):
    """VBench 45e79ec: its rule on CoTracker's grid (the same for 4,000 drawn moves)."""
    assert classify_tracked(GlobalMove(complex(turn), complex(shift)), *size) == classes


def test_the_suites_camera_motion_is_whether_the_named_move_is_done(scenery):
    score = CameraMotionEmbedded(component="asked").score
    frames = film(scenery, CAMERA["pan_left"], frames=4)
    assert score(item_of(frames, prompt="a lake, camera pans left")) == 1
    assert score(item_of(frames, prompt="a lake, camera pans right")) == 0
    assert score(item_of(frames, prompt="camera pans left, zooms out")) == 0.5
    for prompt in ("a lake", "the camera rotates"):  # the suite has no such class
        with pytest.raises(Rejected, match="no_move_asked"):
            score(item_of(frames, prompt=prompt))


def test_components_share_one_flow(scenery, monkeypatch):
    from scripts.evaluate import classical_flow

    flows = []
    real = classical_flow.optical_flow_ilk
    monkeypatch.setattr(
        classical_flow, "optical_flow_ilk", lambda *a, **b: flows.append(1) or real(*a, **b)
    )
    item = item_of(film(scenery, CAMERA["pan_left"], frames=4))
    CameraMotionEmbedded(component="pan").score(item)
    CameraMotionEmbedded(component="strength").score(item)
    classical_flow.DynamicDegreeEmbedded().score(item)
    assert len(flows) == 3
    CameraMotionEmbedded(component="pan", radius=5).score(item)
    assert len(flows) == 6


def test_strength_is_the_median_of_the_fastest_twentieth():
    frames = np.stack([np.roll(texture(64, 64), 4 * n, axis=1) for n in range(5)])
    score = CameraMotionEmbedded(component="strength", short_side=64).score(item_of(frames))
    assert score == pytest.approx(4 / 64, rel=0.3)
    assert CameraMotionEmbedded(component="strength").score(item_of(frames[[0, 0, 0]])) < 1e-3


def test_faults_are_named():
    entry = {"backend": "scripts.evaluate.classical_flow:CameraMotionEmbedded"}
    with pytest.raises(UserError, match=r"no component 'roll'.*pan, tilt"):
        load_backend(entry | {"settings": {"component": "roll"}}, device="cpu")
    with pytest.raises(Rejected, match="too_few_frames"):
        CameraMotionEmbedded(component="pan").score(item_of(texture(64, 64)[None]))
