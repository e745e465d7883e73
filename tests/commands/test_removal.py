"""Taking listed prompts out of results: rows, bytes, messages, and nothing else."""

import importlib
import json
import os
import pkgutil
import re
import tarfile

import pyarrow as pa
import pytest

from scripts.commands.removal import KEYS, remove_items
from scripts.common import schemas
from scripts.common.errors import UserError
from scripts.common.identity import prompt_uuid
from scripts.common.schemas.curate import MESSAGE_REJECTS, MESSAGES
from scripts.common.schemas.prompts import PROMPT_REJECTS, PROMPTS
from scripts.common.schemas.trace import MATCHES, features_schema
from scripts.common.segments import Segments
from scripts.common.shards import Shard, ShardItem, write_shard
from scripts.common.tables import read_table, write_table
from scripts.common.video import VideoProperties
from scripts.curate.removal_list import RemovalList, read_removals

TEXTS = ["a dragon wakes", "two cats, slow zoom", "sea at night"]
UUIDS = [prompt_uuid(text) for text in TEXTS]
USERS = ["a" * 32, "b" * 32, "a" * 32]
NAMES_AN_ITEM = re.compile(r"\bid of|UUID")
PICTURE = VideoProperties(width=4, height=4, fps=0.0, frames=1, duration_s=0.0, codec="png")


@pytest.fixture
def results(tmp_path):
    """Three prompts of four messages, with an image each, a shard finished in a ledger."""
    folder = tmp_path / "results"
    messages = [message(number, text) for number, text in enumerate([*TEXTS, TEXTS[1]])]
    write_table(messages, folder / "messages/channel.parquet", MESSAGES)
    none = [{"message_id": "9", "reason": "not_a_bot"}]
    write_table(none, folder / "rejects/messages/channel.parquet", MESSAGE_REJECTS)
    later = [{"message_id": "3", "reason": "duplicate_prompt"}]
    write_table(later, folder / "rejects/prompts.parquet", PROMPT_REJECTS)
    rows = [prompt(*row) for row in zip(UUIDS, TEXTS, USERS, strict=True)]
    write_table(rows, folder / "prompts/00000.parquet", PROMPTS)
    items = [ShardItem(uuid, uuid.encode() * 40, PICTURE) for uuid in sorted(UUIDS)]
    write_shard(folder / "images/00000.tar", folder / "images/00000.parquet", items, "png")
    ledger = folder / ".ledger/curate/f/images-00000"
    ledger.mkdir(parents=True)
    for name in ("tar", "parquet"):
        os.link(folder / f"images/00000.{name}", ledger / f"finished.{name}")
    for uuid in UUIDS[:2]:
        Segments(ledger).add(uuid, f"{uuid}: of an unfinished run".encode(), {"version": "a"})
    downloads = ledger.with_name("parts-00000")
    downloads.mkdir()
    (downloads / f"{UUIDS[0]}-a.part").write_bytes(b"half a download")
    (ledger / "finished.versions").write_text(f'{{"{UUIDS[0]}": null, "{UUIDS[1]}": null}}')
    (folder / "figures").mkdir()
    (folder / "figures/figure1.png").write_bytes(b"pictures")
    (folder / "figures/figure4.png").write_bytes(b"counts")
    copied = folder / "capsule/results/images/00000.parquet"
    copied.parent.mkdir(parents=True)
    copied.write_bytes((folder / "images/00000.parquet").read_bytes())
    (folder / "gallery/data").mkdir(parents=True)
    (folder / "gallery/data/uuids.js").write_text("x")
    return folder


def message(number, text):
    return {
        "message_id": str(number), "timestamp_utc": 0, "prompt": text, "kind": "image_to_video",
        "video": "v.mp4", "video_name": "v.mp4", "requester": "someone",
    }  # fmt: skip


def prompt(uuid, text, user):
    return {
        "uuid": uuid, "prompt": text, "timestamp_utc": 0, "user_id": user, "messages": 1,
        "kind": "image_to_video", "candidates": [],
    }  # fmt: skip


