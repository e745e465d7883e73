import uuid

from hypothesis import given
from hypothesis import strategies as st

from scripts.common.identity import (
    derived_seed,
    normalise_prompt,
    prompt_uuid,
    seeded_order,
    shard_of,
)


def test_the_id_of_a_prompt_is_published_forever():
    assert prompt_uuid("the cat walks") == "2db79491-e42a-5139-9a54-9216de8b4a57"


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    assert normalise_prompt(normalise_prompt(text)) == normalise_prompt(text)


def test_composed_and_decomposed_letters_and_white_space_are_one_prompt():
    assert prompt_uuid("cafe\u0301  au\n lait ") == prompt_uuid("caf\u00e9 au lait")
    assert uuid.UUID(prompt_uuid("x")).version == 5


@given(st.uuids(), st.integers(1, 1000))
def test_shards_are_buckets_of_the_uuid(identifier, shards):
    assert shard_of(str(identifier), shards) == identifier.int % shards


def test_seeds_depend_on_every_part():
    seeds = {derived_seed(1, "a", "b"), derived_seed(2, "a", "b"), derived_seed(1, "ab")}
    assert len(seeds) == 3
    assert all(0 <= seed < 2**63 for seed in seeds)


@given(st.sets(st.text(min_size=1), min_size=2), st.integers(0, 100))
def test_a_grown_population_keeps_its_order(names, seed):
    names = sorted(names)
    before = seeded_order(names[:-1], seed)
    after = seeded_order(names, seed)
    assert [name for name in after if name != names[-1]] == before
