"""An empty data set is not published: each rule that would says so in one sentence."""

import pytest

from scripts.common.errors import UserError
from scripts.common.schemas.annotate import DATASET, PACKED_DATASET
from scripts.common.tables import write_table
from scripts.publish.card import write_card
from scripts.publish.pack_dataset import pack_dataset
from scripts.publish.pack_embeddings import pack_embeddings


def test_nothing_is_published_of_an_empty_data_set(tmp_path):
    dataset, packed = tmp_path / "dataset.parquet", tmp_path / "data/Full-00000.parquet"
    write_table([], dataset, DATASET)
    sentence = r"dataset.parquet has no row, and an empty data set is not published; .* say what"
    with pytest.raises(UserError, match=sentence):
        pack_dataset(
            dataset, tmp_path / "no.tar", tmp_path / "no.parquet", packed,
            preview_side=320, preview_quality=75,
        )  # fmt: skip
    with pytest.raises(UserError, match=sentence):
        pack_embeddings(dataset, [tmp_path / "no.parquet"], packed, modality="Text")
    write_table([], packed, PACKED_DATASET)
    with pytest.raises(UserError, match="has no row"):
        write_card(
            tmp_path / "README.md", [packed], [], annotators={}, licence="cc0-1.0", banner=""
        )
    assert not (tmp_path / "README.md").exists()
