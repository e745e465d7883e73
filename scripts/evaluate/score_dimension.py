"""Score one generator's videos of TIP-Eval in one dimension (Section 5.2, Supplement 12)."""

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from scripts.common.backends import load_backend
from scripts.common.code import code_checksum, settings_of
from scripts.common.errors import Rejected, UserError
from scripts.common.fingerprints import fingerprint, sha256_of
from scripts.common.identity import derived_seed, shard_of
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.pictures import decode_picture
from scripts.common.roles import Dimension, EvaluationItem
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.evaluate import LEDGER_SCORES, SCORES
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.shards import Shards
from scripts.common.tables import read_table, write_table
from scripts.common.video import read_frames

SCRIPT = "scripts/evaluate/score_dimension.py"


def score_dimension(
    prompts: Path,
    video_tar: Path,
    video_index: Path,
    image_tars: Sequence[Path],
    image_indexes: Sequence[Path],
    scores: Path,
    *,
    generator: str,
    dimension: str,
    shard: str,
    shards: int,
    entry: Mapping[str, Any],
    seed: int,
    max_decoded_mb: int,
    device: str = "cpu",
    ledger_root: Path = LEDGER,
) -> Counts:
    """Score the videos of one shard; a prompt whose video cannot be scored has a reason.

    A video's frames are decoded once. Finished scores are kept in the ledger under the checksums
    of what was scored, so that a video that was made anew is scored anew, and no other.

    Args:
        prompts: TIP-Eval with the columns uuid and prompt.
        video_tar: the shard's videos.
        video_index: the index beside them.
        image_tars: tars that hold the image prompts of the shard's prompts, and perhaps others.
        image_indexes: the indexes beside them, in the same order.
        scores: where the table goes (``SCORES``).
        generator: name of the generator.
        dimension: name of the dimension; it becomes the column metric.
        shard: name of the shard, five digits...
        shards: ...of so many: the prompts whose UUID falls into it are wanted.
        entry: the dimension's backend, weights and settings.
        seed: the run's seed.
        max_decoded_mb: the largest video that is decoded, in MB of uncompressed frames.
        device: ``cpu``, ``cuda`` or ``auto``.
        ledger_root: folder of the ledgers.

    Raises:
        UserError: weights or an input are missing.
    """
    rows = read_table(prompts, columns=["uuid", "prompt"]).to_pylist()
    scorer = _Scorer(
        videos=Shards([video_tar], [video_index]),
        images=Shards(image_tars, image_indexes),
        prompts={
            row["uuid"]: row["prompt"]
            for row in rows
            if shard_of(row["uuid"], shards) == int(shard)
        },
        generator=generator,
        dimension=dimension,
        entry=entry,
        seed=seed,
        max_decoded_mb=max_decoded_mb,
        device=device,
    )
    name = fingerprint(
        entry=entry,
        weights=_local_weights(entry),
        seed=seed,
        code=code_checksum(SCRIPT, entry["backend"], plumbing=False),
    )
    folder = ledger_root / "evaluate" / name / f"{generator}-{shard}"
    there, missing = {}, []
    for uuid in sorted(scorer.prompts):
        reason = scorer.why_missing(uuid)
        if reason is None:
            there[scorer.inputs_of(uuid)] = uuid
        else:
            missing.append(scorer.row(uuid, reason=reason))
    with RowLedger(folder, LEDGER_SCORES, key="inputs") as ledger:
        done = ledger.complete(
            list(there),
            lambda batch: [scorer.score(there[inputs], inputs) for inputs in batch],
            what=f"{dimension} {generator} {shard}",
        )
    scorer.raise_if_all_failed()
    table = missing + [{key: row[key] for key in SCORES.names} for row in done]
    write_table(table, scores, SCORES, sort_by=["item"])
    counts = Counts.of_statuses({row["item"]: row["reason"] for row in table})
    counts.declared = len(scorer.prompts)
    counts.notes = scorer.notes(table)
    return counts


