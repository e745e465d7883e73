"""Report training images that look like a query's source image, though their bytes differ."""

from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import OK
from scripts.common.schemas.trace import NEAR_DUPLICATE_COLUMNS
from scripts.trace.faiss_products import FaissProducts
from scripts.trace.feature_tables import dimension_of, read_pictures, read_vectors
from scripts.trace.search import find_top_matches

NEAREST = 5
_ROWS = 2**28
"""Numbers of a block of float32 features: 1 GiB."""


def find_near_duplicates(
    training_images: Path, source_images: Path, report: Path, *, cosine: float, threads: int = 1
) -> Counts:
    """Find the training images that are nearest to each query's source image.

    People crop and re-save a picture and animate it anew. Equal bytes are no part of TIP-Trace
    (``split_tip_trace``); what merely looks alike stays, and is told here.

    Args:
        training_images: features of the training prompts' images (``features_schema``).
        source_images: features of the query prompts' images, by the same tracer.
        report: output, CSV (``NEAR_DUPLICATE_COLUMNS``), the nearest pairs first; of a source image
            the ``NEAREST`` at most.
        cosine: from which on two pictures are near duplicates; SSCD's authors take 0.75.
        threads: of the search.

    Returns:
        Counts of source images.
    """
    asked, known = (read_pictures([path]) for path in (source_images, training_images))
    counts = Counts.of_statuses(dict(enumerate(asked["reason"].to_pylist())))
    asked, known = (table.filter(pc.equal(table["status"], OK))["uuid"] for table in (asked, known))
    rows = _ROWS // max(1, dimension_of([training_images, source_images]))
    pairs = []
    for start, queries in enumerate(read_vectors([source_images], rows)):
        blocks = read_vectors([training_images], rows)
        found = find_top_matches(queries, blocks, top_k=NEAREST, products=FaissProducts(threads))
        near, places = np.nonzero(found[0] >= cosine)
        query, training = asked.take(near + start * rows), known.take(found[1][near, places])
        pairs.append([query.to_pylist(), training.to_pylist(), found[0][near, places].tolist()])
    columns = [list(chain(*parts)) for parts in zip(*pairs, strict=True)] or [[], [], []]
    table = pd.DataFrame(dict(zip(NEAR_DUPLICATE_COLUMNS, columns, strict=True)))
    table = table.sort_values(["cosine", "query", "training"], ascending=[False, True, True])
    report.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(report, index=False, lineterminator="\n", float_format="%.4f")
    if len(table):
        counts.notes.append(
            f"{table['query'].nunique():,} of the queries' source images look like a training image "
            f"({report})"
        )
    return counts


if __name__ == "__main__":
    run_job(find_near_duplicates, snakemake)
