"""Made-up prompts in the manner of the data sets that the paper compares with (Section 4)."""

import random

from scripts.common.identity import derived_seed

GRAMMARS = {
    "vidprom": (
        (
            "a dragon",
            "an old fisherman",
            "a young woman",
            "a robot",
            "a white wolf",
            "a little boy",
            "a spaceship",
            "a samurai",
            "a steam train",
            "a group of friends",
        ),
        (
            "flying over a medieval castle",
            "walking through a forest at dawn",
            "standing on a cliff above the sea",
            "dancing in the rain in a neon city",
            "exploring an abandoned temple",
            "crossing a desert during a storm",
            "sitting by a campfire under the stars",
            "running across a frozen lake",
        ),
        (
            "cinematic, 4k",
            "anime style",
            "slow motion, highly detailed",
            "the camera follows from behind",
            "realistic, golden hour",
            "drone shot",
        ),
    ),
    "diffusiondb": (
        (
            "portrait of an elven queen",
            "a cyberpunk street",
            "a fantasy castle",
            "a cute robot",
            "an astronaut riding a horse",
            "a steampunk airship",
            "a haunted library",
            "a cat in armour",
        ),
        (
            "intricate, highly detailed, digital painting",
            "concept art, smooth, sharp focus, illustration",
            "oil on canvas, baroque, chiaroscuro",
            "volumetric lighting, octane render, unreal engine",
            "art nouveau, by alphonse mucha",
            "isometric, low poly, blender render",
        ),
        (
            "trending on artstation, 8 k",
            "matte painting, award winning",
            "f / 1. 8, bokeh, 3 5 mm",
            "symmetrical, cinematic, elegant",
            "hyperrealistic, ultra hd, hdr",
        ),
    ),
    "panda70m": (
        (
            "A man in a suit",
            "A woman with long hair",
            "A chef",
            "A football player",
            "A group of people",
            "A child",
            "A brown dog",
            "A tall woman",
        ),
        (
            "is sitting at a desk and talking to the camera",
            "is cutting vegetables on a wooden board",
            "is walking down a busy street",
            "is playing with a ball on the grass",
            "is driving a car on a highway",
            "is standing in front of a large building",
            "is holding a phone and smiling",
        ),
        (
            "on a sunny day.",
            "at night.",
            "while other people watch.",
            "and then stops.",
            "in slow motion.",
            "and looks up.",
        ),
    ),
}
"""Data set -> who or what, doing what or in which manner, and an ending: how its texts are built."""


def outside_prompts(dataset: str, count: int, seed: int) -> list[str]:
    """Return ``count`` different texts in the manner of a data set, in a seeded order.

    Fewer come back if its grammar has no more.
    """
    subjects, middles, endings = GRAMMARS[dataset]
    joints = {"vidprom": (" ", ", "), "diffusiondb": (", ", ", "), "panda70m": (" ", " ")}[dataset]
    texts = [
        f"{subject}{joints[0]}{middle}{joints[1]}{ending}"
        for subject in subjects
        for middle in middles
        for ending in endings
    ]
    random.Random(derived_seed(seed, "outside prompts", dataset)).shuffle(texts)
    return texts[:count]
