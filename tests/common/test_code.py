from pathlib import Path

import pytest

from scripts.common.code import PLUMBING, ROOT, code_checksum, hash_code, modules_of
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


def test_plumbing_reruns_a_rule_and_keeps_its_rows():
    script = "scripts/evaluate/score_videos.py"
    modules = modules_of(script)
    plumbing = [name for name in modules if name.startswith(PLUMBING)]
    assert "scripts/common/tables.py" in plumbing and "scripts/common/video.py" not in plumbing
    assert code_checksum(script) == hash_code(modules)
    rest = [name for name in modules if name not in plumbing]
    assert code_checksum(script, plumbing=False) == hash_code(rest) != code_checksum(script)


@pytest.mark.parametrize("name", PLUMBING)
def test_declared_plumbing_is_there(name):
    assert (ROOT / name).exists()


def test_a_fingerprint_does_not_depend_on_the_order_of_keys():
    assert fingerprint(a={"x": 1, "y": 2}) == fingerprint(a={"y": 2, "x": 1})
    assert fingerprint(a=1) != fingerprint(a=2)
