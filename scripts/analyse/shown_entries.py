"""What tables and figures show of generators, dimensions, detectors, tracers and annotators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.annotate.graph import AnnotateGraph
from scripts.common.study import Study, from_root
from scripts.detect.graph import DetectGraph
from scripts.evaluate.graph import EvaluateGraph
from scripts.trace.graph import TraceGraph
from scripts.trace.trained_models import trained_rows


@dataclass(frozen=True)
class ShownEntries:
    """Rows and columns by the configuration, and their names in the paper.

    Attributes:
        study: the study.
        annotate: of the stage annotate...
        evaluate: ... of evaluate...
        detect: ... of detect...
        trace: ... and of trace.
    """

    study: Study
    annotate: AnnotateGraph
    evaluate: EvaluateGraph
    detect: DetectGraph
    trace: TraceGraph

    @property
    def generators(self) -> list[dict[str, Any]]:
        """The generators, as tables and figures show them."""
        return all_shown(self.study, "generators", self.study.generators)

    @property
    def dimensions(self) -> list[dict[str, Any]]:
        """The rows of Table 7."""
        return all_shown(self.study, "dimensions", self.evaluate.dimensions)

    @property
    def detectors(self) -> list[dict[str, Any]]:
        """The rows of Table 3, with why there is no number where weights are missing.

        A detector that does not see the middle frame says so.
        """
        rows = all_shown(self.study, "detectors", self.study.config["detect"]["detectors"])
        seen = {
            row["entry"]: self.study.fields("detectors", row["entry"]).get("sees") for row in rows
        }
        rows = [row | {"label": f"{row['label']} (clip)"} if seen[row["entry"]] else row
                for row in rows]  # fmt: skip
        why = self.detect.missing
        return [row | {"unavailable": why.get(row["entry"], row["unavailable"])} for row in rows]

    @property
    def videomae(self) -> dict[str, Any]:
        """The trained detector of Table 4."""
        return shown(self.study, "detectors", self.study.config["detect"]["videomae"])

    @property
    def tracers(self) -> list[dict[str, Any]]:
        """The rows of Table 5 that are not trained here."""
        return all_shown(self.study, "tracers", self.study.config["trace"]["tracers"])

    @property
    def annotators(self) -> list[dict[str, Any]]:
        """What named subjects and directions: annotators, or the authors of the release."""
        return [self._annotator(annotation) for annotation in ("subject", "direction")]

    def _annotator(self, annotation: str) -> dict[str, Any]:
        if annotation in self.study.released_annotations:
            unknown = {"weights": {}, "settings": {}, "training": {}}
            names = {"entry": "released", "label": "as released", "group": "", "embedded": False}
            return names | unknown
        return shown(self.study, "annotators", self.annotate.annotators[annotation])

    @property
    def trained_tracers(self) -> list[dict[str, Any]]:
        """The trained tracers of Table 5, with what the metrics call the rows of each."""
        rows = trained_rows(self.study.config["trace"]["cosface"])
        return [
            shown(self.study, "tracers", name) | {"keys": list(keys)} for name, keys in rows.items()
        ]

    @property
    def trainings(self) -> dict[str, str]:
        """Trained model on which Table 5 stands -> what figures call its run."""
        labels = {"": "all generators"} | {
            name: f"without {self.study.label('generators', name)}"
            for name in self.study.generators
        }
        return {model: labels[self.trace.held_out(model)] for model in self.trace.trained}

    @property
    def videos(self) -> dict[str, dict[str, list[str]]]:
        """Generator -> its tars and indexes, in the tables' order."""
        study = self.study
        return {
            name: {"tars": study.video_tars(name), "indexes": study.video_indexes(name)}
            for name in study.generators
        }

    # The paper's numbers

    @property
    def is_comparable(self) -> bool:
        """Whether the data is the paper's, so that numbers may be compared with the paper's."""
        return self.study.config["source"] != "demo"

    def paper_table(self, number: str) -> str:
        """Return the paper's numbers of one table, which lie with the configuration."""
        return from_root(f"config/paper/table{number}.csv")

    @property
    def paper_columns(self) -> dict[str, str]:
        """Generator -> the column that it has in the paper."""
        return _in_paper(self.generators)

    @property
    def paper_rows(self) -> dict[str, str]:
        """Entry -> the row that it has in one of the paper's tables."""
        return _in_paper([*self.detectors, *self.tracers, *self.dimensions])

    @property
    def absent_rows(self) -> dict[str, str]:
        """Row of the paper -> why there is no number of ours."""
        entries = [*self.detectors, *self.tracers, *self.dimensions]
        return {entry["paper"]: entry["unavailable"] for entry in entries if entry["unavailable"]}


def shown(study: Study, sheet: str, name: str) -> dict[str, Any]:
    """Return what tables, figures and their provenance say of an entry of a sheet."""
    entry = study.fields(sheet, name)
    texts = {key: entry.get(key, "") for key in ("group", "paper", "unavailable")}
    parts = {key: entry.get(key, {}) for key in ("weights", "settings", "training")}
    names = {"entry": name, "label": study.label(sheet, name)}
    return names | texts | parts | {"embedded": entry.get("embedded", False)}


def all_shown(study: Study, sheet: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return ``shown`` of each name, in order."""
    return [shown(study, sheet, name) for name in names]


def _in_paper(entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {entry["entry"]: entry["paper"] for entry in entries if entry["paper"]}
