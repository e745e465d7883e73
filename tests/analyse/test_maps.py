"""Maps of prompts: the viewer's own numbers on a small case, who is on them, and how they are laid out."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from matplotlib.text import Text

from scripts.analyse.embed_outside_prompts import embed_outside_prompts
from scripts.analyse.map_grid import Density, describe_density, describe_words
from scripts.analyse.map_prompts import draw_prompts
from scripts.analyse.plot_figure3 import plot_figure3
from scripts.analyse.project_prompts import project_prompts
from scripts.analyse.projection import SPAN, project
from scripts.common.errors import UserError
from scripts.common.identity import item_uuid
from scripts.common.rule_log import Counts
from scripts.common.schemas.annotate import embeddings
from scripts.common.schemas.sources import OUTSIDE_PROMPTS
from scripts.common.tables import read_table, write_table
from tests.annotate.made_up_dataset import Stage

WORDS = ["cat", "dog", "astronaut", "dragon", "walks", "smiles", "zoom", "river"]
PCA = {"method": "pca", "components": 50, "neighbours": 5, "min_dist": 0.1, "sample": 100}


class MadeUpTexts:
    """A TextEmbedder of four numbers."""

    dimension = 4

    def __init__(self, weights=None, device="cpu"):
        pass

    def embed(self, texts):
        return np.float32([[len(text), 1, *map(ord, text[-2:])] for text in texts])


def points():
    """Forty points of two groups, and their texts."""
    rng = np.random.default_rng(3)
    ours, theirs = rng.normal((-4, 2), (2, 1), (20, 2)), rng.normal((3, -1), (1, 2), (20, 2))
    texts = [f"the {WORDS[i % 8]} {WORDS[i * i % 7]} {WORDS[i // 5]}" for i in range(40)]
    return np.concatenate([ours, theirs]).round(2), texts


def test_the_grid_is_the_viewer_s_own_builder_s():
    """Numbers of generate_grid_dict of wizmap 0.1.7 for the same points, to its last decimal."""
    places, _ = points()
    low, high = places.min(axis=0), places.max(axis=0)
    whole, ours, theirs = (Density(low, high, size) for size in (40, 20, 20))
    for start in range(0, 40, 7):
        whole.add(places[start : start + 7])
    ours.add(places[:20])
    theirs.add(places[20:])
    grid = describe_density(whole, {"Ours": ours, "Theirs": theirs})
    assert np.allclose([grid["xRange"], grid["yRange"]], [[-9.945, 4.875], [-7.745, 7.075]])
    assert (grid["sampleSize"], grid["totalPointSize"], grid["padded"]) == (40, 40, True)
    assert grid["groupTotalPointSizes"] == {"Ours": 20, "Theirs": 20}
    assert grid["groupNames"] == ["Ours", "Theirs"]
    density, part = np.array(grid["grid"]), np.array(grid["groupGrids"]["Ours"])
    assert density.shape == part.shape == (200, 200)
    expected = {(100, 100): 0.0001, (120, 60): 0.0228, (60, 140): 0.0071, (0, 0): 0.0,
                (140, 75): 0.039, (80, 150): 0.0152}  # fmt: skip
    assert {place: density[place] for place in expected} == pytest.approx(expected, abs=1.01e-4)
    expected = {(120, 60): 0.0453, (60, 140): 0.0, (140, 75): 0.0704}
    assert {place: part[place] for place in expected} == pytest.approx(expected, abs=1.01e-4)
    assert (density.sum(), part.sum()) == pytest.approx((176.0248, 177.5689), abs=0.02)
    assert density.max() == 0.0522
    alone = describe_density(whole, {"Ours": whole})
    assert "groupGrids" not in alone


def test_words_of_places_are_the_viewer_s_own_builder_s():
    """Its tiles at each level; its words where no two score the same."""
    topic = describe_words(*points())
    assert topic["extent"] == [[-10, -6], [6, 10]]
    assert topic["range"] == [-9.66, -5.99, 4.59, 5.32]
    assert list(topic["data"]) == ["5", "6", "7", "8", "9", "10"]
    assert [len(tiles) for tiles in topic["data"].values()] == [39, 40, 40, 40, 40, 40]
    for level, tiles in {
        "5": [[-8.25, 1.75, "dragon-cat-astronaut-"], [0.75, -2.75, "zoom-cat-astronaut-"],
              [3.25, -5.75, "smiles-cat-walks-"]],
        "10": [[-8.039, 1.773, "dragon-cat-astronaut-"], [3.226, -5.992, "smiles-cat-walks-"]],
    }.items():  # fmt: skip
        assert all(tile in topic["data"][level] for tile in tiles)


def test_principal_components_do_not_depend_on_pieces_and_keep_what_varies_most():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 5)) * [1, 9, 0.1, 4, 0.1] + [3, 0, 0, 0, 0]
    settings = PCA | {"seed": 1}
    whole = project(lambda: iter([vectors]), **settings)
    pieces = project(lambda: iter(np.array_split(vectors.astype(np.float16), 7)), **settings)
    assert np.abs(whole - pieces).max() < 0.05
    for axis, column in enumerate((1, 3)):
        assert np.corrcoef(whole[:, axis], vectors[:, column])[0, 1] > 0.9
    assert np.ptp(whole, axis=0).max() == pytest.approx(SPAN)
    assert np.allclose(whole.min(axis=0) + whole.max(axis=0), 0)


def test_umap_sees_a_sample_of_principal_components_and_puts_the_others_between(monkeypatch):
    seen = {}

    class Network:
        def __init__(self, **settings):
            seen["settings"] = settings

        def fit_transform(self, vectors):
            seen["fitted"] = vectors.shape
            return vectors[:, :2]

        def transform(self, vectors):
            seen["placed"] = vectors.shape
            return vectors[:, :2]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Network))
    vectors = np.random.default_rng(0).normal(size=(50, 8))
    umap = PCA | {"method": "umap", "components": 3, "sample": 30, "seed": 7}
    places = project(lambda: iter([vectors]), **umap)
    assert (seen["fitted"], seen["placed"]) == ((30, 3), (20, 3))
    wanted = {"n_neighbors": 5, "min_dist": 0.1, "random_state": 7, "n_jobs": 1}
    assert seen["settings"] == wanted
    assert np.allclose(places, project(lambda: iter([vectors]), **PCA, seed=7), atol=1e-4)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The data set of a made-up stage, and six prompts of another data set, of which five have vectors."""
    stage = Stage(tmp_path_factory.mktemp("tables"))
    stage.build()
    prompts, vectors = stage.folder / "outside.parquet", stage.folder / "outside_vectors.parquet"
    ids = [item_uuid("them", str(n)) for n in range(6)]
    rows = [{"uuid": one, "prompt": f"<img src=x> {n} & co"} for n, one in enumerate(ids)]
    write_table([row | {"dataset": "Them"} for row in rows], prompts, OUTSIDE_PROMPTS)
    numbers = np.random.default_rng(5).normal(size=(5, 4)).astype(np.float16)
    rows = [{"uuid": one, "embedding": row} for one, row in zip(ids, numbers, strict=False)]
    write_table([row | {"backend": "made_up"} for row in rows], vectors, embeddings(4))
    return stage, prompts, vectors


