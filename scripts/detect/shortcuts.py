"""How well classes are told apart by their format alone: the container's baseline, and by shortcut."""

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
import pandas as pd
from scipy.stats import binom
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from scripts.detect.formats import CONTAINER, SHORTCUTS

FOLDS, TREES = 5, 50
LEVEL = 0.01
"""Probability that any shortcut is reported of a generator where there is none at all."""


def container_probabilities(formats: pd.DataFrame, seed: int) -> np.ndarray:
    """Return how likely each class is of videos of which only the container is seen.

    A random forest is asked for each fold of the videos after it learned
    from the others; videos of one group, such as pieces of one recording, are in one fold.

    Args:
        formats: rows of what ``describe_format`` returns, with ``label`` and ``group``.
        seed: of the forest.

    Returns:
        float64 of shape (videos, classes), classes in the order of their names.
    """
    forest = RandomForestClassifier(TREES, random_state=seed % 2**32)
    return _predicted(forest, formats, CONTAINER, "predict_proba")


def find_shortcuts(formats: pd.DataFrame, seed: int) -> dict[str, Mapping[str, float | bool]]:
    """Return for each shortcut how well it alone tells two classes of one size apart.

    A tree of two levels is asked as the container's baseline is. A shortcut is found if so many
    right answers or more would come of guessing with a probability below ``LEVEL``, divided by the
    number of shortcuts.

    Args:
        formats: as of ``container_probabilities``, of two classes of one size.
        seed: of the tree.

    Returns:
        shortcut -> accuracy, p_value, is_found.
    """
    found = {}
    for name, columns in SHORTCUTS.items():
        tree = DecisionTreeClassifier(max_depth=2, random_state=seed % 2**32)
        right = int((_predicted(tree, formats, columns, "predict") == formats["label"]).sum())
        p_value = float(binom.sf(right - 1, len(formats), 0.5))
        is_found = p_value < LEVEL / len(SHORTCUTS)
        accuracy = right / len(formats)
        found[name] = {"accuracy": accuracy, "p_value": p_value, "is_found": is_found}
    return found


def _predicted(
    model: RandomForestClassifier | DecisionTreeClassifier,
    formats: pd.DataFrame,
    columns: Sequence[str],
    method: str,
) -> np.ndarray:
    numbers = formats[list(columns)].copy()
    if "codec" in numbers:
        numbers["codec"] = [crc32(name.encode()) for name in numbers["codec"]]
    # By groups, which are many: a fold that happened to lack a class would have no such column.
    folds = StratifiedGroupKFold(FOLDS)
    return cross_val_predict(
        model, numbers, formats["label"], groups=formats["group"], cv=folds, method=method
    )
