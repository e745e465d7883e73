"""The models that are trained: of each entry one on all generators, and one for each without it."""

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.common.schemas.trace import CROSS_DOMAIN, SAME_DOMAIN


@dataclass(frozen=True)
class Trained:
    """What a trained model is.

    Attributes:
        entry: of config/tracers.yaml.
        row: of Table 5, in which it describes frames.
        held_out: the generator of which it saw nothing, whose frames are all that it describes;
            none if it saw all.
    """

    entry: str
    row: str
    held_out: str = ""


def trained_rows(entries: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return entry -> its rows of Table 5, same and cross domain; the first one's bear no name."""
    first, *others = entries
    named = {name: (f"{name}_{SAME_DOMAIN}", f"{name}_{CROSS_DOMAIN}") for name in others}
    return {first: (SAME_DOMAIN, CROSS_DOMAIN), **named}


def trained_models(entries: Sequence[str], generators: Sequence[str]) -> dict[str, Trained]:
    """Return name -> model; across domains it learns from other generators, so that needs some."""
    models = {}
    for entry, (same, cross) in trained_rows(entries).items():
        models[same] = Trained(entry, same)
        for generator in generators if len(generators) > 1 else ():
            models[f"{cross}_{generator}"] = Trained(entry, cross, generator)
    return models
