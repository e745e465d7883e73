"""Where a network runs, and in which precision."""

import contextlib

import pytest
import torch

from scripts.common.errors import UserError
from scripts.models.devices import mixed_precision, pick_device


def test_the_cpu_computes_in_float32_whatever_is_set():
    layer, numbers = torch.nn.Linear(4, 4), torch.randn(2, 4)
    for precision in ("float32", "float16", "bfloat16"):
        with mixed_precision(torch.device("cpu"), precision):
            assert torch.equal(layer(numbers), torch.nn.functional.linear(
                numbers, layer.weight, layer.bias
            ))  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*Disabling autocast")
def test_a_gpu_computes_as_is_set():
    context = mixed_precision(torch.device("cuda"), "float16")
    assert isinstance(context, torch.autocast)
    assert (context.device, context.fast_dtype) == ("cuda", torch.float16)
    full = mixed_precision(torch.device("cuda"), "float32")
    assert isinstance(full, contextlib.nullcontext)


def test_a_gpu_that_is_not_there_is_a_sentence(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    with pytest.raises(
        UserError, match=r"^a GPU is asked for, and this machine shows PyTorch none"
    ):
        pick_device("cuda")


def test_an_unknown_precision_is_a_sentence():
    with pytest.raises(UserError, match=r"'settings\.precision' is 'half'; it may be float32"):
        mixed_precision(torch.device("cpu"), "half")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_half_precision_on_a_gpu_is_near_full_precision():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.GELU(), torch.nn.Linear(64, 8))
    network, numbers = network.cuda(), torch.randn(16, 64).cuda()
    with torch.inference_mode():
        full = network(numbers)
        with mixed_precision(torch.device("cuda"), "float16"):
            half = network(numbers)
    assert half.dtype == torch.float16
    assert torch.allclose(half.float(), full, atol=1e-2)
