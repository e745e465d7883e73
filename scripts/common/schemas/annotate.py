"""Tables of the stage annotate: one per annotation, the merged subjects, the data set."""

import json

import pyarrow as pa

from scripts.common.schemas.items import outcome
from scripts.common.tables import TEXTS, column, embedding, optional, table_schema

SAFE, NSFW = "Safe", "NSFW"
"""Values of ``Image_NSFW``; the release has 'Safe' for a harmless picture."""

REASONS = {
    "undecodable": "the image prompt cannot be decoded",
    "empty_file": "the image prompt has no bytes",
    "refused": "the model's endpoint does not take this item, or refuses to answer",
    "malformed_answer": "the model's answer is not of the form that was asked for",
    "service_failed": "the model's endpoint failed on this item, retries included",
    "annotation_failed": "the annotator fails on this item, and not on others",
    "not_released": "the released data set has no value for the prompt",
}
"""The closed list of reasons of an annotation."""

DATASET_REASONS = {
    "no_image": "the prompt has no image; ``detail`` is the reason in the image index",
    "not_annotated": "the picture cannot be read, or nobody was asked; ``detail`` is annotator: reason",
}
"""The closed list of reasons why a prompt is not in the data set."""

_SCORES = pa.map_(pa.string(), pa.field("value", pa.float32(), nullable=False))


_UUID = column("uuid", pa.string(), "id of the prompt")
_STATUS = outcome(REASONS)
_BACKEND = column("backend", pa.string(), "entry of config/annotators.yaml that made it")


def _annotation(name: str, description: str, *values: pa.Field) -> pa.Schema:
    """Return a schema: one row per prompt that has an image, done or rejected."""
    return table_schema(name, description, _UUID, *values, *_STATUS, _BACKEND)


def values_of(schema: pa.Schema) -> pa.Schema:
    """Return the columns that an annotator's answer decides: those that a ledger keeps."""
    others = {field.name for field in (*_STATUS, _BACKEND)}
    fields = [field for field in schema if field.name not in others]
    return pa.schema(fields, metadata=schema.metadata)


EMBEDDED = table_schema(
    "embedded",
    "Which prompts have an embedding (Section 3). Vectors lie apart, so that others of the same "
    "prompts change nothing here.",
    _UUID,
    *_STATUS,
)


def embeddings(dimension: int) -> pa.Schema:
    """Return the schema of embeddings of texts or of pictures with so many numbers each."""
    return table_schema(
        "embeddings",
        "Embeddings of text or image prompts (Section 3).",
        _UUID,
        column("embedding", embedding(dimension), "vector of length 1"),
        _BACKEND,
    )


TEXT_NSFW = _annotation(
    "text_nsfw",
    "How unsafe text prompts are (Section 3).",
    optional("score", pa.float32(), "the released score, 0 to 1"),
    optional("scores", _SCORES, "all scores of the model by name, 0 to 1"),
)

IMAGE_NSFW = _annotation(
    "image_nsfw",
    "How unsafe image prompts are (Section 3).",
    optional("score", pa.float32(), "probability that the picture is unsafe"),
    optional("label", pa.string(), f"{SAFE} or {NSFW}"),
)

SUBJECT = _annotation(
    "subject",
    "What each prompt wants to see animated (Section 3).",
    optional("subject", pa.string(), "as the tagger names it; null if there is none"),
)

DIRECTION = _annotation(
    "direction",
    "What each prompt wants to happen (Supplement 10).",
    optional("verbs", TEXTS, "verbs in base form, in order, each once"),
)

COSTS = table_schema(
    "costs",
    "What the annotations behind an endpoint will cost.",
    column("annotation", pa.string(), "column of annotate.annotators"),
    column("annotator", pa.string(), "entry of config/annotators.yaml"),
    column("texts", pa.int64(), "texts to be sent: those that are not in the ledger"),
    column("estimated_usd", pa.float64(), "what they will cost, on the high side", "USD"),
    column("spent_usd", pa.float64(), "what was spent by earlier runs", "USD"),
    column("budget_usd", pa.float64(), "what may be spent in all", "USD"),
)

