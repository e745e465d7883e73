"""What Section 5.5 proposes: nearest prompts, a filter of unsafe ones, the share of cartoons."""

import json

import numpy as np
import open_clip
import polars as pl
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from scripts.analyse.count_cartoons import count_cartoons, probability
from scripts.analyse.find_similar_prompts import find_similar_prompts
from scripts.analyse.plot_prompt_filter import plot_prompt_filter
from scripts.analyse.train_prompt_filter import train_prompt_filter
from scripts.common.errors import UserError
from scripts.common.identity import prompt_uuid
from scripts.common.schemas.annotate import DATASET, embeddings
from scripts.common.tables import write_table
from tests.evaluate.test_paper_dimensions import TINY_CLIP

USERS, EACH = 40, 5
SETTINGS = {"threshold": 0.5, "test_share": 0.25, "most": 10_000, "embedder": "made_up",
            "banner": "MADE UP", "seed": 3}  # fmt: skip


@pytest.fixture
def study(tmp_path):
    """A data set of 40 users with five prompts each; a third unsafe, which one number tells."""
    random = np.random.default_rng(0)
    rows, vectors = [], []
    for number in range(USERS * EACH):
        text, unsafe = f"prompt {number}", number % 3 == 0
        rows.append(
            {"UUID": prompt_uuid(text), "Text_Prompt": text, "Image_Prompt": "images/00000.tar#x.png",
             "Timestamp": "2024-01-01 00:00:00", "Text_NSFW": 0.9 if unsafe else 0.1,
             "Image_NSFW": "Safe", "UserID": f"user-{number // EACH}", "Direction": ""}
        )  # fmt: skip
        vector = random.normal(size=6)
        vector[0] += 2.5 * unsafe
        vectors.append((vector / np.linalg.norm(vector)).astype(np.float16))
    dataset = tmp_path / "dataset.parquet"
    write_table(rows, dataset, DATASET, sort_by=["UUID"])
    paths = []
    for shard in range(2):
        paths.append(tmp_path / f"vectors/{shard:05d}.parquet")
        kept = [
            {"uuid": row["UUID"], "embedding": vector, "backend": "made_up"}
            for number, (row, vector) in enumerate(zip(rows, vectors, strict=True))
            if number % 2 == shard and number != 7  # that one was refused
        ]
        write_table(kept, paths[-1], embeddings(6))
    by_uuid = {row["UUID"]: vector for row, vector in zip(rows, vectors, strict=True)}
    del by_uuid[rows[7]["UUID"]]
    return dataset, paths, rows, by_uuid


def test_nearest_prompts_are_those_of_all_products(study, tmp_path):
    dataset, paths, _, by_uuid = study
    path = tmp_path / "similar.parquet"
    counts = find_similar_prompts(dataset, paths, path, neighbours=4)
    assert counts.sentence() == "read 200 = kept 199 + rejected 1 (no_embedding 1)"
    table = pl.read_parquet(path)
    assert table.height == 199 * 4
    names = list(by_uuid)
    vectors = np.stack(list(by_uuid.values())).astype(np.float64)
    products = vectors @ vectors.T
    np.fill_diagonal(products, -np.inf)
    for number, name in enumerate(names):
        found = table.filter(query=name).sort("rank")
        assert found["rank"].to_list() == [1, 2, 3, 4] and name not in found["reference"]
        best = np.sort(products[number])[::-1][:4]
        assert np.allclose(found["similarity"], best, atol=1e-6)
        places = [names.index(one) for one in found["reference"]]
        assert np.allclose(products[number][places], best, atol=1e-6)


def test_a_prompt_is_no_neighbour_of_itself_even_where_others_are_the_same(study, tmp_path):
    dataset, _, rows, _ = study
    path = tmp_path / "same.parquet"
    same = np.float16([1, 0, 0, 0, 0, 0])
    write_table(
        [{"uuid": row["UUID"], "embedding": same, "backend": "b"} for row in rows[:9]],
        path, embeddings(6),
    )  # fmt: skip
    find_similar_prompts(dataset, [path], tmp_path / "similar.parquet", neighbours=3)
    table = pl.read_parquet(tmp_path / "similar.parquet")
    assert (table["query"] != table["reference"]).all()
    assert table["query"].value_counts()["count"].to_list() == [3] * 9


def train(study, folder, **changes):
    dataset, paths, *_ = study
    made = [folder / f"filter.{form}" for form in ("parquet", "csv", "json")]
    counts = train_prompt_filter(dataset, paths, *made, **SETTINGS | changes)
    return counts, *made


