import ast
from pathlib import Path

import pytest

from scripts.common import code
from scripts.common.code import PLUMBING, ROOT, code_checksum, hash_code, modules_of
from scripts.common.configuration import read_sheets
from scripts.common.fingerprints import fingerprint


def names(paths):
    return {str(Path(path).resolve().relative_to(ROOT)) for path in paths}


def test_a_script_depends_on_what_it_imports_and_on_nothing_else():
    found = names(modules_of("scripts/curate/extract_images.py"))
    assert {"scripts/curate/extract_images.py", "scripts/common/ledger.py"} <= found
    assert "scripts/common/schemas/items.py" in found  # imported by an import
    assert "scripts/common/schemas/prompts.py" not in found
    assert not any(name.startswith("scripts/annotate") for name in found)


def test_a_backend_found_by_name_counts():
    found = names(
        modules_of("scripts/curate/extract_images.py", "scripts.models.devices:pick_device")
    )
    assert "scripts/models/devices.py" in found


def test_comments_docstrings_and_names_of_files_decide_nothing(tmp_path):
    def checksum(text, name="m.py"):
        module = tmp_path / str(len(list(tmp_path.iterdir()))) / name
        module.parent.mkdir()
        module.write_text(text)
        return hash_code([module])

    before = checksum(
        '"""One."""\nX = 1\n"""Of X."""\ndef f(x):\n    """Two."""\n    return x + X\n'
    )
    assert checksum("X = 1\ndef f(x):\n    # why\n    return (x + X)\n", "n.py") == before
    assert checksum("X = 2\ndef f(x):\n    return x + X\n") != before


def test_a_module_is_what_it_holds_and_not_what_it_is_called(tmp_path, monkeypatch):
    def checksum(**modules):
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        monkeypatch.setattr(code, "ROOT", root)
        (root / "scripts/x").mkdir(parents=True)
        for name, text in modules.items():
            (root / f"scripts/x/{name}.py").write_text(text)
        return code.code_checksum("scripts/x/asks.py")

    uses = "from scripts.x.{} import read\nread()\n"
    before = checksum(asks=uses.format("one"), one="def read(): return 1\n")
    assert checksum(asks=uses.format("two"), two="def read(): return 1\n") == before
    assert checksum(asks=uses.format("one"), one="def read(): return 2\n") != before
    # What is taken from which module decides, also where both are imported in any case.
    both = "from scripts.x.{} import read\nfrom scripts.x.{} import other\n"
    modules = {"one": "def read(): return 1\nother = 3\n", "two": "read = 4\nother = 5\n"}
    first = checksum(asks=both.format("one", "two"), **modules)
    assert checksum(asks=both.format("two", "one"), **modules) != first
    # An import counts wherever it stands, such as where something else cannot be had.
    for late in ("try:\n    import a\nexcept ImportError:\n", "match a:\n    case 1:\n    "):
        asks = late + "    from scripts.x.one import read\n"
        first = checksum(asks=asks, one="def read(): return 1\n")
        assert checksum(asks=asks, one="def read(): return 2\n") != first


def test_plumbing_reruns_a_rule_and_keeps_its_rows():
    script = "scripts/evaluate/score_videos.py"
    modules = modules_of(script)
    plumbing = [name for name in modules if name.startswith(PLUMBING)]
    assert "scripts/common/tables.py" in plumbing and "scripts/common/video.py" not in plumbing
    assert code_checksum(script) == hash_code(modules)
    rest = [name for name in modules if name not in plumbing]
    assert code_checksum(script, plumbing=False) == hash_code(rest) != code_checksum(script)
    # The ledger imports what reads videos; that decides nothing of a text.
    texts = "scripts/annotate/annotate_texts.py"
    assert "scripts/common/video.py" in modules_of(texts)
    assert "scripts/common/video.py" not in modules_of(texts, plumbing=False)


def test_no_model_is_what_plans_the_run():
    """An edit of how sheets are read would make every score anew, and environments lack the packages."""
    for sheet, entries in read_sheets(ROOT / "config").items():
        for name, entry in entries.items():
            if "backend" in entry:
                module = entry["backend"].partition(":")[0].replace(".", "/") + ".py"
                assert "scripts/common/study.py" not in modules_of(module), f"{sheet}: {name}"


@pytest.mark.parametrize("name", PLUMBING)
def test_declared_plumbing_is_there(name):
    assert (ROOT / name).exists()


def test_a_fingerprint_does_not_depend_on_the_order_of_keys():
    assert fingerprint(a={"x": 1, "y": 2}) == fingerprint(a={"y": 2, "x": 1})
    assert fingerprint(a=1) != fingerprint(a=2)


def test_what_all_use_imports_no_stage():
    """Also within a function: a stage may be moved or left out, and common stands."""
    for path in (ROOT / "scripts/common").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module] if node.module else []
            for name in names:
                inside = not name.startswith("scripts") or name.startswith("scripts.common")
                assert inside, f"{path} imports {name}"
