"""The key of a ledger: all that decides a row, and nothing else."""

import pytest

from scripts.common import code
from scripts.common.engine import ledger_key

ENTRY = {
    "backend": "tests.common.doubling:Doubling",
    "settings": {"side": 224, "crop": None},
    "weights": {"path": "w.pth"},
}


@pytest.fixture
def keys(tmp_path, monkeypatch):
    """A workflow of its own with a script, a backend and what both import; gives the key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(code, "ROOT", tmp_path)
    files = {
        "scripts/a/score.py": "from scripts.common.video import read\nfrom scripts.common.tables import write\n",
        "scripts/a/model.py": "from scripts.common.network import SIZE\n",
        "scripts/common/video.py": "read = 1\n",
        "scripts/common/network.py": "SIZE = 1\n",
        "scripts/common/tables.py": "write = 1\n",
        "w.pth": "weights",
    }

    def key(change=None, content="", entry=None, **settings):
        for cached in (value for value in vars(code).values() if hasattr(value, "cache_clear")):
            cached.cache_clear()
        for name, text in (files | ({change: content} if change else {})).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        usual = ENTRY | {"backend": "scripts.a.model:Model"}
        return ledger_key("scripts/a/score.py", {**usual, **(entry or {})}, **settings)

    yield key
    for cached in (value for value in vars(code).values() if hasattr(value, "cache_clear")):
        cached.cache_clear()


def test_the_key_is_of_all_that_decides_a_row(keys):
    usual = keys()
    assert keys() == usual
    changed = [
        keys(entry={"backend": "scripts.a.model:Other"}),
        keys(entry={"settings": {"side": 256, "crop": None}}),
        keys(entry={"settings": {"side": 224}}),
        keys(entry={"weights": {"path": "other.pth"}}),  # is missing
        keys(entry={"weights": None}),
        keys("w.pth", "Weights"),
        keys("scripts/a/score.py", "from scripts.common.video import read\nX = 1\n"),
        keys("scripts/a/model.py", "from scripts.common.network import SIZE\nX = 2\n"),
        keys("scripts/common/network.py", "SIZE = 2\n"),
        keys("scripts/common/video.py", "read = 2\n"),
        keys(seed=1),
        keys(seed=2),
    ]
    assert usual not in changed and len(set(changed)) == len(changed)


def test_the_key_is_not_of_plumbing_comments_or_labels(keys):
    usual = keys()
    assert keys("scripts/common/tables.py", "write = 2\n") == usual
    assert keys("scripts/common/network.py", '"""A network."""\nSIZE = 1  # pixels\n') == usual
    assert keys(entry={"label": "A label", "licence": "MIT"}) == usual


def test_the_same_weights_at_another_place_are_the_same(keys, tmp_path):
    usual = keys()
    (tmp_path / "moved.pth").write_text("weights")
    assert keys(entry={"weights": {"path": "moved.pth"}}) == usual
