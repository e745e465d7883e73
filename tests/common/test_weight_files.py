"""Which weights there are: by content, wherever they lie and whatever a branch is called."""

import os

import pytest
from huggingface_hub import constants

from scripts.common import weight_files
from scripts.common.backends import check_entry
from scripts.common.engine import ledger_key
from scripts.common.weight_files import (
    check_weights,
    checksum_of,
    entry_content,
    hub_commit,
    weights_content,
)

COMMITS = ("a" * 40, "b" * 40)
MINE = {"hub": "me/mine", "revision": "main"}


@pytest.fixture
def branch(tmp_path, monkeypatch):
    """Return what moves the branch main of a repository in the local cache to a commit."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    refs = tmp_path / "models--me--mine" / "refs"
    refs.mkdir(parents=True)
    return (refs / "main").write_text


def test_a_branch_that_moves_is_other_weights(branch):
    weights = {"hub": "me/mine", "revision": "main"}
    assert hub_commit(weights) == "missing"
    contents = []
    for commit in COMMITS:
        branch(commit)
        assert hub_commit(weights) == commit
        contents.append(weights_content(weights))
    assert len(set(contents)) == 2
    # A branch and the commit at which it stands are the same weights; another file is not.
    assert weights_content(weights | {"revision": COMMITS[1]}) == contents[1]
    assert weights_content(weights | {"file": "other.safetensors"}) != contents[1]


def test_a_part_from_elsewhere_is_weights_as_well(branch):
    """Such as SkyReels V1's transformer: looked for, and another commit of it is another entry."""
    entry = {"settings": {"parts": {"vae": {"class": "A"}, "transformer": {"class": "B"} | MINE}}}
    [fault] = check_entry("sky", entry)
    assert "sky: transformer: me/mine at main is not in the local cache" in fault
    contents = set()
    for commit in COMMITS:
        branch(commit)
        contents.add(entry_content(entry))
    keys = {ledger_key("scripts/generate/generate_videos.py", entry)}
    branch(COMMITS[0])
    keys.add(ledger_key("scripts/generate/generate_videos.py", entry))
    assert len(contents) == len(keys) == 2
    assert entry_content({"weights": MINE}) == weights_content(MINE)
    assert "make fetch" not in check_weights("x", MINE | {"revision": COMMITS[0]})[0]


def test_a_file_is_its_bytes_and_a_folder_all_of_its_files(tmp_path):
    path = tmp_path / "folder" / "w.pth"
    path.parent.mkdir()
    seen = set()
    for data in (b"one", b"two"):
        path.write_bytes(data)
        seen |= {checksum_of(path), checksum_of(path.parent), weights_content({"path": str(path)})}
    path.rename(path.with_name("v.pth"))
    seen.add(checksum_of(path.parent))
    assert len(seen) == 7
    assert checksum_of(path) == "missing"
    assert weights_content(None) is None


def test_a_large_file_is_hashed_once_and_again_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(weight_files, "_WORTH_A_NOTE", 1)
    hashed = []
    original = weight_files.sha256_of
    monkeypatch.setattr(
        weight_files, "sha256_of", lambda path: hashed.append(path) or original(path)
    )
    path = tmp_path / "w.pth"
    path.write_bytes(b"one")
    first = checksum_of(path)
    assert checksum_of(path) == first and len(hashed) == 1
    before = path.stat()
    path.write_bytes(b"two")  # as many bytes: only the date tells
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert checksum_of(path) != first and len(hashed) == 2
    # A note that was cut is as good as none.
    (tmp_path / "w.pth.sha256.json").write_text("{")
    assert checksum_of(path) == original(path) and len(hashed) == 3


def test_each_file_of_an_entry_is_fetched_from_where_it_lies(branch):
    """Such as DreamSim's: one network of the hub, and an archive beside it."""
    weights = {"hub": "me/mine", "revision": "main", "file": "a.pth", "path": "b.zip",
               "url": "https://example.org/b.zip"}  # fmt: skip
    hub, file = check_weights("two", weights)
    assert "fetch it with: hf download me/mine a.pth --revision main; a branch moves: 'make" in hub
    assert "b.zip is missing" in file and file.endswith("-o b.zip https://example.org/b.zip")
