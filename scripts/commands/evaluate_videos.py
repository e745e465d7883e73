"""Score a folder of one's own videos, and set them beside the paper's and this run's generators.

``make evaluate VIDEOS=folder [PROMPTS=prompts.csv] [DIMENSIONS="a b"] [NAME=mine]``
"""

import argparse
import difflib
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from scripts.analyse.build_leaderboard import build_leaderboard
from scripts.analyse.csv_files import read_csv
from scripts.analyse.paper_table import PaperTable, Row, Section
from scripts.analyse.plot_figure6 import plot_figure6
from scripts.analyse.registry import PAGES
from scripts.analyse.shown_entries import all_shown
from scripts.analyse.table_faces import write_paper_table
from scripts.commands.check import read_configuration, study_of
from scripts.commands.command_line import exit_status
from scripts.commands.own_page import write_own_page
from scripts.common.code import ROOT
from scripts.common.configuration import read_yaml
from scripts.common.errors import Rejected, UserError
from scripts.common.fingerprints import fingerprint
from scripts.common.pictures import decode_picture
from scripts.common.roles import EvaluationItem
from scripts.common.schemas.evaluate import EVALUATION_SUMMARY, MEAN
from scripts.common.study import Study
from scripts.common.tables import read_table
from scripts.common.video import VideoProperties, probe_video, read_frames
from scripts.evaluate.compare_generators import compare_generators
from scripts.evaluate.score_videos import score_videos
from scripts.evaluate.summarise_evaluation import summarise_evaluation

SUFFIXES = {".mp4", ".webm", ".mov", ".mkv"}
COLOURS = [f"C{number}" for number in range(10)]


@dataclass(frozen=True)
class OwnVideos:
    """Videos in a folder, and perhaps what they were made from; scored as a shard is.

    Attributes:
        folder: of the videos.
        prompts: name of a video -> ``prompt``, ``image`` (a path) and ``video`` (its file, if that is
            called otherwise), where they are known.
        generator: how they are called in tables.
        max_decoded_mb: the largest video that is decoded, in MB of uncompressed frames.
    """

    folder: Path
    prompts: Mapping[str, Mapping[str, str]]
    generator: str
    max_decoded_mb: int
    shard: int = 0

    @cached_property
    def _files(self) -> dict[str, Path]:
        """Name -> file; the name of ``<uuid>.mp4`` is the UUID, as in the generators' scores."""
        found = [path for path in sorted(self.folder.iterdir()) if path.suffix.lower() in SUFFIXES]
        named = {its.get("video", name): name for name, its in self.prompts.items()}
        names = [named.get(path.name, path.stem) for path in found]
        if doubles := {name for name in names if names.count(name) > 1}:
            raise UserError(
                f"{self.folder} has two videos called {min(doubles)}; give each a name of its own"
            )
        return dict(zip(names, found, strict=True))

    @cached_property
    def _properties(self) -> dict[str, VideoProperties | Rejected]:
        found: dict[str, VideoProperties | Rejected] = {}
        for name, path in self._files.items():
            try:
                found[name] = probe_video(path, max_megapixels=self.max_decoded_mb / 3)
            except Rejected as fault:
                found[name] = Rejected("too_large") if fault.reason == "too_long" else fault
        return found

    def texts(self) -> dict[str, str]:
        """Return the prompt of each video, empty where none is known, by name."""
        names = {*self._files, *self.prompts}
        return {name: self.prompts.get(name, {}).get("prompt", "") for name in sorted(names)}

    def why_missing(self, name: str) -> str | None:
        """Return why a video cannot even be tried, or None."""
        known = self._properties.get(name, Rejected("no_video"))
        if isinstance(known, Rejected):
            return known.reason
        image = self.prompts.get(name, {}).get("image")
        return "no_image" if image and not Path(image).is_file() else None

    def frames(self, name: str) -> int | None:
        """Return how many frames a video has."""
        known = self._properties.get(name)
        return known.frames if isinstance(known, VideoProperties) else None

    def version(self, name: str, prompt: str) -> str:
        """Return a fingerprint of what is scored."""
        image = self.prompts.get(name, {}).get("image")
        files = [self._files[name], *([Path(image)] if image else [])]
        contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
        return fingerprint(contents=contents, prompt=prompt)

    def read(self, name: str, prompt: str) -> EvaluationItem:
        """Return a video, decoded; errors as ``VideoShard.read``."""
        frames, known = read_frames(self._files[name]), self._properties[name]
        assert isinstance(known, VideoProperties)
        image = self.prompts.get(name, {}).get("image")
        # Where there is none, no dimension that looks at the image prompt was chosen.
        picture = decode_picture(Path(image).read_bytes()) if image else frames[0]
        return EvaluationItem(frames, known.fps, prompt, picture)


