"""Blocked search against sorting all products."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.trace.search import find_top_matches


def sort_all(queries, references, top_k):
    products = queries @ references.T
    order = np.argsort(-products, axis=1, kind="stable")[:, :top_k]
    return np.take_along_axis(products, order, axis=1), order


def in_blocks(references, rows):
    return (references[start : start + rows] for start in range(0, len(references), rows))


@given(
    queries=st.integers(1, 9),
    references=st.integers(1, 60),
    rows=st.integers(1, 70),
    top_k=st.integers(1, 12),
    values=st.integers(2, 5),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=150, deadline=None)
def test_equals_sorting_all_products_ties_included(queries, references, rows, top_k, values, seed):
    # Small integers multiply exactly, and few of them give many ties, as hashes do.
    random = np.random.default_rng(seed)
    queries = random.integers(0, values, (queries, 4)).astype(np.float32)
    references = random.integers(0, values, (references, 4)).astype(np.float32)
    scores, numbers = find_top_matches(queries, in_blocks(references, rows), top_k=top_k)
    expected_scores, expected = sort_all(queries, references, top_k)
    np.testing.assert_array_equal(scores, expected_scores)
    np.testing.assert_array_equal(numbers, expected)


@pytest.mark.parametrize("rows", [64, 257, 10_000])
def test_equals_sorting_all_products_of_unit_vectors(rows):
    random = np.random.default_rng(0)
    queries, references = random.standard_normal((50, 96)), random.standard_normal((3_000, 96))
    queries = (queries / np.linalg.norm(queries, axis=1, keepdims=True)).astype(np.float32)
    references = (references / np.linalg.norm(references, axis=1, keepdims=True)).astype(np.float32)
    scores, numbers = find_top_matches(queries, in_blocks(references, rows), top_k=10)
    expected_scores, expected = sort_all(queries, references, 10)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-6)
    np.testing.assert_array_equal(numbers, expected)


def test_takes_no_queries_and_no_references():
    references = np.eye(4, dtype=np.float32)
    scores, numbers = find_top_matches(np.empty((0, 4)), [references], top_k=3)
    assert scores.shape[0] == numbers.shape[0] == 0
    scores, numbers = find_top_matches(references, [], top_k=3)
    assert scores.shape == numbers.shape == (4, 0)
