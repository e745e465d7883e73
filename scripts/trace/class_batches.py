"""Batches for metric learning: so many classes, so many pictures of each."""

from collections.abc import Iterator

import numpy as np

from scripts.common.identity import derived_seed


class ClassBatches:
    """Draws batches of a few pictures of many classes, each batch from its own number alone.

    Each pass over the classes is a new permutation; classes that do not fill a batch at its end
    wait for the next. Of a class, pictures are drawn without replacement, and repeat only if it has
    too few. So does OpenUnReID's DistributedIdentitySampler as the author's published trainers use
    it (https://github.com/WangWenhao0716/ID2, AnyPattern): there each picture is its own "camera",
    or all are of one, so that any picture of the class is as likely as any other.

    A run can begin at any batch.

    Attributes:
        classes: in a batch.
    """

    def __init__(
        self,
        labels: np.ndarray,
        sources: np.ndarray,
        *,
        batch_size: int,
        instances: int,
        stop: int,
        seed: int,
        spread: bool = False,
        start: int = 0,
    ):
        """Set up the batches numbered from ``start`` to ``stop``.

        Args:
            labels: class of each picture, from 0 without gaps, shape (pictures,).
            sources: source of each picture, shape (pictures,).
            batch_size: pictures in a batch, over all processes; fewer if there are few classes.
            instances: pictures of a class in a batch.
            stop: number of the batch after the last.
            seed: of all draws.
            spread: whether the pictures of a class come from as many sources (generators, the
                source image) as there are, instead of from anywhere.
            start: number of the first batch.
        """
        order = np.argsort(labels, kind="stable")
        self._pictures = np.split(order, np.cumsum(np.bincount(labels))[:-1])
        self._sources = sources
        self.classes = min(batch_size // instances, len(self._pictures))
        self._instances, self._seed, self._spread = instances, seed, spread
        self._numbers = range(start, stop)
        self._pass: tuple[int, np.ndarray] = (-1, np.empty(0, np.int64))

    def __iter__(self) -> Iterator[list[int]]:
        for number in self._numbers:
            random = np.random.default_rng(derived_seed(self._seed, "batch", number))
            drawn = [self._draw(label, random) for label in self._classes(number)]
            yield np.concatenate(drawn).tolist()

    def _classes(self, number: int) -> np.ndarray:
        per_pass = len(self._pictures) // self.classes
        pass_number, place = divmod(number, per_pass)
        if self._pass[0] != pass_number:
            random = np.random.default_rng(derived_seed(self._seed, "pass", pass_number))
            self._pass = (pass_number, random.permutation(len(self._pictures)))
        return self._pass[1][place * self.classes : (place + 1) * self.classes]

    def _draw(self, label: int, random: np.random.Generator) -> np.ndarray:
        pictures = random.permutation(self._pictures[label])
        if not self._spread:
            return np.resize(pictures, self._instances)
        seen: dict[int, int] = {}
        turns = []
        for source in self._sources[pictures].tolist():
            turns.append(seen.get(source, 0))
            seen[source] = turns[-1] + 1
        ordered = pictures[np.argsort(turns, kind="stable")]
        return np.resize(ordered, self._instances)
