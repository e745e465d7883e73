"""The gallery's data: which rows a term has, what is told of videos, and what is copied."""

import base64
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.publish.gallery.data_files import FILES, Terms, encode_gaps, name_of, words
from tests.publish.made_up_gallery import (
    CATS,
    DRAGON,
    GENERATORS,
    HOSTILE,
    TEXTS,
    UNSAFE,
    make_gallery,
)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    return make_gallery(tmp_path_factory.mktemp("run") / "results")


def data_of(gallery, name):
    """Return the value of a file of data, as a page gets it."""
    text = (gallery / f"data/{name}.js").read_text()
    assert text.startswith(f'receive("{name}",') and text.endswith(")\n")
    return json.loads(text[len(f'receive("{name}",') : -2])


def rows_of(gallery):
    """Return all rows in order."""
    blocks = range(-(-data_of(gallery, "manifest")["prompts"] // 32))
    return [row for block in blocks for row in data_of(gallery, f"rows/0/{block}")]


def decode(text):
    rows, gap, shift, row = [], 0, 0, 0
    for byte in base64.b64decode(text):
        gap |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            row += gap
            rows.append(row)
            gap = shift = 0
    return rows


def by_text(gallery):
    return {row["text"]: row for row in rows_of(gallery)}


@given(st.lists(st.integers(0, 2**28 - 1)))
def test_gaps_are_what_they_were_when_they_are_read(gaps):
    data, ends = encode_gaps(np.array(gaps, np.int64))
    assert decode(base64.b64encode(data.tobytes()).decode()) == np.cumsum(gaps).tolist()
    assert len(ends) == len(gaps) and (not gaps or ends[-1] == len(data))


def test_each_term_has_its_rows_and_files_begin_where_the_manifest_says(tmp_path, monkeypatch):
    monkeypatch.setattr("scripts.publish.gallery.data_files.TERM_BYTES", 40)
    monkeypatch.setattr("scripts.publish.gallery.data_files.FILES", 2)
    random = np.random.default_rng(0)
    names = ["a", "b:c", "moon", "\U0001f319x", "\uffeex", *(f"w{number}" for number in range(30))]
    wanted, terms = {}, Terms()
    for row in range(0, 40_000, 97):
        mine = [names[place] for place in random.integers(0, len(names), 4)]
        terms.add(row, mine)
        for name in mine:
            wanted.setdefault(name, set()).add(row)
    firsts = terms.write(tmp_path / "data")
    found = {}
    for number, first in enumerate(firsts):
        listed, rows = data_of(tmp_path, f"terms/{number // 2}/{number}")
        assert listed[0] == first
        found |= dict(zip(listed, map(decode, rows), strict=True))
    assert found == {name: sorted(rows) for name, rows in wanted.items()}
    assert list(found) == sorted(found, key=lambda name: name.encode("utf-16-be"))
    assert terms.counts("b") == [("c", len(wanted["b:c"]))] and len(firsts) > 10


def test_words_are_folded_and_letters_of_scripts_without_spaces_stand_alone():
    assert words("ＡＢＣ Moon's <b>月と猫</b> x_1") == [
        "abc", "moon", "s", "b", "月", "と", "猫", "b", "x", "1",
    ]  # fmt: skip
    assert name_of("rows", FILES) == "rows/1/1000"


def test_rows_are_all_prompts_in_the_order_of_their_shards(gallery):
    rows = rows_of(gallery)
    assert sorted(row["text"] for row in rows) == sorted(TEXTS)
    uuids = [row["uuid"] for row in rows]
    assert uuids == sorted(uuids, key=lambda uuid: (int(uuid.replace("-", ""), 16) % 2, uuid))
    places = data_of(gallery, "uuids")
    assert places["starts"][0] == 0 and places["starts"][-1] == len(TEXTS)
    assert places["firsts"] == [uuid.replace("-", "")[:12] for uuid in uuids[::32]]
    pictures = data_of(gallery, "pictures/0/1")
    assert base64.b64decode(pictures[0]).startswith(b"\xff\xd8")


def test_what_was_said_of_a_video_and_who_was_fooled(gallery):
    said = by_text(gallery)[DRAGON]["said"]
    judges = ["motion", "spectrum", "same_domain", "phash"]
    assert {name: [one[0] for one in said[name]] for name in said} == dict.fromkeys(
        GENERATORS, judges
    )
    assert [one[2] for one in said["pika"]] == [None, False, False, False]
    assert [one[2] for one in said["sway"]] == [None, True, True, True]
    assert said["sway"][2][1] == 0.3, "how likely it is generated from an image"
    assert said["sway"][3][1] == pytest.approx(0.9), "the best picture's"
    choices = data_of(gallery, "manifest")["choices"]
    assert choices["fooled"] == [["phash", 1], ["same_domain", 1], ["spectrum", 1]]
    assert choices["camera"] == [["zoom in", 1]] and choices["guidance_scale"] == [["12", 1]]


def test_what_nobody_calls_safe_is_flagged(gallery):
    flagged = {row["text"] for row in rows_of(gallery) if row["unsafe"]}
    assert flagged == {UNSAFE, TEXTS[20]}


def test_scored_prompts_have_copies_first_and_others_their_place_in_a_tar(tmp_path):
    rows = by_text(make_gallery(tmp_path / "results", copied=1, shards=1))
    assert rows[DRAGON]["videos"] == {
        name: f"videos/{name}/0/{number}.mp4"
        for number, row in enumerate(rows.values())
        if row["text"] == DRAGON
        for name in GENERATORS
    }
    for file in rows[DRAGON]["videos"].values():
        assert (tmp_path / "results/gallery" / file).read_bytes()[4:8] == b"ftyp"
    tar, offset, size = rows[CATS]["videos"]["sway"]
    data = (tmp_path / "results/gallery" / tar).read_bytes()
    assert tar == "../videos/sway/00000.tar"
    file = tmp_path / "results/gallery" / rows[DRAGON]["videos"]["sway"]
    assert data[offset : offset + size] == file.read_bytes()
    assert len(list((tmp_path / "results/gallery/videos").rglob("*.mp4"))) == 2


def test_nearest_prompts_are_named_but_not_oneself(gallery):
    rows = rows_of(gallery)
    by_name = {row["text"]: row for row in rows}
    near = [rows[number]["text"] for number in by_name[DRAGON]["nearest"]]
    assert near[0] == CATS and len(near) == 3 and DRAGON not in near
    assert by_name[TEXTS[-1]]["nearest"] == [], "it has no copies"


def test_pages_show_the_leaderboard_and_no_markup_of_others(gallery):
    front = (gallery / "index.html").read_text()
    assert "<td>0.976</td>" in front and "made up &lt;script&gt;" in front
    names = {"index.html": "leaderboard", "prompt.html": "prompt", "search.html": "search"}
    assert {page.name for page in gallery.glob("*.html")} == set(names), "the frame is no page"
    for page in gallery.glob("*.html"):
        text = page.read_text()
        assert f'data-page="{names[page.name]}"' in text and "<!--" not in text
        assert (f'href="{page.name}" aria-current="page"' in text) == (page.name != "prompt.html")
        assert "default-src 'none'" in text and "http" not in text.replace("http-equiv", "")
    raw = "".join(path.read_text() for path in (gallery / "data").rglob("*.js"))
    assert raw.isascii(), "no letter ends a line of a script, or turns its direction"
    assert all(text in by_text(gallery) for text in HOSTILE)


def test_the_same_input_gives_the_same_bytes(gallery, tmp_path):
    again = make_gallery(tmp_path / "results")
    files = {path.relative_to(gallery): path.read_bytes() for path in gallery.rglob("*.*")}
    assert {p.relative_to(again): p.read_bytes() for p in again.rglob("*.*")} == files
    assert len(files) > 10


def test_an_empty_data_set_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no row"):
        make_gallery(tmp_path / "results", [])
