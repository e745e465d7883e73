"""What a job asks a cluster for."""

from collections.abc import Callable
from typing import Any

Amount = Callable[[Any, int], int]


def more(amount: int | Callable[[Any], int]) -> Amount:
    """Return a resource of which a job that is sent again gets twice as much each time.

    A job that ran out of memory or time would do so again with the same.

    Args:
        amount: what the first attempt gets, or a function of the wildcards that says so.
    """

    def get_amount(wildcards: Any, attempt: int) -> int:
        first = amount(wildcards) if callable(amount) else amount
        return first * 2 ** (attempt - 1)

    return get_amount