@pytest.fixture
def two(tables, tmp_path):
    """The stage, a map of both data sets, and where its points go."""
    stage, prompts, vectors = tables
    own = {"label": "TIP-I2V", "prompts": stage.dataset, "vectors": stage.vectors["text_embedding"]}
    other = {"label": "Them", "prompts": prompts, "vectors": [vectors], "most": 100}
    maps = {"label": "TIP-I2V and Them", "groups": [own, other]}
    path = tmp_path / "maps/them/points.parquet"
    path.parent.mkdir(parents=True)
    return stage, maps, path


def lay_out(maps, path, **changes):
    settings = {"projection": PCA, "banner": "MADE UP", "seed": 1} | changes
    return project_prompts(path, **maps, **settings)


def test_a_map_has_each_prompt_with_a_vector_once_and_no_user(two):
    stage, maps, path = two
    counts = lay_out(maps, path)
    own = stage.rows()
    assert counts.sentence() == (
        f"read {len(own) + 6} = kept {len(own) + 5} + rejected 1 (no_embedding 1)"
    )
    table = pl.read_parquet(path)
    assert table["group"].value_counts().sort("group").rows() == [
        ("TIP-I2V", len(own)),
        ("Them", 5),
    ]
    ours = table.filter(group="TIP-I2V")
    assert dict(ours.select("text", "UUID").iter_rows()) == {
        text: row["UUID"] for text, row in own.items()
    }
    assert set(ours["subject"]) == {row["Subject"] for row in own.values()}
    assert not {"UserID", "user_id"} & set(table.columns)
    users = {row["UserID"] for row in own.values() if row["UserID"]}
    for file in path.parent.iterdir():
        assert not any(user.encode() in file.read_bytes() for user in users)


