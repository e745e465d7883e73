from pathlib import Path

from scripts.common.code import ROOT, modules_of
from scripts.common.fingerprints import fingerprint, hash_code


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
        modules_of("scripts/curate/extract_images.py", "scripts.common.devices:pick_device")
    )
    assert "scripts/common/devices.py" in found


def test_paths_say_nothing_of_where_the_workflow_was_unpacked(tmp_path, monkeypatch):
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path / "demo")
    paths = modules_of("scripts/curate/fetch_videos.py")
    assert all(not Path(path).is_absolute() and Path(path).is_file() for path in paths)


def test_comments_and_docstrings_do_not_change_a_fingerprint(tmp_path):
    module = tmp_path / "stage" / "m.py"
    module.parent.mkdir()
    module.write_text('"""One."""\ndef f(x):\n    """Two."""\n    return x + 1\n')
    before = hash_code([module], "stage")
    module.write_text("def f(x):\n    # why\n    return (x + 1)\n")
    assert hash_code([module], "stage") == before
    module.write_text("def f(x):\n    return x + 2\n")
    assert hash_code([module], "stage") != before
    assert hash_code([module], "other") == hash_code([], "other")


def test_a_fingerprint_does_not_depend_on_the_order_of_keys():
    assert fingerprint(a={"x": 1, "y": 2}) == fingerprint(a={"y": 2, "x": 1})
    assert fingerprint(a=1) != fingerprint(a=2)
