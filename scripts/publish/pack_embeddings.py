"""Pack the data set's embeddings of one modality into one file, as they were released."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scripts.common.errors import UserError
from scripts.common.job import run_job
from scripts.common.progress import progress
from scripts.common.rule_log import Counts
from scripts.common.schemas.annotate import packed_embeddings
from scripts.common.tables import TableWriter, read_table
from scripts.publish.pack_dataset import refuse_empty

COLUMN = "embedding"


def pack_embeddings(
    dataset: Path, vectors: Sequence[Path], packed: Path, *, modality: str
) -> Counts:
    """Write the embedding of each row of the data set, one shard in memory at a time.

    The rows lie as in the data set's own files, shard after shard and sorted by UUID in each, so
    row i here belongs to row i of what Hugging Face datasets loads. A prompt that its model did not
    answer has a null.

    Args:
        dataset: table of ``DATASET``.
        vectors: tables of ``embeddings``, one for each shard; the file's stem is the shard.
        packed: table of ``packed_embeddings``.
        modality: Text or Image.

    Returns:
        Counts of the data set's rows.

    Raises:
        UserError: the data set is empty, or the embeddings are of several lengths.
    """
    shard = pl.col("Image_Prompt").str.extract(r"^images/(\d+)\.tar#").cast(pl.Categorical)
    rows = pl.scan_parquet(dataset).select("UUID", shard=shard).collect()
    refuse_empty(rows.height, dataset)
    dimension = _dimension(vectors)
    schema = packed_embeddings(modality, dimension)
    counts = Counts(declared=rows.height)
    with TableWriter(packed, schema) as writer:
        for path in progress(vectors, f"{modality.lower()} embeddings"):
            wanted = rows.filter(pl.col("shard") == path.stem)["UUID"].sort().to_arrow()
            found = read_table(path, columns=["uuid", COLUMN])
            places = pc.index_in(wanted, found["uuid"].cast(wanted.type))
            writer.write(pa.table([wanted, found[COLUMN].take(places)], names=schema.names))
            counts.keep(len(wanted) - places.null_count)
            counts.reject("no_embedding", places.null_count)
    return counts


def _dimension(vectors: Sequence[Path]) -> int:
    """Return how many numbers each embedding has."""
    kinds = {path: pq.read_schema(path).field(COLUMN).type for path in vectors}
    first = kinds[vectors[0]]
    for path, kind in kinds.items():
        if kind != first:
            raise UserError(
                f"{path} has embeddings of type {kind}, {vectors[0]} of {first}; delete the "
                "older of them and run again"
            )
    return first.list_size


if __name__ == "__main__":
    run_job(pack_embeddings, snakemake)
