"""Profanity of texts by alt-profanity-check: a linear model on word counts, inside the package."""

from collections.abc import Mapping, Sequence

import numpy as np
import profanity_check


class ProfanityCheck:
    """Scores how unsafe texts are; a TextSafety with the one key ``profanity``."""

    released = "profanity"

    def __init__(self, weights: Mapping[str, str] | None = None, device: str = "cpu"):
        """Take the model that the package loaded; neither weights nor device can be chosen."""

    def score(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the probability of profanity, float32 of shape (texts,)."""
        if not texts:
            return {self.released: np.empty(0, np.float32)}
        return {self.released: profanity_check.predict_prob(list(texts)).astype(np.float32)}