def test_the_viewer_s_files_have_a_line_for_each_point_and_no_tag_of_a_user(two):
    _, maps, path = two
    lay_out(maps, path)
    table = pl.read_parquet(path)
    lines = [json.loads(line) for line in (path.parent / "data.ndjson").read_text().splitlines()]
    assert [line[:2] for line in lines] == table.select("x", "y").to_numpy().tolist()
    assert [line[3:] for line in lines] == [["", int(one == "Them")] for one in table["group"]]
    assert "&lt;img src=x&gt; 1 &amp; co" in {line[2] for line in lines}
    assert "<" not in (path.parent / "data.ndjson").read_text()
    grid = json.loads((path.parent / "grid.json").read_text())
    assert grid["embeddingName"] == "MADE UP TIP-I2V and Them"
    assert grid["totalPointSize"] == table.height
    assert grid["groupNames"] == ["TIP-I2V", "Them"]


def test_the_same_map_has_the_same_bytes(two):
    _, maps, path = two
    lay_out(maps, path)
    before = [file.read_bytes() for file in sorted(path.parent.iterdir())]
    lay_out(maps, path)
    assert [file.read_bytes() for file in sorted(path.parent.iterdir())] == before


def test_the_seed_draws_prompts_where_there_are_more(two):
    _, maps, _ = two
    prompts = maps["groups"][1]["prompts"]

    def drawn(seed):
        rows = draw_prompts(prompts, label="Them", seed=seed, counts=Counts(), most=3)
        return frozenset(rows["UUID"])

    assert drawn(1) == drawn(1) and {len(drawn(seed)) for seed in range(6)} == {3}
    assert len({drawn(seed) for seed in range(6)}) > 1


def test_a_map_of_no_prompt_is_refused(two):
    _, maps, path = two
    for group in maps["groups"]:
        group["vectors"] = []
    with pytest.raises(UserError, match="map them: none of its prompts has an embedding"):
        lay_out(maps, path)


def test_outside_prompts_are_embedded_once_and_drawn_as_the_map_draws_them(two, tmp_path):
    _, maps, _ = two
    prompts = maps["groups"][1]["prompts"]
    entry = {"name": "made_up", "backend": f"{__name__}:MadeUpTexts", "settings": {}}
    paths = [tmp_path / "status.parquet"], [tmp_path / "made.parquet"]
    counts = embed_outside_prompts(
        [prompts], *paths, entry=entry, labels=["Them"], batch_size=2, most=4, seed=1,
        ledger_root=tmp_path / "ledger",
    )  # fmt: skip
    assert counts.sentence() == "read 6 = kept 4 + rejected 2 (not_drawn 2)"
    made = read_table(paths[1])
    group = maps["groups"][1]
    group |= {"vectors": paths[1], "most": 4}
    maps["groups"] = [group]
    path = tmp_path / "maps/them/points.parquet"
    assert lay_out(maps, path).rejected == {"not_drawn": 2}
    assert sorted(pl.read_parquet(path)["UUID"]) == made["uuid"].to_pylist()


def test_figure_3_shows_no_unsafe_text_of_ours(two, tmp_path, monkeypatch):
    _, maps, path = two
    lay_out(maps, path)
    table = pl.read_parquet(path)
    unsafe = table.filter(group="TIP-I2V")["UUID"][0]
    nsfw = pl.when(pl.col("UUID") == unsafe).then(pl.lit(0.9)).otherwise("text_nsfw")
    table.with_columns(text_nsfw=nsfw.cast(pl.Float32)).write_parquet(path)
    shown = []
    monkeypatch.setattr(
        "scripts.analyse.figure_style.save_figure",
        lambda figure, *_: shown.extend(text.get_text() for text in figure.findobj(Text)),
    )
    style = {"colours": ["#0072B2", "#E69F00"], "prompts": 8, "width_in": 6.0}
    counts = plot_figure3(
        [path], [path.with_name("grid.json")], faces=[tmp_path / "a.png"],
        labels=["TIP-I2V", "Them"], style=style, banner="", seed=1,
    )  # fmt: skip
    assert counts.kept == table.height
    words = {text.strip("“”") for text in shown}
    texts = dict(table.filter(group="TIP-I2V").select("UUID", "text").iter_rows())
    assert texts.pop(unsafe) not in words and set(texts.values()) <= words
