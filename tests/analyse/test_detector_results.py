"""TIP-ID's table, and the figure of the trained detector."""

import csv

import numpy as np
import pandas as pd
import pytest

from scripts.analyse.build_tip_id import build_tip_id
from scripts.analyse.plot_detector_training import confusion_of, plot_detector_training, thinned
from scripts.common.errors import UserError
from scripts.common.identity import item_uuid
from scripts.common.schemas.detect import CLASS_SCORES, CLASSES, FRAME_SCORES, METRICS
from scripts.common.schemas.items import ITEM_INDEX
from scripts.common.schemas.watermark import WATERMARKS
from scripts.common.tables import write_table
from tests.analyse.tidy_metrics import BEYOND

GENERATORS = [{"entry": "pika", "label": "Pika"}, {"entry": "svd", "label": "SVD"}]
STYLE = {"colours": ["#000000", "#0072B2"], "colour_map": "cividis", "width_in": 8.0}


def metrics_of(folder):
    rows = [
        {
            "table": "table4", "setting": setting, "generator": generator, "items": 9, "rejected": 0,
            "metric": f"{truth}_as_{answer}",
            "value": (0.6 if generator == "pika" else 0.8) if truth == answer else 0.1,
        }
        for setting in ("same_domain", "cross_domain")
        for generator in ("pika", "svd")
        for truth in CLASSES
        for answer in CLASSES
    ]  # fmt: skip
    write_table(rows, folder / "metrics.parquet", METRICS)
    return folder / "metrics.parquet", pd.DataFrame(rows)


def test_a_matrix_is_the_mean_of_the_generators(tmp_path):
    _, rows = metrics_of(tmp_path)
    shares = confusion_of(rows[rows["setting"] == "same_domain"])
    assert list(shares.index) == list(shares.columns) == list(CLASSES)
    np.testing.assert_allclose(np.diag(shares), 0.7)
    assert shares.loc["real", "image_generated"] == pytest.approx(0.1)
    rows.loc[rows["metric"] == "real_as_image_generated", "value"] = 0.5
    assert confusion_of(rows).loc["real", "image_generated"] == 0.5, "the truth is the row"


def test_a_curve_of_many_rows_is_of_means(tmp_path):
    table = pd.DataFrame(
        {"iteration": range(1, 1001), "loss": np.arange(1000.0), "learning_rate": 1}
    )
    found = thinned(table)
    assert len(found) == 100 and found["iteration"].tolist()[:2] == [10, 20]
    assert found["loss"].tolist()[:2] == [4.5, 14.5]
    assert len(thinned(table[:30])) == 30


def test_the_figure_has_a_column_for_each_setting(tmp_path, drawn):
    metrics, _ = metrics_of(tmp_path)
    curves = []
    for setting in ("same_domain", "cross_domain"):
        for generator in ("pika", "svd"):
            curves.append(tmp_path / setting / f"{generator}.csv")
            curves[-1].parent.mkdir(exist_ok=True)
            curves[-1].write_text("iteration,loss,learning_rate\n1,1.1,0.1\n2,0.7,0.1\n")
    given = {"generators": GENERATORS, "faces": [], "banner": ""}
    plot_detector_training(metrics, curves, style=STYLE, **given)
    axes = drawn[0].axes
    titles = [axis.get_title(loc="left") or axis.get_title() for axis in axes]
    assert titles[:2] == ["Same Domain: loss", "Cross Domain: loss"]
    assert [len(axis.lines) for axis in axes] == [2, 2, 0, 0]
    with pytest.raises(UserError, match=r"detector_training\.colours has 1 colours for 2"):
        plot_detector_training(metrics, curves, style=STYLE | {"colours": ["#000000"]}, **given)


def test_the_table_has_a_column_for_each_model_and_every_rule_against_leakage(tmp_path):
    pika, real = item_uuid("pika", "1"), item_uuid("real", "1")
    common = {"status": "ok", "reason": None}
    frames = [
        {"uuid": uuid, "source": source, "detector": "a", "score": 0.9} | common
        for uuid, source in ((pika, "pika"), (real, "real"))
    ]
    classes = [
        {"uuid": pika, "source": "pika", "label": "image_generated", "setting": "same_domain",
         "generator": "pika", "p_real": 0.7, "p_text_generated": 0.1, "p_image_generated": 0.2}
        | common
    ]  # fmt: skip
    write_table(frames, tmp_path / "frames.parquet", FRAME_SCORES)
    write_table(classes, tmp_path / "classes.parquet", CLASS_SCORES)
    marks = [{"uuid": pika, "score": 0.9, "has_overlay": True, "status": "ok"}]
    write_table(marks, tmp_path / "marks.parquet", WATERMARKS)
    indexes = {}
    for source, uuid in (("pika", pika), ("real", real)):
        indexes[source] = [tmp_path / f"{source}.parquet"]
        write_table(
            [{"uuid": uuid, "status": "ok", "duration_s": 3.0}], indexes[source][0], ITEM_INDEX
        )
    (tmp_path / "leakage.csv").write_text(
        "rule,section,meaning,checked,violations\n"
        "tip_id.apart,Supplement 13,prompts lie apart,1200,0\n"
        "tip_id.takes,Supplement 13,takes lie apart,34,2\n"
    )
    faces = [tmp_path / "tip_id.csv", tmp_path / "tip_id.md"]
    build_tip_id(
        [tmp_path / "frames.parquet"], [tmp_path / "classes.parquet"], [tmp_path / "marks.parquet"],
        tmp_path / "leakage.csv", layout=BEYOND["tip_id"], faces=faces, banner="", indexes=indexes,
        generators=["pika"], real_sources=["real"], labels={"pika": "Pika", "real": "Real"},
        detectors=[{"entry": "a", "label": "A", "embedded": False}],
        trained=[{"entry": "v", "key": "same_domain", "label": "Same Domain", "embedded": False}],
    )  # fmt: skip
    rows = {tuple(row[:2]): row[2:] for row in csv.reader(faces[0].read_text().splitlines())}
    assert rows["source", "Pika"][:2] == ["100.0", "0.0"]
    assert rows["source", "Real"][:2] == ["0.0", ""]
    assert rows["overlay", "image prompt with an overlay"][:2] == ["100.0", "0.0"]
    assert rows["length", "2 to 4 s"][:2] == ["50.0", "0.0"]
    text = faces[1].read_text()
    assert "2 rules on 1,234 items, 2 violations." in text
    assert "takes lie apart; checked 34, violations 2." in text
