"""The training loop: one step by the published formulas, and what it does with a curve and a state."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.errors import UserError
from scripts.detect.videomae_training import TrainingSettings
from scripts.models.training import Lesson, MovingAverage, train
from scripts.models.training_state import TrainingState

RECIPE = TrainingSettings(
    **read_sheets(ROOT / "config")["detectors"]["videomae_base"]["settings"]["training"]
)
GRADIENTS = [(3.0, 4.0), (0.06, -0.08), (0.3, 0.4)]
"""Of three steps: of length 5, which is clipped to 1, and of 0.1 and 0.5, which are not."""


class Product(Lesson):
    """The gradient of its weights is the samples' mean."""

    def __init__(self):
        super().__init__()
        self.network = nn.Linear(2, 1, bias=False)
        nn.init.zeros_(self.network.weight)
        self.kinds = []

    def forward(self, samples):
        products = self.network(samples)
        self.kinds.append(products.dtype)
        return (products.float().mean(),)


def course(**changes):
    """The paper's recipe for VideoMAE, three steps at one rate."""
    paper = RECIPE.course(seed=0)
    return replace(paper, **{"steps": 3, "batch_size": 2, "rate": lambda step: 0.01} | changes)


def learn(tmp_path, lesson=None, batches=None, **changes):
    lesson = lesson or Product()
    given = batches or [((torch.tensor([pair, pair]),), ()) for pair in GRADIENTS]
    state = TrainingState(tmp_path / "state")
    device = torch.device("cpu")
    return train(lesson, course(**changes), lambda start: given[start:], state, device=device)


def adamw(gradients, rate=0.01, betas=(0.9, 0.999), epsilon=1e-8):
    """Loshchilov and Hutter's algorithm without decay, in double precision."""
    weights, first, second, path = np.zeros(2), np.zeros(2), np.zeros(2), []
    for step, gradient in enumerate(np.asarray(gradients, np.float64), 1):
        first = betas[0] * first + (1 - betas[0]) * gradient
        second = betas[1] * second + (1 - betas[1]) * gradient**2
        unbiased = first / (1 - betas[0] ** step), second / (1 - betas[1] ** step)
        weights = weights - rate * unbiased[0] / (np.sqrt(unbiased[1]) + epsilon)
        path.append(weights)
    return path


def test_a_step_is_adamws_on_the_clipped_gradient(tmp_path):
    clipped = [(0.6, 0.8), *GRADIENTS[1:]]
    weights, run = learn(tmp_path)
    expected = adamw(clipped)
    np.testing.assert_allclose(weights["weight"][0], expected[-1], rtol=1e-5)
    # As numbers: the first step is the rate, whatever the gradient.
    assert expected[0] == pytest.approx([-0.01, -0.01])
    assert run.rows == [
        [step + 1, 0.01, pytest.approx(np.dot(before, gradient), rel=1e-5)]
        for step, (before, gradient) in enumerate(
            zip([np.zeros(2), *expected], GRADIENTS, strict=False)
        )
    ]
    unclipped, _ = learn(tmp_path, gradient_clip=None)
    np.testing.assert_allclose(unclipped["weight"][0], adamw(GRADIENTS)[-1], rtol=1e-5)
    assert not np.allclose(expected[-1], adamw(GRADIENTS)[-1], rtol=0.05)


def test_the_average_is_what_is_kept(tmp_path):
    """torch-ema 0.3: the n-th update keeps (1 + n) / (10 + n) of what was, at most the decay."""
    path = adamw([(0.6, 0.8), *GRADIENTS[1:]])
    expected = np.zeros(2)
    for weights, kept in zip(path, (2 / 11, 3 / 12, 4 / 13), strict=True):
        expected = kept * expected + (1 - kept) * weights
    weights, _ = learn(tmp_path, average=0.9999)
    np.testing.assert_allclose(weights["weight"][0], expected, rtol=1e-5)
    weights, _ = learn(tmp_path, average=0.0)
    np.testing.assert_allclose(weights["weight"][0], path[-1], rtol=1e-5)


