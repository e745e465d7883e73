"""Identity of many prompts at once: the columnar forms of ``identity``, with the same results."""

import hashlib
from collections.abc import Iterable

import numpy as np
import polars as pl

from scripts.common.identity import NAMESPACE, normalise_prompt

_DASHES = (8, 12, 16, 20)
_PLAIN = r"^[!-~]+( [!-~]+)*$"
"""Visible ASCII with single spaces: what ``normalise_prompt`` leaves as it is."""


def normalise_prompts(prompts: pl.Series) -> pl.Series:
    """Return ``normalise_prompt`` of each text; only those that are not plain are looked at."""
    odd = prompts.filter(~prompts.str.contains(_PLAIN)).unique()
    if odd.is_empty():
        return prompts
    normal = pl.Series([normalise_prompt(text) for text in odd], dtype=pl.String)
    return prompts.replace(odd, normal)


def uuid_bytes(prompts: Iterable[str]) -> np.ndarray:
    """Return ``prompt_uuid`` of texts that are normalised, as uint8 of shape (prompts, 16)."""
    prefix = NAMESPACE.bytes
    digests = b"".join(hashlib.sha1(prefix + text.encode()).digest()[:16] for text in prompts)
    ids = np.frombuffer(digests, np.uint8).reshape(-1, 16).copy()
    ids[:, 6] = ids[:, 6] & 0x0F | 0x50  # version 5
    ids[:, 8] = ids[:, 8] & 0x3F | 0x80  # variant of RFC 4122
    return ids


def uuid_texts(ids: np.ndarray) -> pl.Series:
    """Return UUIDs as text.

    Args:
        ids: uint8 of shape (ids, 16).
    """
    digits = np.frombuffer(ids.tobytes().hex().encode(), np.uint8).reshape(-1, 32)
    texts = np.insert(digits, _DASHES, ord("-"), axis=1)
    return pl.Series(np.ascontiguousarray(texts).view("S36").ravel(), dtype=pl.Binary).cast(
        pl.String
    )


def shards_of(ids: np.ndarray, shards: int) -> np.ndarray:
    """Return ``shard_of`` each UUID: the 128-bit number modulo ``shards``.

    Args:
        ids: uint8 of shape (ids, 16).
        shards: number of buckets, below 2**31.
    """
    words = ids.copy().view(">u4").astype(np.uint64)
    rest = np.zeros(len(ids), np.uint64)
    for word in words.T:  # Horner's rule: the rest stays below 2**31, so nothing overflows
        rest = ((rest << np.uint64(32)) | word) % np.uint64(shards)
    return rest.astype(np.int32)
