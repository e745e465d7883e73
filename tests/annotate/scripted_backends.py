"""Backends for tests, which say in a file what they were asked."""

import threading
from pathlib import Path

import numpy as np

from scripts.common.errors import Rejected


class Scripted:
    """Fits every role of the stage.

    A text with 'refuse' is rejected, and one with 'break' raises; one with 'large' leaves room for
    no other, and one with 'huge' has none itself.
    """

    released = "rude"
    threshold = 0.5

    def __init__(self, weights=None, device="cpu", *, record: str, dimension: int = 4):
        self._record, self.dimension = Path(record), dimension
        self._note("loaded")

    def tag(self, texts):
        if len(texts) > 1 and any("large" in text for text in texts):
            self._note(f"no room for {len(texts)}")
            raise RuntimeError("CUDA out of memory")
        return [self._answer(text, text.split()[-1]) for text in texts]

    def embed(self, items):
        return [self._answer(item, self._vector(item)) for item in items]

    def score(self, items):
        values = np.array([self._answer(item, len(item) % 2) for item in items], np.float32)
        if items and isinstance(items[0], str):
            return {"rude": values, "angry": values / 2}
        return np.array([float(np.asarray(item).mean() > 127) for item in items], np.float32)

    def _vector(self, item):
        number = len(item) if isinstance(item, str) else int(np.asarray(item).sum())
        vector = np.random.default_rng(number).normal(size=self.dimension).astype(np.float32)
        return vector / np.linalg.norm(vector)

    def _answer(self, item, answer):
        text = item if isinstance(item, str) else "picture"
        self._note(text)
        if "huge" in text:
            raise MemoryError
        if "break" in text:
            raise ValueError("an odd one")
        return Rejected("refused") if "refuse" in text else answer

    def _note(self, line):
        with open(self._record, "a") as file:
            file.write(f"{line}\n")


def asked(record: Path) -> list[str]:
    """Return what a backend was asked, and how often it was loaded, in order."""
    return record.read_text().splitlines() if record.exists() else []


class Prepared(Scripted):
    """Fits the roles of pictures, which threads prepare; says which threads did."""

    def prepare(self, picture):
        self._note(f"prepared in {threading.current_thread().name.partition('_')[0]}")
        return picture[:4]

    def score(self, items):
        self._note(f"{len(items)} at once")
        assert all(item.shape[0] == 4 for item in items)
        return super().score(items)
