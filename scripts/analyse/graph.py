"""Analyse: where its rules find their inputs and settings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from scripts.analyse import declared_steps as declared
from scripts.analyse.closing import ACCOUNTED
from scripts.analyse.declaration import Step, files_of
from scripts.analyse.maps import OWN, MapsGraph
from scripts.analyse.registry import FIGURES, RESULTS, TABLES, Result, results_of
from scripts.analyse.shown_entries import ShownEntries
from scripts.analyse.table_rows import classifier_rows, tracer_rows
from scripts.common.code import ROOT
from scripts.common.configuration import read_yaml
from scripts.common.lots import Lots
from scripts.common.schemas.analyse import DIRECTION, SUBJECT
from scripts.common.schemas.detect import TABLE_3, TABLE_4
from scripts.common.schemas.trace import (
    BACKGROUNDS,
    MUAP_AT,
    MUAP_RERANKED,
    MUAP_VIDEO,
    REFERENCES,
)
from scripts.detect.bias_graph import BiasGraph

TIP_TRACE = "results/splits/tip_trace"


@dataclass(frozen=True)
class AnalyseGraph(ShownEntries):
    """What the rules of the stage ask.

    Attributes:
        curate_steps: returns the account of curate, which is another with exports than with the
            released data set.
        maps: of prompts.
    """

    curate_steps: Callable[[], list[Step]]
    maps: MapsGraph

    def made(self, kind: str) -> list[Result]:
        """Return every table, or every figure; some only if the configuration asks for them."""
        switched_on = ["bias_ledger"] * self.study.config["detect"]["bias_ledger"]["enabled"]
        return results_of(kind, switched_on)

    @property
    def tables(self) -> list[str]:
        """Every table, in the form that programs read."""
        return [result.target for result in self.made(TABLES)]

    @property
    def figures(self) -> list[str]:
        """Every figure."""
        return [result.target for result in self.made(FIGURES)]

    @property
    def targets(self) -> list[str]:
        """The last files of the stage."""
        return self.tables + self.figures

    @property
    def published(self) -> list[str]:
        """Every table and figure, in every form in which the report offers it."""
        made = self.made(TABLES) + self.made(FIGURES)
        return [file for result in made for file in result.files.values()]

    @property
    def capsule(self) -> list[str]:
        """What Tables 3, 4, 5 and 7 and Figure 6 are made from, and of what they are measured."""
        study, trace, detect = self.study, self.trace, self.detect
        sources = [*study.generators, *study.real_sources, *study.text_sources]
        return [
            *self.evaluate.score_tables,
            *(f"results/splits/tip_id/{source}.parquet" for source in sources),
            *detect.frame_scores,
            *detect.class_scores,
            *detect.checkpoints,
            "results/splits/leakage.csv",
            *(f"{TIP_TRACE}/{name}.parquet" for name in [*study.generators, REFERENCES]),
            *(path for model in trace.models for path in trace.features(model, REFERENCES)),
            *trace.query_tables(trace.models),
            *(f"results/trace/matches/{model}.parquet" for model in trace.models),
            *trace.reranked,
            *trace.checkpoints,
        ]

    # The account

    @property
    def accounted(self) -> list[str]:
        """The stages whose items are followed: those that have rules."""
        return [stage for stage in self.study.stages if stage in ACCOUNTED]

    @property
    def accounts(self) -> list[str]:
        """The accounts of these stages, in their order."""
        return [f"results/analysis/account/{stage}.parquet" for stage in self.accounted]

    def steps(self, wildcards: Any) -> list[Step]:
        """Return the declared steps of the wildcard's stage."""
        study = self.study
        return {
            "curate": self.curate_steps,
            "annotate": lambda: declared.annotate_steps(study, self.annotate),
            "generate": lambda: declared.generate_steps(study),
            "split": lambda: declared.split_steps(study),
            "evaluate": lambda: declared.evaluate_steps(study, self.evaluate.measured),
            "detect": lambda: declared.detect_steps(study, self.detect),
            "trace": lambda: declared.trace_steps(
                study, self._frames, self._features, anew=bool(self.trace.reranker)
            ),
        }[wildcards.stage]()

    @property
    def stages(self) -> Lots:
        """The stages, each of which has an account."""
        return Lots(
            wildcards=[{"stage": stage} for stage in self.accounted],
            files={"account": "results/analysis/account/{stage}.parquet"},
            inputs=lambda lot: {"files": files_of(self.steps(lot))},
            settings=lambda lot: {"steps": self.steps(lot)},
            together=self.study.config["analyse"]["jobs"] == "together",
        )

    @property
    def _frames(self) -> dict[str, list[str]]:
        return {name: self.trace.decoded([name])["frame_indexes"] for name in self.study.generators}

    @property
    def _features(self) -> dict[str, dict[str, list[str]]]:
        return {
            model: {
                name: self.trace.features(model, name)
                for name in [REFERENCES, *self.trace.sets_of(model)]
                if name != BACKGROUNDS
            }
            for model in self.trace.models
        }

    # Tables and figures

    def recipe(self, rule: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what the rule of a result takes: its inputs, and its settings but for the banner."""
        inputs, settings = self._recipes[rule]
        result = RESULTS[rule]
        if result.kind == FIGURES:
            settings = settings | {"style": self.study.config["analyse"]["figures"][result.name]}
        return inputs, settings

    @cached_property
    def _recipes(self) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
        seed, generators = {"seed": self.study.config["seed"]}, {"generators": self.generators}
        papers = [result for result in results_of(TABLES) if result.number]
        sheet = read_yaml(ROOT / "config/beyond.yaml")
        beyond = {name: {"layout": layout} for name, layout in sheet.items()}
        popularity = {"popularity": "results/analysis/popularity.parquet"}
        summary = {"summary": "results/evaluation/summary.parquet"}
        topics = {"topics": "results/evaluation/topics.parquet"}
        least = self.study.config["analyse"]["figures"]["topics"]["least"]
        camera = {"camera": "results/evaluation/camera.parquet"}
        strength = {"strength": "results/evaluation/motion_strength.parquet"}
        annotators = {"annotators": self.annotators}
        indexes = {name: self.detect.files(name)["indexes"] for name in self.detect.sources}
        bias = {"bias": "results/detect/bias.parquet"}
        there = [row for row in self.detectors if not row["unavailable"]]
        trained = classifier_rows(self.videomae, self.generators)
        models = {
            "rows": {TABLE_3: there, TABLE_4: trained},
            "controls": BiasGraph(self.detect).labels,
        }
        top = {"top": self.study.config["analyse"]["popularity"]["top"]}
        split = self.study.config["split"]
        videos = {"videos": self.videos}
        dataset = {"dataset": "results/dataset.parquet"}
        mosaic = dataset | {
            "prompts": "results/splits/tip_eval/prompts.parquet",
            "tars": [tar for files in self.videos.values() for tar in files["tars"]],
            "indexes": [index for files in self.videos.values() for index in files["indexes"]],
        }
        images = {"images": self.study.image_tars, "image_indexes": self.study.image_indexes}
        examples = dataset | popularity | images
        shown = {"blurred": self.study.config["analyse"]["figures"]["blurred"]}
        overlays = {"overlays": "results/watermark/overlays.parquet"}
        tracers = tracer_rows(self.tracers, self.trained_tracers, self.generators)
        return {
            "build_table1": self._overview("1"),
            "build_table2": self._overview("2"),
            "build_table3": self._table("3", self.detectors, split["tip_id"]),
            "build_table4": self._table(
                "4", classifier_rows(self.videomae, self.generators), split["tip_id"]
            ),
            "build_table5": self._table("5", tracers, split["tip_trace"]),
            "build_table7": self._table("7", self.dimensions, split["tip_eval"]),
            "build_leaderboard": (
                {"leaderboard": "results/evaluation/leaderboard.parquet"},
                beyond["leaderboard"] | seed | generators | {"dimensions": self.dimensions},
            ),
            "build_topics": (topics, beyond["topics"] | seed | generators | {"least": least}),
            "plot_topics": (topics, seed | generators),
            "build_camera": (camera, beyond["camera"] | seed | generators),
            "plot_camera": (camera | strength, seed | generators),
            "build_tip_id": (
                {
                    "frame_scores": self.detect.frame_scores,
                    "class_scores": self.detect.class_scores,
                    "watermarks": self.study.watermark_scores,
                    "leakage": "results/splits/leakage.csv",
                    "index_files": [path for paths in indexes.values() for path in paths],
                },
                beyond["tip_id"]
                | {
                    "detectors": there,
                    "trained": trained,
                    "indexes": indexes,
                    "generators": self.study.generators,
                    "real_sources": self.study.real_sources,
                    "labels": {
                        name: self.study.label(
                            "generators" if name in self.study.generators else "sources", name
                        )
                        for name in self.detect.sources
                    },
                },
            ),
            "build_bias_ledger": (
                bias | {"shortcuts": "results/detect/shortcuts.parquet"},
                beyond["bias_ledger"] | seed | generators | models,
            ),
            "plot_detector_training": (
                {"metrics": "results/detect/metrics.parquet", "curves": self.detect.curves},
                seed | generators,
            ),
            "plot_bias_ledger": (bias, seed | generators | models),
            "build_paper_comparison": (
                {
                    "tables": [result.target for result in papers],
                    "paper_tables": [self.paper_table(result.number) for result in papers],
                },
                {
                    "absent_rows": self.absent_rows,
                    "cited": [
                        self.study.label("sources", name)
                        for layout in self.layouts.values()
                        for name in layout.get("beside", [])
                    ],
                    "comparable": self.is_comparable,
                    "leading": {
                        name.removeprefix("table"): layout["keys"]
                        for name, layout in self.layouts.items()
                    },
                    "paper_columns": self.paper_columns,
                    "paper_rows": self.paper_rows,
                },
            ),
            "account": ({"accounts": self.accounts}, {}),
            "plot_figure1": (mosaic, shown | seed | generators | videos),
            "plot_figure2": (
                mosaic
                | images
                | {
                    "texts": self.annotate.vectors("text_embedding"),
                    "pictures": self.annotate.vectors("image_embedding"),
                },
                shown | seed | generators | videos,
            ),
            "plot_figure3": self._maps("figure3"),
            "plot_figure8": self._maps("figure8"),
            "plot_figure4": (popularity, annotators | top),
            "plot_figure5": (popularity, annotators),
            "plot_figure6": (summary, seed | generators | {"dimensions": self.dimensions}),
            "plot_figure7": (mosaic, shown | seed | generators | videos),
            "plot_figure9": (popularity, annotators | {"top": 2 * top["top"]}),
            "plot_figure10": (examples, shown | seed | annotators | top | {"kind": SUBJECT}),
            "plot_figure11": (examples, shown | seed | annotators | top | {"kind": DIRECTION}),
            "plot_figure12": (
                {
                    name: f"{TIP_TRACE}/{name}.parquet"
                    for name in ("training_images", "references", "distractors")
                }
                | {"frames": [f"{TIP_TRACE}/{name}.parquet" for name in self.study.generators]},
                {},
            ),
            "plot_tracing_along": (
                {"metrics": "results/trace/metrics.parquet"},
                seed | generators | {"rows": tracers, "frames": self._frames_along},
            ),
            "plot_tracer_training": (
                {"tables": [f"results/trace/training/{model}.csv" for model in self.trainings]},
                seed
                | {
                    "networks": self.trained_tracers,
                    "runs": list(dict.fromkeys(self.trainings.values())),
                },
            ),
            "plot_funnel": ({"funnel": "results/tables/funnel.csv"}, {}),
            "plot_watermark": (overlays | {"watermarks": self.study.watermark_scores}, {}),
        }

    def _table(
        self, number: str, rows: Sequence[Mapping[str, Any]], protocol: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the recipe of a table in the paper's layout; ``protocol`` is for its provenance."""
        layout = self.layouts[f"table{number}"]
        is_beside = self.is_comparable and layout.get("paper_beside")
        beside = {"paper": self.paper_table(number)} if is_beside else {}
        settings = {"number": number, "rows": rows, "generators": self.generators}
        settings |= {"layout": layout, "protocol": protocol, "seed": self.study.config["seed"]}
        return {"metrics": layout["metrics"]} | beside, settings

    def _overview(self, number: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the recipe of Table 1 or 2."""
        layout, study = self.layouts[f"table{number}"], self.study
        inputs = {
            "dataset": "results/dataset.parquet",
            "prompts": "results/splits/tip_eval/prompts.parquet",
        }
        beside = [study.fields("sources", name) for name in layout["beside"]]
        settings = {"number": number, "layout": layout, "known": layout["known"] | self._facts}
        facts = [{key: each[key] for key in ("label", "facts", "citation")} for each in beside]
        return inputs, settings | {"beside": facts}

    def _maps(self, figure: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the recipe of a figure of maps: of those data sets beside ours that there are."""
        wanted = self.study.config["analyse"]["figures"][figure]["beside"]
        beside = [name for name in wanted if name in self.maps.names]
        points = [self.maps.points(name) for name in beside or ["text"]]
        grids = [str(Path(path).with_name("grid.json")) for path in points]
        labels = [self.maps.label(name) for name in (OWN, *beside)]
        seed = {"seed": self.study.config["seed"]}
        return {"points": points, "grids": grids}, seed | {"labels": labels}

    @property
    def _facts(self) -> dict[str, str]:
        """What the configuration says of the data set: fact of Table 1 -> text."""
        study, made = self.study, self.annotate.annotators
        text = study.fields("annotators", made["text_embedding"])
        tokens = text.get("max_tokens") or text.get("settings", {}).get("max_tokens")
        ways = ["Web scraping"] * bool(study.scraped or study.released)
        ways += ["Local generation"] * (len(study.generators) > len(study.scraped))
        facts = {key: study.label("annotators", made[key])
                 for key in ("text_embedding", "image_embedding")}  # fmt: skip
        facts |= {"max_tokens": f"{tokens} tokens"} if tokens else {}
        sources = str(len(study.generators))
        return facts | {"generation_sources": sources, "collection": " + ".join(ways)}

    @cached_property
    def layouts(self) -> dict[str, dict[str, Any]]:
        """How each table of the paper is laid out."""
        sheet = read_yaml(ROOT / "config/paper/tables.yaml")
        videomae = self.videomae["label"]
        for layout in sheet.values():
            layout["caption"] = layout["caption"].replace("{videomae}", videomae)
        if name := self.trace.reranker:
            anew = sheet["table5"]["reranked"]
            header = anew["header"].format(self.study.label("tracers", name))
            sheet["table5"]["supplements"][MUAP_RERANKED] = [header, "Method"]
            sheet["table5"]["closing"] += [anew["note"]]
        if frames := self._frames_along:
            along = sheet["table5"]["along"]
            headers = {
                f"{MUAP_AT}{n}": along["frame"].format(n, frames) for n in range(1, frames + 1)
            }
            headers[MUAP_VIDEO] = along["video"]
            sheet["table5"]["supplements"] |= {
                key: [header, "Method"] for key, header in headers.items()
            }
            sheet["table5"]["closing"] += [along["note"]]
        return sheet

    @property
    def _frames_along(self) -> int:
        """Frames along each video that is followed; none where none is."""
        return self.study.config["split"]["tip_trace"]["along"]["frames"] if self.trace.along else 0
