"""Values for a radar chart, brought to one scale per dimension as VBench does."""

import numpy as np

INNER, OUTER = 0.3, 0.8
"""'Results are normalized per dimension to a common scale between 0.3 and 0.8 linearly' (Table 7)."""


def normalise_for_radar(values: np.ndarray) -> np.ndarray:
    """Return values scaled so that each dimension's worst is 0.3 and its best 0.8.

    Args:
        values: shape (dimensions, generators); NaN where there is no value.

    Returns:
        The same shape; NaN stays NaN. Where all values of a dimension are equal none is better:
        they lie in the middle.
    """
    known = np.where(np.isnan(values), np.inf, values).min(axis=1, keepdims=True)
    lowest = np.where(np.isinf(known), np.nan, known)
    highest = np.where(np.isnan(values), -np.inf, values).max(axis=1, keepdims=True)
    spread = highest - lowest
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = INNER + (OUTER - INNER) * (values - lowest) / spread
    middle = np.where(np.isnan(values), np.nan, (INNER + OUTER) / 2)
    return np.where(spread == 0, middle, scaled)
