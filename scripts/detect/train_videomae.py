"""Train the video classifier for one generator and setting (Section 5.3, Supplement 14)."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.common.backends import load_backend
from scripts.common.code import code_checksum
from scripts.common.fingerprints import fingerprint
from scripts.common.identity import derived_seed, seeded_order
from scripts.common.ledger import LEDGER, JobLedger
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.split import TRAIN
from scripts.detect.tip_id import Source, SourceFiles, Video


class _Sources:
    """Several sources read as one library."""

    def __init__(self, sources: Mapping[str, SourceFiles]):
        self._sources = {name: Source(files, TRAIN) for name, files in sources.items()}
        self.videos = [video for source in self._sources.values() for video in source.videos]

    def read(self, video: Video) -> bytes:
        return self._sources[video.source].read(video)


def train_videomae(
    sources: Mapping[str, SourceFiles],
    weights: Path,
    curve: Path,
    *,
    entry: Mapping[str, Any],
    name: str,
    seed: int,
    device: str = "auto",
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Train on the training part of the given sources; a killed training resumes.

    A training that ran before with the same videos, settings, code and seed is recalled.

    Args:
        sources: by name, of all three classes: the generator itself (same domain) or all others
            (cross domain), the real and the text-to-video sources.
        weights: safetensors with the trained weights and the model's configuration.
        curve: csv with the columns iteration, loss, learning_rate.
        entry: the classifier's entry in config/detectors.yaml.
        name: of the training in the ledger, such as ``same_domain-pika``.
        seed: of the run.
        device: cpu, cuda or auto.
        threads: of the CPU.
        ledger_root: where states and finished trainings are kept.

    Raises:
        UserError: a class has no video, or the pre-trained model is missing or does not fit.
    """
    library = _Sources(sources)
    settings = entry["settings"]
    videos = _chosen(library.videos, settings["training"].get("videos_per_class"), seed)
    decisive = {key: value for key, value in settings.items() if key != "running"}
    parts = fingerprint(
        backend=entry["backend"],
        weights=entry.get("weights"),
        settings=decisive,
        videos=sorted((video.source, video.label, video.sha256) for video in videos),
        code=code_checksum("scripts/detect/train_videomae.py", entry["backend"], plumbing=False),
        seed=seed,
        threads=threads,
    )
    ledger = JobLedger(ledger_root / "detect" / parts / name)
    outputs = {"weights.safetensors": weights, "curve.csv": curve}
    counts = Counts(declared=len(library.videos))
    counts.keep(len(videos))
    counts.reject("not_drawn", len(library.videos) - len(videos))
    if ledger.recall(outputs):
        return counts
    for path in outputs.values():  # they may be the same files as those of an earlier training
        path.unlink(missing_ok=True)
    classifier = load_backend(entry, device=device, threads=threads)
    state = ledger.checkpoint
    done = classifier.train(
        videos, library, weights, state=state, seed=derived_seed(seed, "videomae", name)
    )
    _write_curve(done.curve, curve)
    ledger.remember(outputs)
    state.unlink(missing_ok=True)
    for reason, number in Counter(done.skipped.values()).items():
        counts.kept -= number
        counts.reject(reason, number)
    return counts


def _chosen(videos: Sequence[Video], per_class: int | None, seed: int) -> list[Video]:
    """Return a seeded choice of each class; generators of a class share its places evenly."""
    if per_class is None:
        return list(videos)
    chosen = []
    for label in sorted({video.label for video in videos}):
        members = {f"{v.source}/{v.uuid}": v for v in videos if v.label == label}
        sources = sorted({video.source for video in members.values()})
        ranks = {
            key: (rank, source)
            for source in sources
            for rank, key in enumerate(
                seeded_order((k for k, v in members.items() if v.source == source), seed, "train")
            )
        }
        chosen.extend(members[key] for key in sorted(ranks, key=ranks.get)[:per_class])
    return chosen


def _write_curve(steps: Sequence[tuple[float, float]], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["iteration", "loss", "learning_rate"])
        for number, (loss, rate) in enumerate(steps, start=1):
            writer.writerow([number, f"{loss:.6f}", f"{rate:.8g}"])


if __name__ == "__main__":
    with rule_log(snakemake) as log:
        counts = train_videomae(
            {name: SourceFiles(**files) for name, files in snakemake.params.sources.items()},
            Path(snakemake.output.weights),
            Path(snakemake.output.curve),
            entry=snakemake.params.entry,
            name=f"{snakemake.wildcards.setting}-{snakemake.wildcards.generator}",
            seed=snakemake.params.seed,
            device=snakemake.params.device,
            threads=snakemake.threads,
        )
        log.finish(counts)
