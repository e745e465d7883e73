"""Which image shards can hold the image prompts of a video shard."""

from collections.abc import Sequence
from math import gcd


def shards_beside(shard: str, shards: int, image_shards: Sequence[str]) -> list[str]:
    """Return the image shards that can hold an item of one of ``shards`` video shards.

    An id that is s modulo n is b modulo m only if s and b agree modulo gcd(n, m). With as many
    image shards as video shards, that is one; with 100 and 64, sixteen.

    Args:
        shard: name of the video shard, five digits.
        shards: number of video shards.
        image_shards: names of all image shards.
    """
    common = gcd(shards, len(image_shards))
    return [name for name in image_shards if (int(name) - int(shard)) % common == 0]
