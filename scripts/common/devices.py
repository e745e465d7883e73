"""Where a model runs, and how its randomness is fixed."""

import random

import numpy as np
import torch


def pick_device(wanted: str = "auto") -> torch.device:
    """Return the device named by ``wanted``; ``auto`` is a GPU if there is one, else the CPU."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


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
