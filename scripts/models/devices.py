"""Where a model runs, and how its randomness is fixed."""

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch

from scripts.common.errors import UserError

PRECISIONS = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "tf32": torch.float32,
}
TRAINING_PRECISIONS = ("float32", "bfloat16")
"""Those in which gradients do not vanish."""


def pick_device(wanted: str = "auto") -> torch.device:
    """Return the device named by ``wanted``; ``auto`` is a GPU if there is one, else the CPU.

    Raises:
        UserError: a GPU is asked for by name, and this machine has none that PyTorch can use.
    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(
            "a GPU is asked for, and this machine shows PyTorch none; run on one that does, or set "
            "the stage's gpu, and training_gpu, to 0 in the configuration"
        )
    return torch.device(wanted)


def mixed_precision(device: torch.device, precision: str) -> AbstractContextManager:
    """Return the context in which a network runs in ``precision`` on a GPU.

    On the CPU it runs in float32 in any case: half precision is slower there, and its results
    would not be those of other machines.

    Args:
        device: where the network lies.
        precision: ``float32``, ``float16`` or ``bfloat16``; weights stay as they are, and what
            needs the range (sums, norms, softmax) stays in float32 (torch.autocast). ``tf32`` is
            float32 whose products take 11 bits of each factor's mantissa.

    Raises:
        UserError: there is no such precision.
    """
    if precision not in PRECISIONS:
        raise UserError(f"'settings.precision' is '{precision}'; it may be {', '.join(PRECISIONS)}")
    if device.type == "cpu" or precision == "float32":
        return nullcontext()
    if precision == "tf32":
        return _short_mantissas()
    return torch.autocast(device.type, PRECISIONS[precision])


@contextmanager
def _short_mantissas() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def prepare_torch(threads: int, seed: int | None = None) -> None:
    """Use so many threads, and fix every random generator if a seed is given.

    On the CPU the same seed and number of threads then give the same numbers.
    """
    torch.set_num_threads(threads)
    if seed is not None:
        seed %= 2**32
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