def test_the_moving_average_forgets_its_start():
    layer = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(layer.weight)
    average = MovingAverage(layer, decay=0.9)
    found = []
    for value in range(1, 301):
        nn.init.constant_(layer.weight, value)
        average.update()
        found.append(average.state["weight"].item())
    # 9/11; then a quarter of it and three quarters of 2; then 4/13 of that and 9/13 of 3.
    assert found[:3] == pytest.approx([0.818182, 1.704545, 2.601399], abs=1e-6)
    # At 0.9 it lies 0.9 / (1 - 0.9) steps behind.
    assert found[-1] == pytest.approx(300 - 9, abs=0.1)


def test_an_entrys_settings_reach_the_loop():
    given = {"precision": "bfloat16", "micro_batch": 2, "gradient_clip": 0.5, "weight_decay": 0.3}
    found = TrainingSettings(7, 6, 0.1, **given).course(4, checkpoint_every=9)
    names = ("steps", "batch_size", "seed", "checkpoint_every", *list(given)[:3])
    assert [getattr(found, name) for name in names] == [7, 6, 4, 9, "bfloat16", 2, 0.5]
    assert found.optimiser([nn.Parameter(torch.zeros(1))]).defaults["weight_decay"] == 0.3


def test_the_precision_is_that_of_the_forward_pass(tmp_path):
    for precision, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        lesson = Product()
        weights, _ = learn(tmp_path, lesson, precision=precision)
        assert set(lesson.kinds) == {kind}
        assert weights["weight"].dtype == torch.float32
    with pytest.raises(
        UserError, match=r"config/detectors\.yaml: 'training\.precision' is 'float16'"
    ):
        learn(tmp_path, precision="float16")


def test_parts_of_a_batch_add_up_to_it(tmp_path):
    batch = (torch.tensor([(0.1, 0.7), (0.5, 0.1), (0.3, 0.1)]),), ()
    how = {"batch_size": 3, "steps": 1, "gradient_clip": None}
    whole, run = learn(tmp_path, batches=[batch], **how)
    parts, parted = learn(tmp_path, batches=[batch], micro_batch=2, **how)
    torch.testing.assert_close(parts["weight"], whole["weight"])
    assert parted.rows == run.rows


def test_rows_are_means_and_what_was_skipped_is_told(tmp_path):
    batches = [((torch.tensor([pair, pair]),), [("a", "why")]) for pair in GRADIENTS]
    _, each = learn(tmp_path)
    _, run = learn(tmp_path, batches=batches, log_every=2)
    losses = [loss for _, _, loss in each.rows]
    assert [row[0] for row in run.rows] == [2, 3]
    assert run.rows[0][2] == pytest.approx(sum(losses[:2]) / 2)
    assert run.rows[1][2] == pytest.approx(losses[2])
    assert run.skipped == {"a": "why"}


def test_a_state_has_all_that_the_next_step_depends_on(tmp_path):
    how = {"average": 0.9, "log_every": 2, "checkpoint_every": 1}
    whole, run = learn(tmp_path, **how)
    state = tmp_path / "state"
    assert state.exists()  # of the second step: the caller removes it
    again, resumed = learn(tmp_path, **how)
    assert torch.equal(again["weight"], whole["weight"])
    assert resumed.rows == run.rows
    state.write_bytes(state.read_bytes()[:500])
    with pytest.raises(UserError, match="state of a killed training, cannot be read"):
        learn(tmp_path, **how)


def test_faults_end_the_training(tmp_path):
    with pytest.raises(UserError, match=r"^the tar is cut short$"):
        learn(tmp_path, batches=["the tar is cut short"])
    broken = [((torch.full((2, 2), math.nan),), ())]
    fault = r"^the training diverged by iteration 1; lower .* learning_rate in config/detectors"
    with pytest.raises(UserError, match=fault):
        learn(tmp_path, batches=broken)
    with pytest.raises(UserError, match="diverged by iteration 1"):
        learn(tmp_path, batches=broken, log_every=50, checkpoint_every=1)
    assert not (tmp_path / "state").exists()
