"""The columnar forms of identity give what the forms for one prompt give."""

import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.identity import normalise_prompt, prompt_uuid, shard_of
from scripts.common.identity_columns import normalise_prompts, shards_of, uuid_bytes, uuid_texts

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=8)


@given(TEXTS)
def test_prompts_are_normalised_as_one_at_a_time(texts):
    found = normalise_prompts(pl.Series(texts, dtype=pl.String)).to_list()
    assert found == [normalise_prompt(text) for text in texts]


def test_every_character_is_normalised_as_one_at_a_time():
    texts = [f"a{chr(code)}b {chr(code)}" for code in range(sys.maxunicode + 1)
             if not 0xD800 <= code < 0xE000]  # fmt: skip
    found = normalise_prompts(pl.Series(texts)).to_list()
    assert found == [normalise_prompt(text) for text in texts]


def test_prompts_that_are_missing_stay_so():
    assert normalise_prompts(pl.Series(["a  b", None, "c"])).to_list() == ["a b", None, "c"]


@pytest.mark.parametrize("shards", [1, 2, 7, 64, 100, 2**31 - 1])
def test_ids_and_buckets_are_those_of_each_prompt(shards):
    texts = ["", "a cat", "好き", *(f"prompt {number}" for number in range(500))]
    ids = uuid_bytes(texts)
    assert ids.shape == (503, 16) and ids.dtype == np.uint8
    uuids = uuid_texts(ids).to_list()
    assert uuids == [prompt_uuid(text) for text in texts]
    assert shards_of(ids, shards).tolist() == [shard_of(uuid, shards) for uuid in uuids]


def test_no_prompt_has_no_id():
    ids = uuid_bytes([])
    assert uuid_texts(ids).to_list() == [] and shards_of(ids, 4).tolist() == []
