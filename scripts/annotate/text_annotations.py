"""The annotations of text prompts: what is asked of their annotators, and who is wanted."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scripts.annotate.annotator import Annotation
from scripts.annotate.embedding import EMBEDDING
from scripts.common.roles import TextSafety
from scripts.common.schemas.annotate import DIRECTION, SUBJECT, TEXT_NSFW
from scripts.common.schemas.prompts import PROMPTS
from scripts.common.shards import Shard
from scripts.common.tables import read_table


def texts_of(prompts: Path, index: Path) -> dict[str, str]:
    """Return a shard's prompts that have an image, by UUID, sorted.

    Args:
        prompts: table of ``PROMPTS``.
        index: index of the images (``ITEM_INDEX``).
    """
    table = read_table(prompts, PROMPTS, columns=["uuid", "prompt"]).sort_by("uuid")
    wanted = Shard(index.with_suffix(".tar"), index)
    rows = zip(table["uuid"].to_pylist(), table["prompt"].to_pylist(), strict=True)
    return {uuid: prompt for uuid, prompt in rows if uuid in wanted}


def _tag(tagger: Any, texts: Sequence[str]) -> Sequence[Any]:
    return tagger.tag(texts)


def _score(safety: TextSafety, texts: Sequence[str]) -> Iterator[dict]:
    scores = safety.score(texts)
    for number in range(len(texts)):
        found = {key: float(values[number]) for key, values in scores.items()}
        yield {"score": found[safety.released], "scores": sorted(found.items())}


TEXT_ANNOTATIONS = {
    "text_embedding": EMBEDDING,
    "text_nsfw": Annotation(_score, dict, TEXT_NSFW),
    "subject": Annotation(_tag, lambda subject: {"subject": subject or None}, SUBJECT),
    "direction": Annotation(_tag, lambda verbs: {"verbs": verbs}, DIRECTION),
}
"""Embeddings, all scores of the model and the released one (Section 3), the subject, null where the
prompt names none (Section 3), and verbs in base form, of which there may be none (Supplement 10)."""
