"""Made-up prompts in the manner of the data sets that the paper compares with (Section 4)."""

import itertools
import random

from scripts.common.identity import derived_seed
from scripts.demo.lists import phrases

GRAMMARS = {
    "vidprom": "{} {}, {}",
    "diffusiondb": "{}, {}, {}",
    "panda70m": "{} {} {}",
}
"""Data set -> how who or what, doing what or in which manner, and an ending (the rows of
phrases.csv under its name) are put together."""


def outside_prompts(dataset: str, count: int, seed: int) -> list[str]:
    """Return ``count`` different texts in the manner of a data set, in a seeded order.

    Fewer come back if its grammar has no more.
    """
    parts = itertools.product(*phrases(dataset).values())
    found = [GRAMMARS[dataset].format(*words) for words in parts]
    random.Random(derived_seed(seed, "outside prompts", dataset)).shuffle(found)
    return found[:count]
