"""Subjects and directions by generator: scales apart, names of few videos left out."""

import pandas as pd
import pytest

from scripts.analyse.build_topics import build_topics
from scripts.analyse.plot_topics import plot_topics
from scripts.common.schemas.annotate import DATASET
from scripts.common.schemas.evaluate import SCORES, TOPICS
from scripts.common.tables import read_frame, write_table
from scripts.evaluate.score_topics import score_topics, spread_of
from tests.analyse.tidy_metrics import BEYOND, entry

GENERATORS = ["pika", "svd"]


def score(generator, item, metric, value):
    return {"generator": generator, "item": item, "metric": metric, "value": value, "frames": 8,
            "status": "ok" if value is not None else "rejected",
            "reason": None if value is not None else "no_video", "remark": None}  # fmt: skip


def row(uuid, subject, direction):
    blank = dict.fromkeys(DATASET.names, "")
    return blank | {"UUID": uuid, "Subject": subject, "Direction": direction, "Text_NSFW": 0.0}


@pytest.fixture
def topics(tmp_path):
    """Cats are done well by both, in one dimension of ones and one of thousands; dogs are not."""
    rows = [row("a", "Cat", "walk, run"), row("b", "Dog", "run"), row("c", None, "")]
    write_table(rows, tmp_path / "dataset.parquet", DATASET)
    values = {("pika", "a"): 2, ("pika", "b"): 0, ("svd", "a"): 2, ("svd", "b"): 0}
    scores = [score(g, i, m, v * scale) for (g, i), v in values.items()
              for m, scale in (("small", 1.0), ("large", 1000.0))]  # fmt: skip
    scores += [score(g, i, "alike", 5.0) for g, i in values]
    scores += [score("pika", "c", "small", None), score("pika", "a", "camera_pan", 99.0)]
    write_table(scores, tmp_path / "scores.parquet", SCORES)
    out = tmp_path / "topics.parquet"
    counts = score_topics([tmp_path / "scores.parquet"], tmp_path / "dataset.parquet", out,
                          dimensions=["small", "large", "alike"], generators=GENERATORS)  # fmt: skip
    return read_frame([out], TOPICS), counts, out


def test_scores_are_deviations_from_all_videos(topics):
    table, counts, _ = topics
    found = table.set_index(["kind", "name", "generator"])["score"]
    # 2, 0, 2, 0: a mean of 1 and a deviation of 1.1547, in either dimension.
    assert found["subject", "Cat", "pika"] == pytest.approx(1 / 1.1547, abs=1e-4)
    assert found["subject", "Dog", "svd"] == pytest.approx(-1 / 1.1547, abs=1e-4)
    assert found["direction", "run", "pika"] == pytest.approx(0)  # a cat and a dog
    assert found["direction", "walk", "pika"] == found["subject", "Cat", "pika"]
    assert table["items"].tolist() == [1, 1, 1, 1, 2, 2, 1, 1]
    assert table["name"].tolist()[::2] == ["Cat", "Dog", "run", "walk"]
    assert (counts.kept, dict(counts.rejected), counts.declared) == (4, {"not_scored": 1}, 5)


def test_a_name_is_worth_the_mean_of_its_videos(tmp_path):
    """Of videos, each worth the mean of the dimensions that it was scored in."""
    rows = [row(uuid, "Cat", "run") for uuid in "abc"] + [row("d", "Dog", "run")]
    write_table(rows, tmp_path / "dataset.parquet", DATASET)
    values = {"a": 0.0, "b": 0.0, "c": 3.0, "d": 1.0}  # a mean of 1, a deviation of the root of 2
    scores = [score("pika", uuid, "small", value) for uuid, value in values.items()]
    scores += [score("pika", uuid, "other", value) for uuid, value in {"c": 1.0, "d": 2.0}.items()]
    write_table(scores, tmp_path / "scores.parquet", SCORES)
    out = tmp_path / "topics.parquet"
    score_topics([tmp_path / "scores.parquet"], tmp_path / "dataset.parquet", out,
                 dimensions=["small", "other"], generators=["pika"])  # fmt: skip
    cat = read_frame([out], TOPICS).set_index("name").loc["Cat"]
    best = (2 / 2**0.5 - 0.5 / 0.5**0.5) / 2
    assert cat["score"] == pytest.approx((-1 / 2**0.5 - 1 / 2**0.5 + best) / 3)


def test_names_stand_best_first_if_every_generator_has_enough(topics):
    table, _, _ = topics
    own = table[table["kind"] == "subject"]
    assert spread_of(own, 1).index.tolist() == ["Cat", "Dog"]
    assert spread_of(own, 2).empty
    assert spread_of(own[own["name"] + own["generator"] != "Catsvd"], 1).index.tolist() == ["Dog"]


def test_best_and_worst_as_a_table(topics, tmp_path):
    columns = [entry("pika", "Pika"), entry("svd", "SVD")]
    build_topics(
        topics[2],
        layout=BEYOND["topics"],
        faces=[tmp_path / "t.csv", tmp_path / "t.md"],
        generators=columns,
        least=1,
        banner="",
    )
    text = (tmp_path / "t.md").read_text()
    assert "| subject | best 1 | Cat (+0.87) | Cat (+0.87) | 1 |" in text
    assert "Names of fewer than 1 videos are left out" in text
    assert (
        "|  | worst 1 | Dog (-0.87) | Dog (-0.87) | 1 |" in text and "|  | best 3 | – | – |" in text
    )
    table = pd.read_csv(tmp_path / "t.csv", comment="#", keep_default_na=False)
    assert table["place"].tolist()[:6] == [
        "best 1",
        "best 2",
        "best 3",
        "worst 1",
        "worst 2",
        "worst 3",
    ]


def test_the_heat_map_leaves_out_what_few_videos_show(topics, tmp_path):
    columns = [entry("pika", "Pika"), entry("svd", "SVD")]
    style = {"names": 1, "least": 1, "colour_map": "PuOr", "width_in": 6.0}
    made = [tmp_path / "a.png", tmp_path / "b.png"]
    counts = [
        plot_topics(topics[2], faces=[path], generators=columns, style=style, banner="")
        for path in made
    ]
    assert counts[0].kept == 4 and made[0].read_bytes() == made[1].read_bytes()
    few = plot_topics(topics[2], faces=[tmp_path / "c.png"], generators=columns,
                      style=style | {"least": 2}, banner="")  # fmt: skip
    assert few.kept == 1 and dict(few.rejected) == {"too_few_videos": 3}
