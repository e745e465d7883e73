"""Work done ahead by threads, in order and a bounded way ahead: decoding, requests."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def work_ahead(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int
) -> Iterator[Result]:
    """Yield ``work(item)`` for each item, in order, while threads do the next ones.

    An error of ``work`` is raised in its place; what is not begun by then is not begun.

    Args:
        work: runs in the threads; pictures are decoded and requests are answered outside of
            Python's lock.
        items: taken one by one, no sooner than needed.
        workers: threads.
        ahead: results that may wait at a time: what bounds the memory.
    """
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