def read_prompts(path: Path | None) -> dict[str, dict[str, str]]:
    """Return what videos were made from: name -> prompt, image and file.

    Args:
        path: a CSV with the column video, and perhaps uuid (of TIP-Eval: the video's name, by which
            the leaderboard pairs it), prompt and image (paths seen from its folder). Without one,
            names of videos are UUIDs of TIP-Eval, if this run has it.

    Raises:
        UserError: the file is missing, has no column video, or names a UUID twice.
    """
    split = Path("results/splits/tip_eval/prompts.parquet")
    table = read_table(split, columns=["uuid", "prompt"]).to_pylist() if split.exists() else []
    known = {row["uuid"]: row["prompt"] for row in table}
    if path is None:
        return {uuid: {"prompt": prompt} for uuid, prompt in known.items()}
    if not path.is_file():
        raise UserError(f"{path} is missing; PROMPTS names a CSV with the column video")
    rows = read_csv(path)
    if rows and "video" not in rows[0]:
        raise UserError(
            f"{path} has no column video; it has {', '.join(rows[0])}: one row for each video, with "
            "its file name, and perhaps uuid, prompt and image"
        )
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        name = row.get("uuid") or row["video"]
        if name in found:
            raise UserError(f"{path} names {name} twice; give each video a row of its own")
        found[name] = {"video": row["video"], "prompt": row.get("prompt") or known.get(name, "")}
        if row.get("image"):
            found[name]["image"] = str(path.parent / row["image"])
    return found


def choose_dimensions(
    wanted: Sequence[str], study: Study, prompts: Sequence[Mapping[str, str]]
) -> tuple[list[str], list[str]]:
    """Return the dimensions that can be had, and a sentence on each that cannot.

    Raises:
        UserError: a dimension is unknown, or none can be had.
    """
    names, sentences = [], []
    for name in wanted or study.config["evaluate"]["dimensions"]:
        if name not in study.sheets["dimensions"]:
            near = difflib.get_close_matches(name, study.sheets["dimensions"], 1)
            raise UserError(
                f"config/dimensions.yaml has no '{name}'"
                + (f"; the nearest is '{near[0]}'" if near else "; DIMENSIONS names its entries")
            )
        entry = study.fields("dimensions", name)
        lacking = [what for what in entry.get("needs", []) if not all(p.get(what) for p in prompts)]
        if "backend" not in entry:
            sentences.append(f"left out: {name}: {entry['unavailable']}")
        elif lacking or (entry.get("needs") and not prompts):
            what = (lacking or entry["needs"])[0]
            sentences.append(
                f"left out: {name}: it compares with the {what} of each video; name them in the "
                f"column {what} of a CSV: PROMPTS=prompts.csv"
            )
        else:
            names.append(name)
    if not names:
        raise UserError("; ".join(sentences) or "no dimension was named")
    return names, sentences


def evaluate_folder(
    own: OwnVideos, study: Study, dimensions: Sequence[str], folder: Path, device: str
) -> None:
    """Write scores, their means beside the paper's, a leaderboard with this run's, and a page."""
    entries = {name: study.entry("dimensions", name) for name in dimensions}
    folder.mkdir(parents=True, exist_ok=True)
    scores, summary = folder / "scores.parquet", folder / "summary.parquet"
    counts = score_videos(own, scores, entries=entries, device=device, threads=2)
    print(counts.sentence())
    others = {name: sorted(Path("results/evaluation", name).glob("*.parquet"))
              for name in study.generators if name != own.generator}  # fmt: skip
    others = {name: paths for name, paths in others.items() if paths}
    tables = [scores, *(path for paths in others.values() for path in paths)]
    columns = [_column(own.generator, own.generator)]
    columns += [_column(name, study.label("generators", name)) for name in others]
    names, rows = [each["entry"] for each in columns], all_shown(study, "dimensions", dimensions)
    summarise_evaluation(tables, summary, dimensions=dimensions, generators=names)
    means = means_table(columns, summary, rows)
    write_paper_table(means, [folder / f"means.{face}" for face in PAGES], "")
    shown = ["means"]
    if others:
        board = folder / "leaderboard.parquet"
        compare_generators(tables, board, dimensions=dimensions, generators=names,
                           seed=study.config["seed"])  # fmt: skip
        faces = [folder / f"leaderboard.{face}" for face in PAGES]
        layout = read_yaml(ROOT / "config/beyond.yaml")["leaderboard"]
        build_leaderboard(board, faces=faces, layout=layout, dimensions=rows, generators=columns,
                          banner=study.config["banner"])  # fmt: skip
        shown.append("leaderboard")
    if others and len(rows) >= 3:
        style = {"colours": COLOURS, "width_in": 7}
        plot_figure6(summary, faces=[folder / "figure6.png"], generators=columns[: len(COLOURS)],
                     dimensions=rows, style=style, banner=study.config["banner"])  # fmt: skip
    page = write_own_page(folder, own.generator, rows, shown)
    made = [*(folder / f"{name}.{face}" for name in shown for face in PAGES), page]
    print("\n".join(f"made: {path}" for path in made))


