"""The capsule: what it holds, that a changed one is refused, and that it gives the tables again."""

import json
from types import SimpleNamespace

import pytest
import yaml

from scripts.commands.capsule import rebuild
from scripts.common.errors import UserError
from scripts.common.schemas.trace import MATCHES
from scripts.common.seen import read_seen, write_seen
from scripts.common.tables import read_table
from scripts.publish.pack_capsule import pack_capsule

CONFIG = {"source": "release", "seed": 7, "curate": {"shards": 2, "bot_ids": ["1"]}}


@pytest.fixture
def capsule(tmp_path, monkeypatch):
    """A capsule of a table and of weights with a note, packed from another folder."""
    monkeypatch.chdir(tmp_path)
    files = [tmp_path / "results/a/scores.parquet", tmp_path / "results/b/net.safetensors"]
    for path in files:
        path.parent.mkdir(parents=True)
    files[0].write_bytes(b"scores")
    tensors = b"\0" * 4000
    header = b'{"w":{"dtype":"F32","shape":[1000],"data_offsets":[0,4000]}}'
    files[1].write_bytes(len(header).to_bytes(8, "little") + header + tensors)
    write_seen(files[1], sources={"pika": 3}, classes=3, uuids=["one", "two"])
    paths = [path.relative_to(tmp_path) for path in files]
    pack_capsule(paths, tmp_path / "capsule", config=CONFIG)
    return tmp_path / "capsule"


def test_weights_are_left_out_and_what_they_saw_is_kept(capsule, tmp_path):
    name = "results/b/net.safetensors"
    assert (capsule / name).stat().st_size < 1000 < (tmp_path / name).stat().st_size
    inside, before = read_seen(capsule / name), read_seen(tmp_path / name)
    assert inside.pop("uuids").tolist() == before.pop("uuids").tolist() and inside == before


def test_a_capsule_has_checksums_and_the_study(capsule):
    manifest = json.loads((capsule / "manifest.json").read_text())
    assert set(manifest["files"]) == {"results/a/scores.parquet", "results/b/net.safetensors"}
    config = yaml.safe_load((capsule / "config.yaml").read_text())
    assert config == {
        "source": "discord_exports",
        "seed": 7,
        "curate": {"shards": 2, "bot_ids": []},
    }, "no release is looked for, and no id is told"


def test_features_that_were_added_are_not_scored_anew(capsule, monkeypatch):
    """Where others were; and what was scored stays as it is."""
    monkeypatch.setattr("scripts.commands.capsule.subprocess.run", lambda *_, **__: SimpleNamespace(returncode=0))  # fmt: skip
    trace = capsule / "results/trace"
    for name in ("ours", "theirs"):
        (trace / "features" / name).mkdir(parents=True)
    assert rebuild(capsule, 1) == 0 and not (trace / "reranked").exists()
    (trace / "reranked").mkdir()
    (trace / "reranked/ours.parquet").write_bytes(b"ours")
    assert rebuild(capsule, 1) == 0
    assert (trace / "reranked/ours.parquet").read_bytes() == b"ours"
    assert read_table(trace / "reranked/theirs.parquet", MATCHES).num_rows == 0


def test_what_is_no_capsule_or_was_changed_is_refused(capsule):
    with pytest.raises(UserError, match=r"results is no capsule"):
        rebuild(capsule / "results", 1)
    (capsule / "results/a/scores.parquet").unlink()
    with pytest.raises(UserError, match=r"scores.parquet is missing or was changed"):
        rebuild(capsule, 1)
    (capsule / "results/a/scores.parquet").write_bytes(b"other")
    with pytest.raises(UserError, match=r"scores.parquet is missing or was changed"):
        rebuild(capsule, 1)
