"""Identity: the id of a prompt, its shard, and the seeds that are derived from it."""

import hashlib
import re
import unicodedata
import uuid
from collections.abc import Iterable
from pathlib import PurePosixPath

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://tip-i2v.github.io/prompts")
"""Published namespace of all prompt ids: 'the same prompt has the same id on every machine'."""

_UUID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])", re.I)


def normalise_prompt(text: str) -> str:
    """Return ``text`` in Unicode NFC with every run of white space folded to one space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def prompt_uuid(text: str) -> str:
    """Return the UUID (version 5) of a prompt's normalised text."""
    return str(uuid.uuid5(NAMESPACE, normalise_prompt(text)))


def item_uuid(collection: str, name: str) -> str:
    """Return the UUID of an item that is no prompt, such as a real video's segment.

    The collection's name keeps it apart from every prompt and every other collection.
    """
    return str(uuid.uuid5(uuid.uuid5(NAMESPACE, f"collection:{collection}"), name))


def find_uuid(name: str) -> str | None:
    """Return the UUID in a file's name: of the file if there is one, else of its folders."""
    path = PurePosixPath(name)
    for part in (path.name, *reversed(path.parts[:-1])):
        if found := _UUID.findall(part):
            return found[-1].lower()
    return None


def shard_of(identifier: str, shards: int) -> int:
    """Return the bucket (0-based) of a UUID among ``shards`` buckets."""
    return uuid.UUID(identifier).int % shards


def shard_name(shard: int) -> str:
    """Return a bucket's name in paths: five digits."""
    return f"{shard:05d}"


def shard_names(shards: int) -> list[str]:
    """Return the names of all buckets, in order."""
    return [shard_name(shard) for shard in range(shards)]


def derived_seed(seed: int, *parts: object) -> int:
    """Return a seed in [0, 2**63) that depends on the run's seed and on ``parts`` only.

    The same item gets the same seed on every machine and in every order of work.
    """
    return _digest(seed, *parts) >> 1


def seeded_order(identifiers: Iterable[str], seed: int, *parts: object) -> list[str]:
    """Return the identifiers in a random order that depends on each identifier alone.

    Taking the first n is a uniform sample; adding an identifier moves no other one's key, so a
    sample of a grown population keeps what it had as far as possible.
    """
    return sorted(set(identifiers), key=lambda name: (_digest(seed, *parts, name), name))


def _digest(*parts: object) -> int:
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