def dates(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_listed_prompt_goes_and_all_files_keep_their_dates(results):
    for path in dates(results):
        os.utime(path, ns=(10**18, 10**18))
    image = Shard(results / "images/00000.tar", results / "images/00000.parquet")
    others = {uuid: image.read(uuid) for uuid in UUIDS[1:]}
    gone = remove_items(results, RemovalList(frozenset(UUIDS[:1])))
    assert gone["prompts"] == gone["messages"] == 1
    left = Shard(results / "images/00000.tar", results / "images/00000.parquet")
    assert {uuid: left.read(uuid) for uuid in left.uuids} == others
    assert not (results / "figures/figure1.png").exists() and not (results / "capsule").exists()
    assert not (results / "gallery").exists()
    assert {stamp for path, stamp in dates(results).items() if ".ledger" not in path.parts} == {
        10**18
    }
    assert not list(results.rglob("*.part"))
    kept = Segments(results / ".ledger/curate/f/images-00000")
    assert len(kept) == 1 and kept.read(UUIDS[1]).startswith(UUIDS[1].encode())
    everything = b"".join(path.read_bytes() for path in dates(results) if path.suffix != ".parquet")
    assert UUIDS[0].encode() not in everything and UUIDS[1].encode() in everything
    for path in results.rglob("*.parquet"):
        assert UUIDS[0] not in str(read_table(path).to_pylist()), path
        assert TEXTS[0] not in str(read_table(path).to_pylist()), path


def test_the_tar_can_still_be_read_to_its_end(results):
    remove_items(results, RemovalList(frozenset(UUIDS[1:2])))
    with tarfile.open(results / "images/00000.tar") as archive:
        names = archive.getnames()
        blank = archive.extractfile("__removed__").read()
    assert sorted(names) == sorted([f"{UUIDS[0]}.png", f"{UUIDS[2]}.png", "__removed__"])
    assert blank == bytes(36 * 40)


def test_a_listed_user_s_prompts_go_with_all_their_messages(results):
    gone = remove_items(results, RemovalList(users=frozenset({"a" * 32})))
    assert gone["prompts"] == 2
    assert read_table(results / "prompts/00000.parquet")["uuid"].to_pylist() == [UUIDS[1]]


def test_no_message_is_lost_from_the_account(results):
    gone = remove_items(results, RemovalList(frozenset(UUIDS[1:2])))
    assert gone["messages"] == 2
    kept = read_table(results / "messages/channel.parquet")["message_id"].to_pylist()
    rejects = read_table(results / "rejects/messages/channel.parquet").to_pylist()
    assert kept == ["0", "2"]
    assert [(row["message_id"], row["reason"]) for row in rejects] == [
        ("9", "not_a_bot"), ("1", "removed"), ("3", "removed"),
    ]  # fmt: skip
    assert read_table(results / "rejects/prompts.parquet").num_rows == 0


def test_a_second_time_finds_nothing(results):
    removals = RemovalList(frozenset(UUIDS[:2]))
    remove_items(results, removals)
    before = {path: path.read_bytes() for path in dates(results)}
    gone = remove_items(results, removals)
    assert gone["rows"] == gone["messages"] == gone["videos and pictures"] == 0
    assert {path: path.read_bytes() for path in dates(results)} == before


def test_somebody_else_s_tar_is_left_alone(results, tmp_path):
    """Tars of the released data set are links; only the index forgets what was removed."""
    theirs = tmp_path / "theirs.tar"
    (results / "images/00000.tar").rename(theirs)
    (results / "images/00000.tar").symlink_to(theirs)
    (results / ".ledger/curate/f/images-00000/finished.tar").unlink()
    before = theirs.read_bytes()
    remove_items(results, RemovalList(frozenset(UUIDS[:1])))
    assert theirs.read_bytes() == before
    assert UUIDS[0] not in read_table(results / "images/00000.parquet")["uuid"].to_pylist()


def test_a_picture_goes_where_it_is_the_match_of_others(results):
    """The picture that a query was traced to is named beside the query, by its own id."""
    rows = [
        {"set": "pika", "query": UUIDS[query], "role": "query", "status": "ok", "rank": rank}
        | {"reference": UUIDS[reference], "score": 0.5, "is_match": query == reference}
        for query, rank, reference in [(1, 1, 1), (1, 2, 0), (2, 1, 2)]
    ]
    path = results / "trace/matches/sscd.parquet"
    write_table(rows, path, MATCHES)
    remove_items(results, RemovalList(frozenset(UUIDS[:1])))
    left = read_table(path).to_pylist()
    assert [(row["query"], row["reference"]) for row in left] == [
        (UUIDS[1], UUIDS[1]), (UUIDS[2], UUIDS[2]),
    ]  # fmt: skip


def test_frames_along_a_video_go_with_its_prompt(results):
    """They are named by the prompt's id and their number, in features and in what these match."""
    names = [f"{uuid}.{number:05d}" for uuid in UUIDS[:2] for number in (0, 35)]
    rows = [
        {"uuid": name, "role": "query", "status": "ok", "embedding": [1.0, 0.0]} for name in names
    ]
    table = results / "trace/features/sscd/pika-along/00000.parquet"
    write_table(rows, table, features_schema(2))
    ledger = results / ".ledger/trace/f/pika"
    for name in names:
        Segments(ledger).add(name, b"of an unfinished run", {})
    (ledger / "finished.versions").write_text(json.dumps(dict.fromkeys(names)))
    remove_items(results, RemovalList(frozenset(UUIDS[:1])))
    assert [row["uuid"] for row in read_table(table).to_pylist()] == names[2:]
    assert list(json.loads((ledger / "finished.versions").read_text())) == names[2:]
    assert [name for name in names if name in Segments(ledger)] == names[2:]


def test_every_column_that_names_a_prompt_is_looked_at():
    """As the schemas describe them: a new column with an id cannot be forgotten."""
    found = set()
    for module in pkgutil.iter_modules(schemas.__path__, f"{schemas.__name__}."):
        for schema in vars(importlib.import_module(module.name)).values():
            if isinstance(schema, pa.Schema):
                found |= {field.name for field in schema if NAMES_AN_ITEM.search(described(field))}
    assert found == set(KEYS)


def described(field):
    return (field.metadata or {}).get(b"description", b"").decode()


def test_the_list_is_read_line_by_line(tmp_path):
    path = tmp_path / "removals.txt"
    path.write_text(f"# asked\n\n{UUIDS[0].upper()}   # by mail\n{'c' * 32}\n")
    removals = read_removals(path)
    assert removals == RemovalList(frozenset(UUIDS[:1]), frozenset({"c" * 32}))
    assert removals.covers(UUIDS[0], None) and removals.covers(UUIDS[1], "c" * 32)
    assert not removals.covers(UUIDS[1], None)
    path.write_text("maple_fox\n")
    with pytest.raises(UserError, match="line 1: 'maple_fox' is neither"):
        read_removals(path)
