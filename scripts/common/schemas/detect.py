"""Tables of the stage detect: scores of single frames, classes of videos, and what they amount to."""

import pyarrow as pa

from scripts.common.schemas.items import REASONS as ITEM_REASONS
from scripts.common.schemas.items import outcome
from scripts.common.schemas.split import IMAGE_GENERATED, REAL, TEXT_GENERATED
from scripts.common.tables import column, optional, table_schema

CLASSES = (REAL, TEXT_GENERATED, IMAGE_GENERATED)
"""The three classes of TIP-ID, in the order of the classifier's outputs (Supplement 13)."""

SAME_DOMAIN, CROSS_DOMAIN = "same_domain", "cross_domain"
"""The settings of Table 4: trained on the tested generator, or on all others."""

TABLE_3, TABLE_4 = "table3", "table4"
ACCURACY, MAP, CAUGHT = "accuracy", "mAP", "tpr_at_fpr_1"
ACCURACY_LOW, ACCURACY_HIGH = "accuracy_low", "accuracy_high"

REASONS = {
    name: ITEM_REASONS[name]
    for name in ("no_video", "missing_file", "empty_file", "undecodable", "no_frames")
} | {
    "not_a_number": "the detector or classifier gave no finite number",
    "scoring_failed": "the detector or classifier raised an error for the video",
}
"""The closed list of reasons of this stage."""

_STATUS = outcome(REASONS)

_PROBABILITIES = [
    optional(f"p_{name}", pa.float64(), f"softmax output of the class {name}") for name in CLASSES
]

FRAME_SCORES = table_schema(
    "frame_scores",
    "All detectors' scores of the middle frames of one source's test videos (Table 3).",
    column("uuid", pa.string(), "id of the video"),
    column("source", pa.string(), "generator, or entry of config/sources.yaml"),
    column("detector", pa.string(), "entry of config/detectors.yaml"),
    optional("score", pa.float64(), "how likely the frame is generated, 0 to 1"),
    *_STATUS,
)

CLASS_SCORES = table_schema(
    "class_scores",
    "The trained classifiers' outputs for one source's test videos (Table 4).",
    column("uuid", pa.string(), "id of the video"),
    column("source", pa.string(), "generator, or entry of config/sources.yaml"),
    column("label", pa.string(), "real, text_generated or image_generated: the truth"),
    column("setting", pa.string(), "same_domain or cross_domain: the classifier's training"),
    column("generator", pa.string(), "whose videos the classifier is tested on"),
    *_PROBABILITIES,
    *_STATUS,
)

METRICS = table_schema(
    "detection_metrics",
    "How well generated videos are told from real ones, per generator (Tables 3 and 4).",
    column("table", pa.string(), "table3 (single frames) or table4 (trained on videos)"),
    column("setting", pa.string(), "entry of config/detectors.yaml, or the training's setting"),
    column("generator", pa.string(), "whose videos are tested"),
    column(
        "metric",
        pa.string(),
        "accuracy (and the bounds of its 95 % interval), mAP, tpr_at_fpr_1 (Table 3), or truth_as_answer (Table 4)",
    ),
    optional("value", pa.float64(), "share in [0, 1]; none where no item could be"),
    column("items", pa.int64(), "test videos, the same number of each class"),
    column("rejected", pa.int64(), "test videos of these sources that have no score"),
)