@dataclass
class _Scorer:
    """Scores single items of a shard; the model is loaded when the first one asks for it."""

    videos: Shards
    images: Shards
    prompts: Mapping[str, str]
    generator: str
    dimension: str
    entry: Mapping[str, Any]
    seed: int
    max_decoded_mb: int
    device: str
    tried: int = 0
    failures: list[tuple[str, Exception]] = field(default_factory=list)

    @cached_property
    def _backend(self) -> Dimension:
        return load_backend(self.entry, device=self.device)

    def why_missing(self, uuid: str) -> str | None:
        """Return why an item cannot even be tried, or None."""
        if uuid not in self.videos:
            return self.videos.reason(uuid, "no_video")
        if uuid not in self.images:
            return self.images.reason(uuid, "no_image")
        video = self.videos.rows[uuid]
        decoded_mb = video["width"] * video["height"] * 3 * video["frames"] / 1e6
        return "too_large" if decoded_mb > self.max_decoded_mb else None

    def inputs_of(self, uuid: str) -> str:
        """Return a fingerprint of what is scored: the same for the same bytes."""
        return fingerprint(
            item=uuid,
            video=self.videos.rows[uuid]["sha256"],
            image=self.images.rows[uuid]["sha256"],
            prompt=self.prompts[uuid],
        )

    def score(self, uuid: str, inputs: str) -> dict:
        """Return an item's row for the ledger: its score, or the reason why it has none."""
        self.tried += 1
        try:
            item = EvaluationItem(
                frames=read_frames(self.videos.read(uuid)),
                fps=self.videos.rows[uuid]["fps"],
                prompt=self.prompts[uuid],
                image=decode_picture(self.images.read(uuid)),
                seed=derived_seed(self.seed, uuid, self.dimension),
            )
            value = float(self._backend.score(item))
            remark = getattr(self._backend, "remark", lambda item: None)(item)
        except Rejected as error:
            return self.row(uuid, inputs=inputs, reason=error.reason)
        except UserError:
            raise
        except Exception as error:  # one odd video must not cost the shard; all together do
            self.failures.append((uuid, error))
            return self.row(uuid, inputs=inputs, reason="scoring_failed")
        if value - value != 0:  # infinite, or not a number
            return self.row(uuid, inputs=inputs, reason="not_a_number")
        return self.row(uuid, inputs=inputs, value=value, remark=remark)

    def row(self, uuid: str, *, reason: str | None = None, **fields: Any) -> dict:
        """Return a row of the table: rejected if there is a reason."""
        return {
            "generator": self.generator,
            "item": uuid,
            "metric": self.dimension,
            "value": None,
            "status": OK if reason is None else REJECTED,
            "reason": reason,
            "remark": None,
        } | fields

    def raise_if_all_failed(self) -> None:
        """Raise the first error if no item went without: the fault is then not in the videos."""
        if self.failures and len(self.failures) == self.tried:
            raise self.failures[0][1]

    def notes(self, table: Sequence[Mapping]) -> list[str]:
        """Return what a reader of the log should know."""
        notes = [
            f"{uuid}: {traceback.format_exception_only(error)[-1].strip()}"
            for uuid, error in self.failures[:5]
        ]
        remarks = [row["remark"] for row in table if row["remark"]]
        return notes + [f"{remarks.count(each):,} of {each}" for each in sorted(set(remarks))]


def _local_weights(entry: Mapping[str, Any]) -> str | None:
    """Return the checksum of a local weights file, which has no revision that would name it."""
    path = (entry.get("weights") or {}).get("path")
    return sha256_of(Path(path)) if path and Path(path).is_file() else None


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = score_dimension(
            Path(snakemake.input.prompts),
            Path(snakemake.input.videos),
            Path(snakemake.input.video_index),
            list(map(Path, snakemake.input.images)),
            list(map(Path, snakemake.input.image_indexes)),
            Path(snakemake.output.scores),
            **dict(snakemake.wildcards.items()),
            **settings_of(snakemake.params),
            device="auto" if snakemake.resources.gpu else "cpu",
        )
        log.finish(counts)
