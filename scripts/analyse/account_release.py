"""The account of curate where it began with the released data set: rows, files, prompts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from scripts.analyse.steps import Step, check_sum, follow, index_outcomes, write_account
from scripts.common.code import settings_of
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.items import OK
from scripts.common.tables import read_frame
from scripts.curate.released_layout import stated_rows

STAGE = "curate"


def account_release(
    rows: Sequence[Path],
    rejects: Path,
    card: Path | None,
    chosen: Path,
    account: Path,
    *,
    splits: Sequence[str],
    pictures: Mapping[str, tuple[str, str]],
    image_indexes: Sequence[Path],
    videos: Mapping[str, Mapping[str, tuple[str, str]]],
    video_indexes: Mapping[str, Sequence[Path]],
    all_prompts: Sequence[str] = (),
) -> Counts:
    """Follow every released row, every file in the tars, and every prompt to its files.

    Args:
        rows: tables of ``RELEASE_ROWS``.
        rejects: table of ``RELEASE_REJECTS``.
        card: the data set's README.md, if it is there.
        chosen: the chosen prompts (``CHOSEN``), of which the videos are.
        account: table of ``ACCOUNT``.
        splits: that were read, the largest first.
        pictures: archive of pictures -> its tar, and its ``RELEASED_MEMBERS``.
        image_indexes: of the image prompts (``PLACED_INDEX``).
        videos: generator -> as ``pictures``.
        video_indexes: generator -> indexes of its videos.
        all_prompts: generators whose videos of all prompts are wanted.

    Returns:
        Counts of steps.

    Raises:
        UserError: a sum is off; the step is named.
    """
    kept = pl.concat([pl.read_parquet(path, columns=["UUID", "split"]) for path in rows])
    steps = accounts_of_rows(kept["split"], rejects, stated_rows(card) if card else {}, splits)
    prompts = kept["UUID"].to_list()
    steps += accounts_of_members("pictures", pictures, image_indexes, prompts)
    outcomes = index_outcomes(image_indexes)
    steps.append(follow(STAGE, "index_images", "images", prompts, outcomes))
    animated = read_frame(chosen, columns=["uuid"])["uuid"].tolist()
    for generator, archives in videos.items():
        wanted = sorted({*prompts, *animated}) if generator in all_prompts else animated
        indexes = video_indexes[generator]
        steps += accounts_of_members("videos", archives, indexes, wanted, part=generator)
        outcomes = index_outcomes(indexes)
        steps.append(follow(STAGE, "index_videos", "videos", wanted, outcomes, part=generator))
    return write_account(steps, account)


def accounts_of_rows(
    kept: pl.Series, rejects: Path, stated: Mapping[str, int], splits: Sequence[str]
) -> list[Step]:
    """Return a step for each split, from the rows that the card states to prompts.

    Args:
        kept: the split of each prompt.
        rejects: table of ``RELEASE_REJECTS``.
        stated: split -> rows, by the card.
        splits: in their order.
    """
    fallen = pl.read_parquet(rejects, columns=["split", "reason"])
    steps = []
    for split in splits:
        here = fallen.filter(pl.col("split") == split)["reason"].value_counts()
        reasons = Counter(dict(here.iter_rows()))
        number = int((kept == split).sum())
        found = number + reasons.total()
        read = max(found, stated.get(split, found))
        if read > found:
            reasons["not_in_the_files"] = read - found
        steps.append(check_sum(Step(STAGE, "read_release", "rows", read, number, reasons, split)))
    return steps


def accounts_of_members(
    unit: str,
    archives: Mapping[str, tuple[str, str]],
    indexes: Sequence[Path],
    wanted: Sequence[str],
    part: str = "",
) -> list[Step]:
    """Return two steps for each archive: which of its files are good, and which are taken.

    Args:
        unit: pictures or videos.
        archives: name -> tar and members.
        indexes: in which the taken ones are.
        wanted: ids of prompts.
        part: generator, if there is one.
    """
    columns = ["uuid", "tar", "offset"]
    taken = pl.concat([pl.read_parquet(path, columns=columns) for path in indexes]).drop_nulls()
    wanted_ids = pl.DataFrame({"uuid": list(wanted)}, schema={"uuid": pl.String})
    steps = []
    for name, (tar, path) in archives.items():
        members = pl.read_parquet(path, columns=["uuid", "status", "reason", "offset"])
        good = members.filter(pl.col("status") == OK)
        bad = members.filter(pl.col("status") != OK)["reason"].value_counts()
        title = f"{part} {name}".strip()
        steps.append(
            check_sum(
                Step(STAGE, "list_members", unit, members.height, good.height,
                     Counter(dict(bad.iter_rows())), title)
            )
        )  # fmt: skip
        here = good.join(taken.filter(pl.col("tar") == tar), on=["uuid", "offset"], how="semi")
        needed = good.join(wanted_ids, on="uuid", how="semi").height
        reasons = Counter(
            {"other_copy": needed - here.height, "not_wanted": good.height - needed}
        )  # fmt: skip
        reasons = Counter({reason: number for reason, number in reasons.items() if number})
        steps.append(
            check_sum(Step(STAGE, "match_members", unit, good.height, here.height, reasons, title))
        )
    return steps


if __name__ == "__main__":
    with rule_log(snakemake) as log:
        counts = account_release(
            rows=[Path(path) for path in snakemake.input.rows],
            rejects=Path(snakemake.input.rejects),
            card=Path(snakemake.input.card[0]) if snakemake.input.card else None,
            chosen=Path(snakemake.input.chosen),
            account=Path(snakemake.output.account),
            image_indexes=snakemake.input.image_indexes,
            **settings_of(snakemake.params),
        )
        log.finish(counts)
