"""The account of curate: messages, prompts, videos, image prompts (Section 3)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.analyse.export_count import stated_messages
from scripts.analyse.steps import (
    Step,
    check_sum,
    follow,
    index_outcomes,
    kept_ids,
    reasons_of,
    write_account,
)
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.curate import MESSAGE_REJECTS, MESSAGES
from scripts.common.schemas.prompts import PROMPT_REJECTS, PROMPTS
from scripts.common.schemas.watermark import WATERMARKS
from scripts.common.tables import read_frame

STAGE = "curate"


def account_curate(
    exports: Mapping[str, tuple[Path, Path, Path]],
    prompts: Sequence[Path],
    prompt_rejects: Path,
    video_indexes: Sequence[Path],
    image_indexes: Sequence[Path],
    watermarks: Sequence[Path],
    account: Path,
) -> Counts:
    """Follow every message, prompt, video and image.

    Args:
        exports: name -> HTML file, ``MESSAGES``, ``MESSAGE_REJECTS``.
        prompts: tables of ``PROMPTS``.
        prompt_rejects: table of ``PROMPT_REJECTS``.
        video_indexes: of the scraped videos (``ITEM_INDEX``).
        image_indexes: of the image prompts (``ITEM_INDEX``).
        watermarks: tables of ``WATERMARKS``; an image with an overlay stays in the data set, and is
            counted apart.
        account: table of ``ACCOUNT``.

    Returns:
        Counts of steps.

    Raises:
        UserError: a sum is off; the step is named.
    """
    steps = [account_of_export(name, *paths) for name, paths in exports.items()]
    uuids = read_frame(prompts, PROMPTS, ["uuid"])["uuid"]
    rejects = read_frame(prompt_rejects, PROMPT_REJECTS, ["reason"])["reason"]
    messages = sum(step.kept for step in steps)
    steps.append(
        check_sum(Step(STAGE, "collect_prompts", "messages", messages, len(uuids), _count(rejects)))
    )
    videos = index_outcomes(video_indexes)
    steps.append(follow(STAGE, "fetch_videos", "videos", uuids, videos))
    images = index_outcomes(image_indexes)
    steps.append(follow(STAGE, "extract_images", "images", kept_ids(videos), images))
    marks = read_frame(watermarks, WATERMARKS)
    outcomes = reasons_of(marks)
    outcomes[marks["has_overlay"].to_numpy()] = "overlay"
    unit = "images without an overlay"
    steps.append(follow(STAGE, "score_watermarks", unit, kept_ids(images), outcomes))
    return write_account(steps, account)


def account_of_export(name: str, export: Path, messages: Path, rejects: Path) -> Step:
    """Return the step from one export to its generations.

    What the export says that it holds is what came in. Messages that it says it holds and that
    are not in the file are rejected as ``not_in_the_file``; a file that was cut off says nothing,
    and one whose messages have HTML in them may say less than it seems to hold.
    """
    kept = len(read_frame(messages, MESSAGES, ["message_id"]))
    reasons = _count(read_frame(rejects, MESSAGE_REJECTS, ["reason"])["reason"])
    found = kept + reasons.total()
    stated = stated_messages(export)
    read = found if stated is None else max(stated, found)
    if read > found:
        reasons["not_in_the_file"] = read - found
    return check_sum(Step(STAGE, "extract_messages", "messages", read, kept, reasons, name))


def _count(reasons) -> Counter[str]:
    return Counter({str(key): int(number) for key, number in reasons.value_counts().items()})


if __name__ == "__main__":
    with rule_log(snakemake) as log:
        files = (snakemake.input.exports, snakemake.input.messages, snakemake.input.message_rejects)
        counts = account_curate(
            exports={
                Path(paths[1]).stem: tuple(map(Path, paths)) for paths in zip(*files, strict=True)
            },
            prompts=snakemake.input.prompts,
            prompt_rejects=Path(snakemake.input.prompt_rejects),
            video_indexes=snakemake.input.video_indexes,
            image_indexes=snakemake.input.image_indexes,
            watermarks=snakemake.input.watermarks,
            account=Path(snakemake.output.account),
        )
        log.finish(counts)
