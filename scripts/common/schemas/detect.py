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
    for name in ("no_video", "missing_file", "empty_file", "undecodable", "no_frames", "too_short")
} | {
    "not_a_number": "the detector or classifier gave no finite number",
    "scoring_failed": "the detector or classifier raised an error for the video",
}
"""The closed list of reasons of this stage."""

_STATUS = outcome(REASONS)

_PROBABILITIES = [
    optional(f"p_{name}", pa.float64(), f"softmax output of the class {name}, mean of the clips")
    for name in CLASSES
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
    optional("clips", pa.list_(pa.float64()), "softmax outputs of each clip, one after the other"),
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

CLIP_NUMBERS = table_schema(
    "clip_numbers",
    "What clip-level detectors see in training videos, from which they are fitted.",
    column("uuid", pa.string(), "source and id of the video"),
    column("numbers", pa.list_(pa.float64()), "the detector's numbers"),
)

FORMATS = table_schema(
    "formats",
    "What the format of each test video gives away, without a look at what it shows.",
    column("uuid", pa.string(), "id of the video"),
    column("source", pa.string(), "generator, or entry of config/sources.yaml"),
    column("label", pa.string(), "real, text_generated or image_generated: the truth"),
    optional("fps", pa.float64(), "frame rate", "1/s"),
    optional("width", pa.float64(), "width of the coded picture", "pixels"),
    optional("height", pa.float64(), "height of the coded picture", "pixels"),
    optional("frames", pa.float64(), "number of frames"),
    optional("bytes_per_second", pa.float64(), "size of the file by its length", "bytes/s"),
    optional("codec", pa.string(), "codec, tag, profile, pixels, brand and encoder"),
    optional("full_range", pa.float64(), "what the stream says of its range of levels"),
    optional("darkest", pa.float64(), "luma that 0.5 % of the pixels do not exceed", "0 to 255"),
    optional("brightest", pa.float64(), "luma that 99.5 % do not exceed", "0 to 255"),
    *(
        optional(f"corner_{name}", pa.float64(), f"steepness of the mean picture, {where}")
        for name, where in (
            ("tl", "top left"),
            ("tr", "top right"),
            ("bl", "bottom left"),
            ("br", "bottom right"),
        )
    ),
    optional("bar_rows", pa.float64(), "rows at top and bottom that are always black", "pixels"),
    optional("bar_columns", pa.float64(), "columns at the sides, likewise", "pixels"),
    optional("first_change", pa.float64(), "from the first frame to the second, by the mean"),
    optional("change", pa.float64(), "mean difference of consecutive frames", "levels"),
    optional("quantiser", pa.float64(), "mean of the frames' quantisers; 0 where none is stated"),
    *_STATUS,
)

TAKEN, EXPLAINED = "taken_for_generated", "explained"

BIAS = table_schema(
    "bias_ledger",
    "How well classes are told apart under each control, and by the container alone.",
    column("table", pa.string(), "table3 (two classes) or table4 (three)"),
    column("setting", pa.string(), "container, entry of config/detectors.yaml, or the training's"),
    column("control", pa.string(), "key of detect.bias_ledger.controls, or as_is"),
    column("generator", pa.string(), "whose videos are tested"),
    column(
        "metric",
        pa.string(),
        "accuracy (and the bounds of its 95 % interval), mAP; explained, the share of what the "
        "unchanged videos have above guessing that is lost; or taken_for_generated, of videos that "
        "a procedure made",
    ),
    optional("value", pa.float64(), "share; none where it is not defined"),
    column("items", pa.int64(), "test videos, the same number of each class"),
)

SHORTCUT_TESTS = table_schema(
    "shortcuts",
    "How well single properties of the format tell a generator's videos from another class's.",
    column("control", pa.string(), "key of detect.bias_ledger.controls, or as_is"),
    column("generator", pa.string(), "whose videos are told..."),
    column("against", pa.string(), "...from this class"),
    column("shortcut", pa.string(), "the property"),
    column("accuracy", pa.float64(), "of a tree of two levels, on videos that it did not see"),
    column("p_value", pa.float64(), "probability of so many right answers by guessing"),
    column("is_found", pa.bool_(), "whether that is too small for chance"),
    column("items", pa.int64(), "videos, the same number of each class"),
)
