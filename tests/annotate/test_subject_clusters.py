"""Merging variants of a subject: properties, scikit-learn as reference, and real names."""

import numpy as np
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import HDBSCAN

from scripts.annotate import subject_clusters
from scripts.annotate.merge_subjects import merge_subjects
from scripts.annotate.subject_clusters import (
    HDBSCAN_VARIANTS,
    METHODS,
    name_by_hdbscan,
    name_by_leaders,
)
from scripts.common.code import ROOT
from scripts.common.errors import UserError
from scripts.common.schemas.annotate import SUBJECT, SUBJECTS
from scripts.common.tables import read_table, write_table
from tests.annotate.scripted_backends import asked

MINILM = {"name": "all_minilm_l6_v2", "backend": "scripts.annotate.minilm:MiniLM"}


def unit_vectors(number, seed, dimension=3):
    vectors = np.random.default_rng(seed).normal(size=(number, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def distances(vectors):
    return np.linalg.norm(vectors[:, None] - vectors[None], axis=2)


@given(st.integers(0, 60), st.integers(0, 10_000), st.floats(0.05, 1.3), st.integers(2, 4))
@settings(max_examples=60, deadline=None)
def test_every_variant_is_near_its_name_and_no_name_is_rarer(number, seed, epsilon, smallest):
    vectors = unit_vectors(number, seed)
    counts = np.random.default_rng(seed).integers(1, 9, number)
    names = name_by_leaders(vectors, counts, min_cluster_size=smallest, epsilon=epsilon)
    assert (names[names] == names).all()
    apart = np.linalg.norm(vectors - vectors[names], axis=1)
    assert (apart <= epsilon + 1e-3).all()
    assert (counts[names] >= counts).all()
    sizes = np.bincount(names, minlength=number)[names]
    assert ((sizes == 1) | (sizes >= smallest)).all()


@given(st.integers(1, 60), st.integers(0, 10_000), st.floats(0.05, 1.3))
@settings(max_examples=60, deadline=None)
def test_a_lone_variant_is_near_no_more_frequent_name(number, seed, epsilon):
    vectors = unit_vectors(number, seed)
    counts = np.random.default_rng(seed).permutation(number) + 1  # no ties
    names = name_by_leaders(vectors, counts, min_cluster_size=2, epsilon=epsilon)
    near = distances(vectors) < epsilon - 1e-3
    for variant in np.flatnonzero(names == np.arange(number)):
        better = (names == np.arange(number)) & (counts > counts[variant])
        assert not (near[variant] & better).any()


def density_clusters(vectors, epsilon):
    """Return the clusters at ``epsilon`` of a full matrix of distances."""
    near = distances(vectors.astype(float)) <= epsilon
    labels = connected_components(coo_matrix(near), directed=False)[1]
    return [np.flatnonzero(labels == label) for label in set(labels)]


def names_from_all_distances(vectors, counts, min_cluster_size, epsilon):
    """Return what ``name_by_leaders`` does, from HDBSCAN's clusters and without blocks."""
    apart = distances(vectors.astype(float))
    names = np.arange(len(vectors))
    for members in density_clusters(vectors, epsilon):
        leaders = []
        if len(members) < min_cluster_size:
            continue
        for row in members[np.argsort(-counts[members], kind="stable")]:
            near = [leader for leader in leaders if apart[row, leader] <= epsilon]
            names[row] = min(near, key=lambda leader: apart[row, leader]) if near else row
            leaders += [] if near else [row]
    sizes = np.bincount(names, minlength=len(names))
    return np.where(sizes[names] >= min_cluster_size, names, np.arange(len(names)))


@pytest.mark.parametrize("epsilon", [0.1, 0.3, 0.6])
def test_the_clusters_are_those_of_scikit_learns_hdbscan(epsilon):
    cluster = pytest.importorskip("sklearn.cluster")
    vectors = unit_vectors(150, seed=3)
    model = cluster.HDBSCAN(min_cluster_size=2, min_samples=1, copy=True).fit(vectors.astype(float))
    labels = model.dbscan_clustering(epsilon, min_cluster_size=2)
    expected = {frozenset(np.flatnonzero(labels == label)) for label in set(labels) - {-1}}
    found = {frozenset(rows) for rows in density_clusters(vectors, epsilon) if len(rows) > 1}
    assert found == expected
    assert expected
    # Noise keeps its own name, and no subject goes beyond a cluster.
    names = name_by_leaders(vectors, np.ones(150, int), min_cluster_size=2, epsilon=epsilon)
    assert (names[labels == -1] == np.flatnonzero(labels == -1)).all()
    assert (labels[names] == labels).all()


@given(
    st.integers(0, 80), st.integers(0, 10_000), st.floats(0.05, 1.3), st.integers(2, 4),
    st.integers(1, 40), st.integers(1, 40),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_the_names_are_those_from_all_distances(number, seed, epsilon, smallest, block, tile):
    vectors = unit_vectors(number, seed)
    random = np.random.default_rng(seed)
    twins = random.integers(0, max(number, 1), number // 3)
    vectors[: len(twins)] = vectors[twins]  # equal vectors, as of 'Dragon' and 'dragon'
    counts = random.integers(1, 9, number)
    # At the limit itself, rounding decides.
    assume((np.abs(distances(vectors.astype(float)) - epsilon) > 1e-5).all())
    expected = names_from_all_distances(vectors, counts, smallest, epsilon)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subject_clusters, "_BLOCK", block)
        patch.setattr(subject_clusters, "_TILE", tile)
        found = name_by_leaders(vectors, counts, min_cluster_size=smallest, epsilon=epsilon)
    assert (found == expected).all()


def test_a_chain_is_taken_apart():
    angles = np.array([0.0, 0.5, 1.0, 1.5])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert len(density_clusters(vectors, 0.6)) == 1
    names = name_by_leaders(vectors, np.array([9, 1, 1, 1]), min_cluster_size=2, epsilon=0.6)
    assert names.tolist() == [0, 0, 2, 2]


def write_subjects(path, counts):
    rows = [
        {"uuid": f"{variant}-{number}", "subject": variant, "status": "ok", "backend": "made_up"}
        for variant, count in counts.items()
        for number in range(count)
    ]
    rows.append({"uuid": "none", "subject": None, "status": "ok", "backend": "made_up"})
    write_table(rows, path, SUBJECT)
    return path


def merged(tmp_path, counts, entry=MINILM, method="leaders"):
    annotations = [write_subjects(tmp_path / "00000.parquet", counts)]
    output = tmp_path / "subjects.parquet"
    settings = {"batch_size": 64, "min_cluster_size": 2, "epsilon": 0.7, "method": method}
    settings |= {"entries": {"subjects": entry}, "ledger_root": tmp_path / "ledger"}
    found = merge_subjects(annotations, output, **settings)
    assert (found.read, found.lost) == (len(counts), 0)
    return {row["variant"]: row for row in read_table(output, SUBJECTS).to_pylist()}


def test_variants_of_one_subject_become_one(tmp_path):
    variants = ["astronaut", "astronauts", "an astronaut", "astronaut, space", "Dragon"]
    variants += ["Dragons", "Dragon, creature", "Dragon creature", "cat", "dog", "spaceship"]
    rows = merged(tmp_path, {variant: 11 - rank for rank, variant in enumerate(variants)})
    subjects = {variant: row["subject"] for variant, row in rows.items()}
    assert {name for variant, name in subjects.items() if "astronaut" in variant} == {"astronaut"}
    assert {name for variant, name in subjects.items() if "Dragon" in variant} == {"Dragon"}
    for lone in ("cat", "dog", "spaceship"):
        assert subjects[lone] == lone
        assert rows[lone]["cluster"] == -1
    assert rows["astronauts"]["cluster"] == 0
    assert rows["Dragons"] == {
        "variant": "Dragons",
        "subject": "Dragon",
        "count": 6,
        "cluster": 1,
    }


def test_the_most_frequent_spelling_is_the_name(tmp_path):
    rows = merged(tmp_path, {"astronaut": 2, "Astronauts": 5, "cat": 1})
    assert rows["astronaut"]["subject"] == rows["Astronauts"]["subject"] == "Astronauts"


def test_hdbscan_is_scikit_learns_with_the_most_frequent_variant_as_name():
    vectors, counts = unit_vectors(120, seed=5), np.random.default_rng(5).permutation(120) + 1
    names = name_by_hdbscan(vectors, counts, min_cluster_size=3, epsilon=0.7)
    labels = HDBSCAN(min_cluster_size=3, copy=True).fit(vectors.astype(float)).labels_
    assert (names[labels == -1] == np.flatnonzero(labels == -1)).all()
    for label in range(labels.max() + 1):
        (name,) = set(names[labels == label])
        assert labels[name] == label and counts[name] == counts[labels == label].max()
    assert labels.max() > 0


def test_hdbscan_puts_what_has_no_vector_to_nothing_and_needs_no_two():
    vectors = np.zeros((4, 3), np.float32)
    for rows in (vectors[:0], vectors[:1], vectors, np.concatenate([vectors, np.eye(3)[:1]])):
        names = name_by_hdbscan(rows, np.ones(len(rows)), min_cluster_size=2, epsilon=0.7)
        assert (names == np.arange(len(rows))).all()


def test_more_subjects_than_hdbscan_can_do_are_refused_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(subject_clusters, "HDBSCAN_VARIANTS", 3)
    sentence = r"takes at most 3 unique subjects, .* and there are 4; set it to 'leaders'"
    with pytest.raises(UserError, match=sentence):
        merged(tmp_path, {"cat": 1, "cats": 1, "dog": 1, "dogs": 1}, method="hdbscan")


def test_hdbscan_gives_a_table_of_the_same_schema(tmp_path):
    rows = merged(
        tmp_path, {"astronaut": 2, "astronauts": 5, "cat": 1, "cats": 3}, method="hdbscan"
    )
    assert rows["astronaut"] == {
        "variant": "astronaut", "subject": "astronauts", "count": 2, "cluster": 0
    }  # fmt: skip
    assert rows["cat"]["subject"] == "cats"


def test_the_configurations_methods_are_those_there_are():
    path = "properties.annotate.properties.subjects.properties.method.enum"
    found = yaml.safe_load((ROOT / "config/schemas/config.schema.yaml").read_text())
    for key in path.split("."):
        found = found[key]
    assert found == list(METHODS)
    assert f"{HDBSCAN_VARIANTS:,} unique subjects" in (ROOT / "config/config.yaml").read_text()


def test_no_subject_at_all_gives_an_empty_table(tmp_path):
    assert merged(tmp_path, {}) == {}


def test_new_variants_alone_are_embedded_and_one_without_a_vector_stays_alone(tmp_path):
    record = tmp_path / "record"
    entry = {
        "name": "scripted",
        "backend": "tests.annotate.scripted_backends:Scripted",
        "settings": {"record": str(record), "dimension": 64},
    }
    rows = merged(tmp_path, {"cat": 2, "refuse": 1, "refuse too": 1}, entry=entry)
    assert rows["refuse"]["cluster"] == rows["refuse too"]["cluster"] == -1
    record.unlink()
    merged(tmp_path, {"cat": 2, "horse": 1}, entry=entry)
    assert asked(record) == ["loaded", "horse"]