SUBMITTED = table_schema(
    "submitted",
    "The prompts whose annotation was asked of an endpoint in batches, or was there already.",
    column("shard", pa.string(), "name of the shard"),
    column("prompts", pa.int64(), "prompts with an image"),
    column("checksum", pa.string(), "of what they are called"),
)

SUBJECTS = table_schema(
    "subjects",
    "Variants of subjects, merged (Supplement 10).",
    column("variant", pa.string(), "subject as a tagger named it"),
    column("subject", pa.string(), "the most frequent variant of its cluster"),
    column("count", pa.int64(), "prompts with this variant"),
    column("cluster", pa.int32(), "rank of the cluster by prompts; -1 for a lone variant"),
)


def variant_embeddings(dimension: int) -> pa.Schema:
    """Return the schema of the ledger of subjects' embeddings."""
    return table_schema(
        "variant_embeddings",
        "Embeddings of unique subjects.",
        column("variant", pa.string(), "subject as a tagger named it"),
        column("embedding", embedding(dimension, pa.float32()), "vector of length 1"),
    )


_PICTURE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])

_IMAGE_PATH = column(
    "Image_Prompt",
    pa.string(),
    "images/{shard}.tar#{uuid}.png; the index beside the tar says where a released one lies",
)
_IMAGE_BYTES = column("Image_Prompt", _PICTURE, "the picture as JPEG, its longer side bounded")

_RELEASED = [
    column("UUID", pa.string(), "version-5 UUID of the text prompt"),
    column("Text_Prompt", pa.string(), "text prompt"),
    _IMAGE_PATH,
    optional("Subject", pa.string(), "merged subject; null if there is none"),
    column("Timestamp", pa.string(), "YYYY-MM-DD hh:mm:ss, UTC"),
    optional("Text_NSFW", pa.float32(), "how unsafe the text is, 0 to 1; null if unanswered"),
    optional("Image_NSFW", pa.string(), f"{SAFE} or {NSFW}; null if unanswered"),
    optional("UserID", pa.string(), "keyed hash of who asked"),
    optional(
        "Direction",
        pa.string(),
        "verbs in base form, separated by commas; empty if there are none, null if unanswered",
    ),
]

DATASET = table_schema("dataset", "The data set in the released columns (Figure 2).", *_RELEASED)

_FEATURES = {
    field.name: {"_type": "Value", "dtype": "float32" if field.type == pa.float32() else "string"}
    for field in _RELEASED
} | {"Image_Prompt": {"_type": "Image"}}

PACKED_DATASET = pa.schema(
    [_IMAGE_BYTES if field is _IMAGE_PATH else field for field in _RELEASED],
    metadata={
        "name": "packed_dataset",
        "description": "The data set with its pictures, as Hugging Face datasets reads it.",
        "huggingface": json.dumps({"info": {"features": _FEATURES}}),
    },
)


def packed_embeddings(modality: str, dimension: int) -> pa.Schema:
    """Return the schema of the data set's embeddings of Text or Image, with so many numbers each."""
    return table_schema(
        "packed_embeddings",
        f"{modality} embeddings of the data set's rows, in the order of its files.",
        column("UUID", pa.string(), "version-5 UUID of the text prompt"),
        optional(
            f"{modality}_Embedding", embedding(dimension), "vector of length 1; null if unanswered"
        ),
    )


def packed_videos(generator: str) -> pa.Schema:
    """Return the schema of a generator's videos, as the hub's viewer shows them."""
    features = {"UUID": {"_type": "Value", "dtype": "string"}, "Video": {"_type": "Video"}}
    columns = [
        column("UUID", pa.string(), "version-5 UUID of the text prompt"),
        column("Video", _PICTURE, "the video as MP4; its path names the generator"),
    ]
    return pa.schema(
        columns,
        metadata={
            "name": "packed_videos",
            "description": f"Videos of {generator}, as Hugging Face datasets reads them.",
            "huggingface": json.dumps({"info": {"features": features}}),
        },
    )


DATASET_REJECTS = table_schema(
    "dataset_rejects",
    "Prompts that are not in the data set.",
    column("uuid", pa.string(), "id of the prompt"),
    column("reason", pa.string(), "no_image or not_annotated", values=DATASET_REASONS),
    column("detail", pa.string(), "what was missing, and why"),
)
