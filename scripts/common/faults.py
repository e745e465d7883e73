"""Faults: whether an error is an item's own, or the machine's."""

import sys

_NO_MEMORY = ("out of memory", "can't allocate memory", "alloc_failed")
"""What torch says where it raises a plain RuntimeError: of a card, of the CPU, of cuBLAS."""

_BROKEN_CARD = ("CUDA error", "cuDNN error")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory did not suffice, on a card or off it."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"MemoryError", "OutOfMemoryError"}) or (
        isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _NO_MEMORY)
    )


def is_of_the_machine(error: BaseException) -> bool:
    """Return whether no item can be blamed: a disk, a connection or a card failed."""
    names = {kind.__name__ for kind in type(error).__mro__}
    card = "AcceleratorError" in names or any(word in str(error) for word in _BROKEN_CARD)
    return not is_out_of_memory(error) and (isinstance(error, OSError) or card)


def free_memory() -> None:
    """Give back what torch holds of a card's memory and does not use."""
    torch = sys.modules.get("torch")  # where it is not imported, it holds nothing
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def first_line(error: BaseException) -> str:
    """Return an error's kind and the first line of what it says."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
