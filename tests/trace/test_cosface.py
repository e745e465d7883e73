"""What CosFace training is made of, against the published schedule, its twin, and its definition."""

import gc
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.losses import CosFaceLoss

from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.errors import UserError
from scripts.trace.class_batches import ClassBatches
from scripts.trace.cosface import CosFace, Recipe, schedule_factor

torch.set_num_threads(1)

PROCESS = Path("/proc/self")

FACTORS = [
    0.01, 0.208, 0.406, 0.604, 0.802, 1, 1, 1, 1, 1, 1, 0.9891, 0.9568, 0.9045, 0.8346, 0.75,
    0.6545, 0.5523, 0.4477, 0.3455, 0.25, 0.1654, 0.0955, 0.0432, 0.0109,
]  # fmt: skip


def test_the_schedule_of_the_paper():
    """Of the published trainers: epochs 5 to 9 at the largest rate, then a cosine (ID2, AnyPattern)."""
    recipe = Recipe.of(read_sheets(ROOT / "config")["tracers"]["vit_base"]["training"])
    assert [recipe.rate(epoch) / 3.5e-4 for epoch in range(25)] == pytest.approx(FACTORS, abs=5e-5)
    assert recipe.steps == 50_000


def test_a_schedule_of_another_length_falls_to_almost_nothing():
    factors = [schedule_factor(epoch, epochs=8, warmup=0, hold=2) for epoch in range(8)]
    assert factors[:3] == [1, 1, 1]
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] == pytest.approx(0.067, abs=1e-3)


def test_a_schedule_may_hold_nothing():
    """0.5 (1 + cos(pi e / 3)) right after the warm-up, as an entry's 0 says, not the default's 5."""
    recipe = Recipe.of({"epochs": 4, "warmup_epochs": 1, "hold_epochs": 0, "learning_rate": 1.0})
    assert [recipe.rate(epoch) for epoch in range(4)] == pytest.approx([0.01, 1, 0.75, 0.25])


def test_the_loss_is_that_of_pytorch_metric_learning():
    torch.manual_seed(0)
    head = CosFace(7, 12, margin=0.35, scale=64)
    twin = CosFaceLoss(7, 12, margin=0.35, scale=64)
    twin.W.data = head.weight.data.T.clone()
    embeddings = torch.randn(20, 12, requires_grad=True)
    other = embeddings.detach().clone().requires_grad_()
    labels = torch.randint(0, 7, (20,))
    loss, accuracy = head(embeddings, labels)
    expected = twin(other, labels)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(embeddings.grad, other.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(head.weight.grad, twin.W.grad.T, rtol=1e-4, atol=1e-5)
    nearest = torch.nn.functional.normalize(head.weight, dim=1) @ embeddings.T
    assert accuracy == (nearest.argmax(dim=0) == labels).float().mean()


@given(
    classes=st.integers(1, 12),
    per_class=st.lists(st.integers(1, 6), min_size=12, max_size=12),
    batch=st.integers(1, 6),
    instances=st.integers(1, 5),
    start=st.integers(0, 20),
    seed=st.integers(0, 9),
    spread=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_batches(classes, per_class, batch, instances, start, seed, spread):
    labels = np.repeat(np.arange(classes), per_class[:classes])
    sources = np.concatenate([np.arange(count) % 3 for count in per_class[:classes]])
    arguments = {"batch_size": batch * instances, "instances": instances, "seed": seed, "spread": spread}  # fmt: skip
    whole = list(ClassBatches(labels, sources, stop=24, **arguments))
    assert len(whole) == 24
    # A run that begins later sees the same pictures.
    assert list(ClassBatches(labels, sources, start=start, stop=24, **arguments)) == whole[start:]
    seen = []
    for numbers in whole:
        drawn = np.asarray(numbers).reshape(-1, instances)
        of_class = labels[drawn]
        assert (of_class == of_class[:, :1]).all()
        assert len(set(of_class[:, 0])) == len(drawn) == min(batch, classes)
        for row in drawn:
            there = per_class[labels[row[0]]]
            assert len(set(row)) == min(instances, there)
            if spread:
                assert len(set(sources[row])) == min(instances, there, 3)
        seen.append(of_class[:, 0])
    passes = classes // min(batch, classes)
    for first in range(0, 24 - passes, passes):
        in_pass = np.concatenate(seen[first : first + passes])
        assert len(set(in_pass)) == len(in_pass)


def test_a_class_s_pictures_are_equally_likely():
    labels, sources = np.zeros(51, int), np.array([0, *np.repeat([1, 2, 3, 4, 5], 10)])
    draws = {"batch_size": 4, "instances": 4, "stop": 2_000, "seed": 0}
    counts = np.bincount(np.concatenate(list(ClassBatches(labels, sources, **draws))))
    expected = 2_000 * 4 / 51
    # The source image too: it is drawn as seldom as any one frame.
    assert counts == pytest.approx(expected, abs=5 * expected**0.5)
    spread = ClassBatches(labels, sources, spread=True, **draws)
    assert {number for batch in spread for number in batch} == set(range(51))


def test_a_recipe_at_fault_is_named():
    with pytest.raises(UserError, match="no key 'epoch'"):
        Recipe.of({"epoch": 3})
    with pytest.raises(UserError, match="no multiple"):
        Recipe.of({"batch_size": 10, "instances": 4})


def resident_bytes(figure):
    """Return the memory of this process: ``VmRSS``, or ``VmHWM``, the most since it was reset."""
    [line] = [
        line for line in PROCESS.joinpath("status").read_text().splitlines() if figure in line
    ]
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(not os.access(PROCESS / "clear_refs", os.W_OK), reason="memory as Linux says")
def test_ninety_thousand_classes_train_in_bounded_memory():
    """The head of the paper's run learns on a CPU; by the same bound, a batch of 512 fits a GPU."""
    classes, dimension = 90_000, 768
    weights = 4 * classes * dimension

    def most(batch):
        # Weights, gradient, two moments; unit directions and their gradient; room to work. Then
        # cosines, logits, their logarithms and gradients.
        return 9 * weights + 6 * (4 * classes * batch)

    torch.manual_seed(0)
    embeddings, labels = torch.randn(16, dimension), torch.randint(0, classes, (16,))
    gc.collect()
    before = resident_bytes("VmRSS")
    head = CosFace(classes, dimension, margin=0.35, scale=64)
    optimiser = torch.optim.Adam(head.parameters(), lr=3.5e-4)
    found = []
    PROCESS.joinpath("clear_refs").write_text("5")  # forget the most so far
    for _ in range(2):
        optimiser.zero_grad()
        loss, _ = head(embeddings, labels)
        loss.backward()
        optimiser.step()
        found.append(loss.item())
    assert found[1] < found[0]
    assert 4 * weights < resident_bytes("VmHWM") - before < most(16)
    assert most(512) < 3.7e9