def means_table(
    columns: Sequence[Mapping[str, Any]], summary: Path, dimensions: Sequence[Mapping[str, Any]]
) -> PaperTable:
    """Return Table 7 with one's own model first, then this run's, then the paper's as printed.

    Args:
        columns: one's own model, and this run's generators: ``entry``, ``label``, ``embedded``.
        summary: table of ``EVALUATION_SUMMARY``, of all of them.
        dimensions: rows, in order: ``entry``, ``label``, ``paper``, ``embedded``.
    """
    means = {(row["dimension"], row["generator"]): row
             for row in read_table(summary, EVALUATION_SUMMARY).to_pylist()
             if row["metric"] == MEAN}  # fmt: skip
    paper = {row["dimension"]: row for row in read_csv(ROOT / "config/paper/table7.csv")}
    # A stand-in's numbers are on another scale than the paper's.
    printed = [{} if each["embedded"] else paper.get(each["paper"], {}) for each in dimensions]
    models = [key for key in next(filter(None, printed), {}) if key != "dimension"]
    rows = []
    for dimension, theirs in zip(dimensions, printed, strict=True):
        cells = [means[dimension["entry"], column["entry"]] for column in columns]
        values = [float(theirs[model]) if model in theirs else None for model in models]
        rows.append(
            Row([dimension["label"]], [*(cell["value"] for cell in cells), *values],
                [*(cell["items"] for cell in cells), *[None] * len(models)],
                dimension["entry"], dimension["embedded"])
        )  # fmt: skip
    return PaperTable(
        number="Own videos",
        caption=f"Mean score of the videos of {columns[0]['label']} in each dimension, beside this "
        "run's generators, if it scored any, and what the paper prints of its models (Table 7).",
        keys=["dimension"],
        generators=[*columns, *(_column(f"paper_{name}", f"{name} (paper)") for name in models)],
        sections=[Section(["Dimension"], rows)],
        shown="{:.3f}".format,
        notes=["Items: videos that were scored; scores.parquet has the reason of each other one.",
               "Every video counts the same; summary.parquet has the means weighed by frames, too.",
               "The paper's videos are of other prompts, unless these are TIP-Eval's."],
    )  # fmt: skip


def _column(name: str, label: str) -> dict[str, Any]:
    return {"entry": name, "label": label, "embedded": False}


def run(arguments: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    study = study_of(read_configuration(*arguments.config))
    if not arguments.videos.is_dir():
        raise UserError(f"{arguments.videos} is no folder; VIDEOS names a folder of videos")
    name = arguments.name or arguments.videos.resolve().name
    largest = study.config["evaluate"]["max_decoded_mb"]
    prompts = read_prompts(arguments.prompts)
    if arguments.prompts is None:  # of TIP-Eval, only the prompts that have a video here
        there = {path.stem for path in arguments.videos.iterdir()}
        prompts = {uuid: its for uuid, its in prompts.items() if uuid in there}
    own = OwnVideos(arguments.videos, prompts, name, largest)
    if not own.texts():
        raise UserError(
            f"{arguments.videos} has no video ({', '.join(sorted(SUFFIXES))}); name another folder"
        )
    known = [own.prompts.get(video, {}) for video in own.texts()]
    dimensions, sentences = choose_dimensions(arguments.dimensions, study, known)
    print("\n".join(sentences), file=sys.stderr, end="\n" * bool(sentences))
    evaluate_folder(own, study, dimensions, Path("results/own") / name, arguments.device)


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--prompts", type=Path)
    parser.add_argument("--dimensions", nargs="*", default=[])
    parser.add_argument("--name", default="")
    parser.add_argument("--config", type=Path, action="append", default=[])
    parser.add_argument("--device", default="auto")
    return exit_status(partial(run, parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
