"""Tables of the stage trace: decoded frames, features, matches, and what they amount to."""

import pyarrow as pa

from scripts.common.schemas.items import REASONS as ITEM_REASONS
from scripts.common.schemas.items import outcome
from scripts.common.tables import column, embedding, optional, table_schema

QUERY, BACKGROUND = "query", "background"
"""With the roles of TIP-Trace: queries with and without a true match; references that are one and
that are none; pictures that only say how much a query has in common with any picture."""

DISTRACTORS, REFERENCES, BACKGROUNDS = "distractors", "references", "background"
TRAINING_IMAGES, SOURCE_IMAGES = "training_images", "source_images"
"""Sets of pictures; each generator's query frames are one more."""

ALONG_SET, VIDEO_SET = "{}-along", "{}-video"
"""A generator's frames along its videos; and these videos, whose score is the mean of their frames'."""

SAME_DOMAIN, CROSS_DOMAIN = "cosface_same_domain", "cosface_cross_domain"
"""The rows 'Ours' of Table 5: trained on all generators, or on all but the tested one."""

MUAP, MUAP_LOW, MUAP_HIGH = "muAP", "muAP_low", "muAP_high"
MUAP_TOP_K = "muAP_top_k"
"""Of the best references of each query, instead of the best pairs of all."""

MUAP_RERANKED = "muAP_reranked"
"""Of the same pairs, scored by the re-ranker."""

MUAP_AT, MUAP_VIDEO = "muAP_at_", "muAP_video"
"""Of one of the frames along the videos, numbered from 1; and of the mean of their cosines."""

RECALL_AT_1, RECALL_AT_P90 = "recall_at_1", "recall_at_p90"

REASONS = ITEM_REASONS | {
    "damaged_tar": "the tar holds other bytes than its index says",
    "embedding_failed": "the tracer raised an error for the picture",
    "not_a_number": "the tracer gave no finite numbers for the picture",
    "matching_failed": "the re-ranker raised an error for the query and its candidates",
    "no_source_image": "the query's source image is not among the references that were described",
}
"""The closed list of reasons of this stage; those of the item index are passed on."""

TRACER_FAULTS = ("embedding_failed", "not_a_number", "no_source_image")
"""Those that are a tracer's own: its query is a miss, and not left out."""

_STATUS = outcome(REASONS)

FRAME_INDEX = table_schema(
    "frame_index",
    "One row per frame that TIP-Trace wants of a shard of videos; the files lie in the tar beside.",
    column("uuid", pa.string(), "id of the video's prompt"),
    column("part", pa.string(), "train, query or along"),
    column("frame", pa.int32(), "number of the frame, from 0"),
    *_STATUS,
    optional("offset", pa.int64(), "where the picture begins in the tar", "bytes"),
    optional("size_bytes", pa.int64(), "size of the picture", "bytes"),
    optional("sha256", pa.string(), "checksum of the picture"),
)

_FEATURE_COLUMNS = [
    column(
        "uuid",
        pa.string(),
        "id of the picture: of its prompt (<id>.<frame> of frames along it), or of an outside item",
    ),
    column("role", pa.string(), "query, distractor, source_image, reference or background"),
    *_STATUS,
]

MATCHES = table_schema(
    "matches",
    "The best references of each query by cosine; one row of a query that was not searched for.",
    column(
        "set",
        pa.string(),
        "whose video the query is a frame of, as a set of pictures; or distractors",
    ),
    column("query", pa.string(), "id of the query: of its prompt, or of a distractor"),
    column("role", pa.string(), "query or distractor"),
    *_STATUS,
    optional("rank", pa.int32(), "1 for the best reference"),
    optional("reference", pa.string(), "id of the reference"),
    optional(
        "score",
        pa.float32(),
        "cosine of query and reference, less the query's normalisation if there is any; or what the "
        "re-ranker gives",
    ),
    optional("is_match", pa.bool_(), "whether it is the query's source image"),
)

PAIR_SCORES = table_schema(
    "pair_scores",
    "One row per query: the re-ranker's scores of its candidates, in the order of its matches.",
    column("uuid", pa.string(), "id of the query"),
    column(
        "scores", pa.list_(pa.float32()), "probability that query and reference are of one source"
    ),
)

METRICS = table_schema(
    "tracing_metrics",
    "How well a tracer finds the source images of one generator's frames (Table 5).",
    column("tracer", pa.string(), "entry of config/tracers.yaml, or the trained tracer's setting"),
    column("generator", pa.string(), "whose frames are the queries"),
    column("metric", pa.string(), "muAP, its 95 % interval (_low, _high), a recall"),
    optional("value", pa.float64(), "share in [0, 1]; none without any true pair"),
    column("queries", pa.int64(), "queries searched for, distractors included"),
    column("references", pa.int64(), "references searched in, source images included"),
    column("positives", pa.int64(), "true pairs of query and source image"),
    column("rejected", pa.int64(), "queries and references that could not be described"),
)

NEAR_DUPLICATE_COLUMNS = ("query", "training", "cosine")
"""Columns of results/trace/near_duplicates.csv: prompts whose images look alike."""

TRAINING_COLUMNS = ("epoch", "iteration", "learning_rate", "loss", "accuracy")
"""Columns of results/trace/training/{model}.csv: means since the row before."""


def features_schema(dimension: int) -> pa.Schema:
    """Return the schema of a tracer's features, for embeddings of so many numbers."""
    return table_schema(
        "features",
        "One row per picture of a set: a tracer's description of it, or why there is none.",
        *_FEATURE_COLUMNS,
        optional("embedding", embedding(dimension), "unit vector"),
    )
