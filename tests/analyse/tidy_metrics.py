"""Made-up tidy metrics, with the paper's numbers in them where the paper has them."""

import csv
from pathlib import Path

import pandas as pd
import yaml

from scripts.analyse.build_table import build_table
from scripts.analyse.table_rows import classifier_rows, tracer_rows
from scripts.common.code import ROOT
from scripts.common.schemas.detect import ACCURACY, ACCURACY_HIGH, ACCURACY_LOW, CAUGHT
from scripts.common.schemas.detect import METRICS as DETECTION
from scripts.common.schemas.evaluate import EVALUATION_SUMMARY
from scripts.common.schemas.trace import METRICS as TRACING
from scripts.common.schemas.trace import (
    MUAP,
    MUAP_HIGH,
    MUAP_LOW,
    MUAP_TOP_K,
    RECALL_AT_1,
    RECALL_AT_P90,
)
from scripts.common.tables import write_table

FORMS = (".csv", ".md", ".tex", ".html")
BANNER = "DEMO: made up; 100% not results"
COLUMNS = {"pika": "Pika", "svd": "SVD", "opensora": "OpS", "i2vgenxl": "IXL", "cogvideox": "Cog"}
GENERATORS = [{"entry": name, "label": label, "embedded": False} for name, label in COLUMNS.items()]

LAYOUTS, BEYOND = (
    yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    for name in ("config/paper/tables.yaml", "config/beyond.yaml")
)


def build_table3(metrics, faces, *, detectors, **more):
    """Build Table 3 as its rule does."""
    return build_table(
        metrics, faces=faces, number="3", layout=LAYOUTS["table3"], rows=detectors, **more
    )


def build_table4(metrics, faces, *, videomae, generators, **more):
    """Build Table 4 as its rule does."""
    rows, layout = classifier_rows(videomae, generators), LAYOUTS["table4"]
    return build_table(
        metrics, faces=faces, number="4", layout=layout, rows=rows, generators=generators, **more
    )


def build_table5(metrics, faces, *, tracers, cosface, generators, **more):
    """Build Table 5 as its rule does."""
    keys = {"keys": ["cosface_same_domain", "cosface_cross_domain"]}
    rows, layout = tracer_rows(tracers, [cosface | keys], generators), LAYOUTS["table5"]
    return build_table(
        metrics, faces=faces, number="5", layout=layout, rows=rows, generators=generators, **more
    )


def build_table7(metrics, faces, *, dimensions, **more):
    """Build Table 7 as its rule does."""
    return build_table(
        metrics, faces=faces, number="7", layout=LAYOUTS["table7"], rows=dimensions, **more
    )


def paper_table(number: str) -> list[dict[str, str]]:
    """Return the rows of one of the paper's tables."""
    with open(ROOT / "config" / "paper" / f"table{number}.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def entry(name: str, label: str | None = None, embedded: bool = False, **more) -> dict:
    """Return what a rule says of an entry of a sheet."""
    return {"entry": name, "label": label or name, "embedded": embedded, **more}


def slug(label: str) -> str:
    """Return an entry's name for a label of the paper."""
    return label.lower().replace(" ", "_").replace("-", "_")


def write_detection(path: Path, items: int = 2000) -> Path:
    """Write detection metrics with the numbers of Tables 3 and 4."""
    rows = []
    for number, key in (("3", "detector"), ("4", "setting")):
        for row in paper_table(number):
            if row[key] == "Blind Guess":
                continue
            for generator, column in COLUMNS.items():
                value = float(row[column]) / 100
                common = {"table": f"table{number}", "setting": slug(row[key])}
                common |= {"generator": generator, "items": items, "rejected": 0}
                rows.append(common | {"metric": row["metric"], "value": value})
                if row["metric"] == ACCURACY:
                    others = {
                        CAUGHT: 0.125,
                        ACCURACY_LOW: value - 0.01,
                        ACCURACY_HIGH: value + 0.02,
                    }
                    rows += [common | {"metric": m, "value": v} for m, v in others.items()]
    write_table(rows, path, DETECTION)
    return path


def write_tracing(path: Path) -> Path:
    """Write tracing metrics with the numbers of Table 5, and the other metrics beside them."""
    rows = []
    for row in paper_table("5"):
        ours = row["group"] == "Ours"
        tracer = ("cosface_" if ours else "") + slug(row["method"])
        for generator, column in COLUMNS.items():
            common = {"tracer": tracer, "generator": generator, "queries": 50_000}
            common |= {"references": 1_010_000, "positives": 10_000, "rejected": 3}
            rows.append(common | {"metric": MUAP, "value": float(row[column]) / 100})
            value = float(row[column]) / 100
            for metric, other in (
                (MUAP_LOW, value - 0.002),
                (MUAP_HIGH, value + 0.003),
                (MUAP_TOP_K, 0.7),
                (RECALL_AT_1, 0.5),
                (RECALL_AT_P90, 0.25),
            ):
                rows.append(common | {"metric": metric, "value": other})
    write_table(rows, path, TRACING)
    return path


def write_summary(path: Path, missing: tuple[str, str] | None = None) -> Path:
    """Write the means of Table 7; ``missing`` (dimension, generator) has no number."""
    rows = []
    for row in paper_table("7"):
        for generator, column in COLUMNS.items():
            name = slug(row["dimension"])
            value = None if (name, generator) == missing else float(row[column])
            rows += [
                {"dimension": name, "generator": generator, "metric": metric}
                | {"value": None if value is None else value + more}
                | {"items": 10_000, "rejected": 0, "remarked": 0}
                for metric, more in {
                    "mean": 0,
                    "mean_low": -0.01,
                    "mean_high": 0.02,
                    "mean_by_frames": 0.1,
                }.items()
            ]
    write_table(rows, path, EVALUATION_SUMMARY)
    return path


def faces(folder, name):
    """Return the files of a table in all its forms."""
    return [folder / f"{name}{form}" for form in FORMS]


def read(path):
    """Return a table's CSV, every cell a text."""
    return pd.read_csv(path, comment="#", dtype=str, keep_default_na=False)
