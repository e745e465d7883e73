"""Blocked search, on every way of multiplying, against sorting all products."""

import faiss
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.trace.faiss_products import FaissProducts
from scripts.trace.search import find_top_matches
from scripts.trace.torch_products import TorchProducts

torch.set_num_threads(1)


class ShortMantissas(TorchProducts):
    """Torch on the CPU, with factors cut to 11 bits as a card's matrix units cut them."""

    def _multiply(self, left, right):
        def cut(factor):
            bits = factor.numpy().view(np.int32) & ~np.int32(2**13 - 1)
            return torch.from_numpy(bits.view(np.float32).copy())

        return super()._multiply(cut(left), cut(right))


def faiss_on_a_gpu():
    """Faiss's other entry point, by an exact index that adds up from the other end."""
    products = FaissProducts(1)

    def knn_gpu(queries, block, wanted, metric):
        assert metric == faiss.METRIC_INNER_PRODUCT
        index = faiss.IndexFlatIP(block.shape[1])
        index.add(np.ascontiguousarray(block[:, ::-1]))
        return index.search(np.ascontiguousarray(queries[:, ::-1]), wanted)

    products._knn_gpu = knn_gpu
    return products


WAYS = {
    "faiss_gpu": faiss_on_a_gpu,
    "faiss": lambda: FaissProducts(1),
    "torch": lambda: TorchProducts("cpu", memory_mb=1),
    "short": lambda: ShortMantissas("cpu", memory_mb=1),
}


def sort_all(queries, references, top_k):
    products = (queries.astype(np.float64) @ references.T.astype(np.float64)).astype(np.float32)
    order = np.argsort(-products, axis=1, kind="stable")[:, :top_k]
    return np.take_along_axis(products, order, axis=1), order


def in_blocks(references, rows):
    return (references[start : start + rows] for start in range(0, len(references), rows))


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("way", WAYS)
@given(
    queries=st.integers(1, 9),
    references=st.integers(1, 60),
    rows=st.integers(1, 70),
    top_k=st.integers(1, 12),
    values=st.integers(2, 5),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_equals_sorting_all_products_ties_included(
    way, queries, references, rows, top_k, values, seed
):
    # Small integers multiply exactly, and few of them give many ties, as hashes do.
    random = np.random.default_rng(seed)
    queries = random.integers(0, values, (queries, 4)).astype(np.float32)
    references = random.integers(0, values, (references, 4)).astype(np.float32)
    scores, numbers = find_top_matches(
        queries, in_blocks(references, rows), top_k=top_k, products=WAYS[way]()
    )
    expected_scores, expected = sort_all(queries, references, top_k)
    np.testing.assert_array_equal(scores, expected_scores)
    np.testing.assert_array_equal(numbers, expected)


@pytest.fixture(scope="module")
def crowd():
    """Pictures of which many are twins, and many others differ in the last bit only."""
    random = np.random.default_rng(0)
    references = unit(random.standard_normal((3_000, 96)))
    references[1_000:1_200] = references[:200]
    references[2_000:2_200] = references[:200]
    references[2_500:2_700] = np.nextafter(references[:200], np.float32(1))
    queries = unit(random.standard_normal((50, 96)) + 3 * references[:50])
    return queries, references


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rows", [64, 257, 10_000])
@pytest.mark.parametrize("top_k", [1, 3, 10])
def test_is_the_same_in_whatever_blocks_and_on_whatever_device(crowd, way, rows, top_k):
    queries, references = crowd
    scores, numbers = find_top_matches(
        queries, in_blocks(references, rows), top_k=top_k, products=WAYS[way]()
    )
    expected_scores, expected = sort_all(queries, references, top_k)
    np.testing.assert_array_equal(numbers, expected)
    np.testing.assert_array_equal(scores, expected_scores)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("rows", [257, 10_000])
def test_is_the_same_on_a_gpu(crowd, rows):
    queries, references = crowd
    found = find_top_matches(
        queries, in_blocks(references, rows), top_k=10, products=TorchProducts("cuda")
    )
    np.testing.assert_array_equal(found[0], sort_all(queries, references, 10)[0])
    np.testing.assert_array_equal(found[1], sort_all(queries, references, 10)[1])


def test_all_references_alike():
    queries = unit(np.ones((3, 8)))
    references = np.repeat(queries[:1], 500, axis=0)
    for make in WAYS.values():
        _, numbers = find_top_matches(queries, in_blocks(references, 200), top_k=5, products=make())
        np.testing.assert_array_equal(numbers, [list(range(5))] * 3)


def test_the_fast_product_alone_would_be_wrong(crowd):
    """What the exact product is for: the short mantissas alone put other references first."""
    queries, references = crowd
    products = ShortMantissas("cpu")
    products.start(queries)
    products.take(references)
    rows = products.candidates(10)[1]
    assert (rows != sort_all(queries, references, 10)[1]).any()


def test_takes_no_queries_and_no_references():
    references = np.eye(4, dtype=np.float32)
    scores, numbers = find_top_matches(
        np.empty((0, 4)), [references], top_k=3, products=FaissProducts()
    )
    assert scores.shape == numbers.shape == (0, 3)
    scores, numbers = find_top_matches(references, [], top_k=3, products=FaissProducts())
    assert scores.shape == numbers.shape == (4, 0)


def test_faiss_on_a_gpu_is_asked_for_what_it_can_find(monkeypatch):
    asked = []

    def knn_gpu(resources, queries, block, wanted, metric):
        asked.append((resources, wanted))
        return faiss.knn(queries, block, wanted, metric=metric)

    monkeypatch.setattr(faiss, "StandardGpuResources", lambda: "card", raising=False)
    monkeypatch.setattr(faiss, "knn_gpu", knn_gpu, raising=False)
    vectors = unit(np.random.default_rng(0).normal(size=(2_100, 4)))
    for top_k in (10, 2_060):
        blocks = in_blocks(vectors, 2_100)
        found = find_top_matches(
            vectors[:2], blocks, top_k=top_k, products=FaissProducts(1, gpu=True)
        )
        assert np.array_equal(found[1], sort_all(vectors[:2], vectors, top_k)[1])
    assert asked == [("card", 10 + FaissProducts.spare)]


def test_a_faiss_without_cuda_says_so(monkeypatch):
    monkeypatch.delattr(faiss, "StandardGpuResources", raising=False)
    with pytest.raises(UserError, match="the faiss that is installed knows no GPU"):
        FaissProducts(1, gpu=True)