def test_the_filter_is_measured_on_other_users_prompts(study, tmp_path):
    *_, rows, by_uuid = study
    counts, scores, curve, weights = train(study, tmp_path)
    assert counts.sentence() == "read 200 = kept 199 + rejected 1 (no_embedding 1)"
    table = pl.read_parquet(scores)
    user = {row["UUID"]: row["UserID"] for row in rows}
    sides = table.with_columns(user=pl.col("UUID").replace_strict(user))
    assert sides.group_by("user").agg(pl.col("side").n_unique())["side"].max() == 1
    assert sides.filter(side="test")["user"].n_unique() == USERS // 4
    test = table.filter(side="test")
    expected = average_precision_score(test["unsafe"], test["score"])
    assert expected > 0.8 > test["unsafe"].mean()
    head, names, *points = curve.read_text().splitlines()
    assert head.startswith(f"# MADE UP average precision {expected:.4f}, unsafe ")
    assert names == "threshold,precision,recall"
    cuts = np.array([list(map(float, point.split(","))) for point in points])
    for cut, precision, recall in cuts[:: max(1, len(cuts) // 5)]:
        said = test.filter(pl.col("score") >= cut - 1e-5)
        assert precision == pytest.approx(said["unsafe"].mean(), abs=0.03)
        assert recall == pytest.approx(said["unsafe"].sum() / test["unsafe"].sum(), abs=0.03)
    learnt = json.loads(weights.read_text())
    taught = table.filter(side="train")
    model = LogisticRegression(class_weight="balanced", max_iter=1000)
    model.fit(np.stack([by_uuid[one] for one in taught["UUID"]]).astype(float), taught["unsafe"])
    assert np.allclose(learnt["weights"], model.coef_[0], atol=0.01)
    name = table["UUID"][0]
    logit = by_uuid[name].astype(float) @ learnt["weights"] + learnt["bias"]
    assert table["score"][0] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-4)


def test_the_curve_is_drawn_beside_a_guess(study, tmp_path, drawn):
    _, scores, curve, _ = train(study, tmp_path)
    face = tmp_path / "filter.png"
    style = {"colour": "#0072B2", "width_in": 5.0}
    plot_prompt_filter(curve, faces=[face], style=style, banner="MADE UP")
    axis = drawn[0].axes[0]
    line, guess = axis.lines
    test = pl.read_parquet(scores).filter(side="test")
    title = axis.get_title(loc="left")
    assert title.startswith("average precision 0.")
    assert guess.get_ydata()[0] == pytest.approx(test["unsafe"].mean(), abs=1e-6)
    recall, precision = line.get_data()
    # The area under the steps is the average precision, which stands in the title.
    area = -np.sum(np.diff(recall) * precision[:-1]) + recall[-1] * precision[-1]
    expected = average_precision_score(test["unsafe"], test["score"])
    assert area == pytest.approx(expected, abs=0.01) and f"{expected:.4f}" in title
    assert line.get_drawstyle() == "steps-post" and face.stat().st_size > 5000


def test_the_filter_learns_from_no_more_prompts_than_it_may(study, tmp_path):
    counts, scores, *_ = train(study, tmp_path, most=150)
    assert counts.rejected["not_drawn"] == 50 and pl.read_parquet(scores).height == counts.kept
    assert counts.read == counts.kept + counts.rejected.total() == 200


def test_the_filter_tells_nothing_of_users(study, tmp_path):
    _, *made = train(study, tmp_path)
    for path in made:
        assert b"user-" not in path.read_bytes(), path
    assert pl.read_parquet(made[0]).columns == ["UUID", "side", "unsafe", "score"]


def test_another_seed_takes_other_users_and_the_same_seed_the_same_bytes(study, tmp_path):
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    (_, *one), (_, *two), (_, *three) = (
        train(study, folder, seed=seed) for folder, seed in zip(folders, (3, 3, 4), strict=True)
    )
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    sides = [pl.read_parquet(made[0])["side"].to_list() for made in (one, three)]
    assert sides[0] != sides[1]


def test_a_side_without_an_unsafe_prompt_is_refused(study, tmp_path):
    with pytest.raises(
        UserError, match=r" 0 are unsafe by Text_NSFW >= 0\.95; set analyse\.prompts"
    ):
        train(study, tmp_path, threshold=0.95)


def test_cartoons_are_counted_from_embeddings_that_are_there(study, tmp_path):
    dataset, paths, *_ = study
    torch.manual_seed(0)
    weights = tmp_path / "clip.pth"
    torch.save(open_clip.CLIP(**TINY_CLIP).state_dict(), weights)
    settings = {"architecture": TINY_CLIP, "batch_size": 4}
    entry = {"backend": "scripts.annotate.clip_pictures:ClipPictures", "settings": settings}
    entry |= {"weights": {"path": str(weights)}}
    random = np.random.default_rng(1)
    for path in paths:
        rows = pl.read_parquet(path)["uuid"].to_list()
        write_table(
            [{"uuid": uuid, "embedding": random.normal(size=16).astype(np.float16), "backend": "b"}
             for uuid in rows],
            path, embeddings(16),
        )  # fmt: skip
    made, share = tmp_path / "cartoons.parquet", tmp_path / "cartoons.csv"
    asked = {"entry": entry, "cartoon": ["a cartoon", "a comic"], "others": ["a photo"]}
    count_cartoons(dataset, [], made, share, **asked, banner="")
    assert share.read_text().endswith("paper\n0.0000,0.0000,1.0000,0,0.11\n"), "nothing is known"
    counts = count_cartoons(dataset, paths, made, share, **asked, banner="MADE UP")
    assert counts.sentence() == "read 200 = kept 199 + rejected 1 (no_embedding 1)"
    likely = pl.read_parquet(made)["probability"]
    head, names, row = share.read_text().splitlines()
    assert (head, names) == ("# MADE UP", "share,low,high,pictures,paper")
    found, low, high, pictures, paper = map(float, row.split(","))
    assert found == pytest.approx((likely >= 0.5).mean(), abs=1e-4) and low < found < high
    assert (pictures, paper) == (199, 0.11)
    # Wilson 1927: the shares that lie 1.96 of their own standard errors from what was found.
    for bound in (low, high):
        assert abs(found - bound) == pytest.approx(
            1.96 * (bound * (1 - bound) / 199) ** 0.5, abs=2e-3
        )


def test_a_picture_is_what_its_nearest_description_says():
    texts = np.float32([[1, 0, 0], [0.6, 0.8, 0], [0, 0, 1]])
    pictures = np.float32([[1, 0, 0], [0.6, 0.8, 0], [0, 0, 1], [0.5, 0.5, 0.5]])
    likely = probability(pictures, texts, 2)
    logits = 100 * pictures @ texts.T
    expected = torch.softmax(torch.tensor(logits), 1)[:, :2].sum(1)
    assert (
        np.allclose(likely, expected, atol=1e-6) and (likely[:2] > 0.99).all() and likely[2] < 0.01
    )
