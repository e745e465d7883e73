"""Faults: whether an error is an item's own, or the machine's."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory did not suffice, on a card or off it."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"MemoryError", "OutOfMemoryError"}) or (
        isinstance(error, RuntimeError) and "out of memory" in str(error).lower()
    )


def is_of_the_machine(error: BaseException) -> bool:
    """Return whether no item can be blamed: a disk, a connection or a card failed."""
    names = {kind.__name__ for kind in type(error).__mro__}
    card = "AcceleratorError" in names or "CUDA error" in str(error)
    return not is_out_of_memory(error) and (isinstance(error, OSError) or card)


def free_memory() -> None:
    """Give back what torch holds of a card's memory and does not use."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def first_line(error: BaseException) -> str:
    """Return an error's kind and the first line of what it says."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
