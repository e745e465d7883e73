"""Tables of the stage analyse: popularity of subjects and directions, the account of items."""

import pyarrow as pa

from scripts.common.schemas import (
    annotate,
    curate,
    detect,
    evaluate,
    generate,
    prompts,
    release,
    split,
    trace,
)
from scripts.common.tables import column, optional, table_schema

SUBJECT = "subject"
DIRECTION = "direction"

POPULARITY = table_schema(
    "popularity",
    "How often each subject and each direction is asked for (Section 5.1, Supplement 10).",
    column("kind", pa.string(), "subject or direction"),
    column("name", pa.string(), "the subject, or the verb in base form"),
    column("count", pa.int64(), "prompts with the subject, or mentions of the verb"),
    column("rank", pa.int64(), "1 for the most frequent; ties in the order of names"),
    column("cumulative_share", pa.float64(), "share of all counts up to this rank"),
)

ACCOUNT_REASONS = (
    {"": "no item was rejected"}
    | curate.EXPORT_REASONS
    | curate.MESSAGE_REJECT_REASONS
    | prompts.REJECT_REASONS
    | release.ROW_REASONS
    | release.MEMBER_REASONS
    | release.MATCH_REASONS
    | annotate.REASONS
    | annotate.DATASET_REASONS
    | generate.CHOICE_REASONS
    | split.REASONS
    | evaluate.REASONS
    | detect.REASONS
    | trace.REASONS
    | {
        "not_in_the_file": "the export counts the message, and the file does not have it",
        "overlay": "the image has a fixed overlay; it stays in the data set, and is marked",
        "no_reason": "the item was rejected and its row says no reason",
    }
)
"""The closed list of reasons of the account: those of all steps, and what it adds."""

ACCOUNT = table_schema(
    "account",
    "What each step read, kept and rejected: one row per step, part and reason.",
    column("stage", pa.string(), "stage of the step"),
    column("step", pa.string(), "rule of the step"),
    column("part", pa.string(), "generator, dimension or tracer; empty where there is one part"),
    column("unit", pa.string(), "what is counted: messages, prompts, videos ..."),
    column("read", pa.int64(), "items that came in"),
    column("kept", pa.int64(), "items that came out"),
    column("rejected", pa.int64(), "items that did not"),
    column(
        "reason",
        pa.string(),
        "why they did not; empty where none was rejected",
        values=ACCOUNT_REASONS,
    ),
    column("count", pa.int64(), "items rejected for this reason"),
)

DATA, GRID = "data.ndjson", "grid.json"
"""What WizMap's viewer reads of a map."""

POINTS = table_schema(
    "points",
    "Prompts on a plane, as Embedding Atlas opens them (--x x --y y --text text).",
    column("UUID", pa.string(), "id of the prompt in its data set"),
    column("x", pa.float64(), "to the right; the longer side of a map is 20"),
    column("y", pa.float64(), "upwards"),
    column("text", pa.string(), "text prompt"),
    column("group", pa.string(), "how its data set is called"),
    optional("subject", pa.string(), "merged subject; null where there is none"),
    optional("direction", pa.string(), "verbs in base form, separated by commas"),
    optional("timestamp", pa.string(), "YYYY-MM-DD hh:mm:ss, UTC"),
    optional("text_nsfw", pa.float32(), "how unsafe the text is, 0 to 1"),
    optional("image_nsfw", pa.string(), f"{annotate.SAFE} or {annotate.NSFW}"),
)

SIMILAR_PROMPTS = table_schema(
    "similar_prompts",
    "The prompts that mean most nearly the same as each prompt (Section 5.5), an exact search.",
    column("query", pa.string(), "id of a prompt"),
    column("reference", pa.string(), "id of another"),
    column("rank", pa.int32(), "1 for the nearest"),
    column("similarity", pa.float32(), "cosine of their text embeddings"),
)

PROMPT_FILTER = table_schema(
    "prompt_filter",
    "What a filter of unsafe prompts says (Section 5.5); all prompts of a user are on one side.",
    column("UUID", pa.string(), "id of the prompt"),
    column("side", pa.string(), "train or test"),
    column("unsafe", pa.bool_(), "what the annotation says"),
    column("score", pa.float32(), "what the filter says, 0 to 1"),
)

CARTOONS = table_schema(
    "cartoons",
    "How likely image prompts have cartoon or animation elements (Section 5.5).",
    column("UUID", pa.string(), "id of the prompt"),
    column("probability", pa.float32(), "by zero-shot classification, 0 to 1"),
)
