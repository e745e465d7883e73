"""``make fetch`` against a server on this machine: what breaks, what lies, what must be asked for."""

import hashlib
import json
import random
import shutil
from pathlib import Path

import huggingface_hub.constants
import pytest

from scripts.commands import fetch as command
from scripts.commands.check import read_configuration, study_of
from scripts.commands.fetch import check_room, describe, fetch, wanted
from scripts.common.code import ROOT
from scripts.common.configuration import SHEET_NAMES, read_sheets
from scripts.common.errors import UserError
from scripts.common.fetched import locked, read_lock
from scripts.sources import remote_files
from scripts.sources.remote_files import ByHand, RemoteFile, of_hub, of_links, of_list
from tests.sources.local_hub import COMMIT, local_hub

DATA = random.Random(1).randbytes(300_000)
SUM = hashlib.sha256(DATA).hexdigest()


def empty():
    return {"revisions": {}, "files": {}}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(remote_files, "WAIT_S", 0)
    with local_hub() as (hub, address):
        constants = huggingface_hub.constants
        monkeypatch.setattr(constants, "ENDPOINT", address)
        template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        hub.address = address
        yield hub


def take(files, lock=None):
    """Fetch files; return the faults and the lock file as it was written."""
    faults = fetch(list(files), lock if lock is not None else empty(), Path("fetched.json"))
    return faults, read_lock(Path("fetched.json"))


def link(hub, **fields):
    return list(of_links("x", {"url": f"{hub.address}/a.bin", "path": "data/a.bin"} | fields, empty()))  # fmt: skip


def test_a_link_is_fetched_and_its_size_and_checksum_are_kept(hub):
    hub.files["/a.bin"] = DATA
    [file] = link(hub)
    assert file.size_bytes == len(DATA) and not file.is_there
    faults, lock = take([file])
    assert not faults and Path("data/a.bin").read_bytes() == DATA
    assert lock["files"] == {file.address: {"size_bytes": len(DATA), "sha256": SUM}}
    assert file.is_there and [path.name for path in Path("data").iterdir()] == ["a.bin"]


def test_what_broke_off_goes_on_where_it_stopped(hub):
    hub.files["/a.bin"], hub.broken["/a.bin"] = DATA, None
    [file] = link(hub)
    hub.broken["/a.bin"] = 200_000
    faults, _ = take([file])
    assert not faults and Path("data/a.bin").read_bytes() == DATA
    assert hub.asked[-1] == ("GET", "/a.bin", "bytes=200000-")


def test_a_killed_fetch_goes_on_in_the_next_one(hub, monkeypatch):
    hub.files["/a.bin"] = DATA
    [file] = link(hub)
    monkeypatch.setattr(remote_files, "TRIES", 1)
    hub.broken["/a.bin"] = 100_000
    faults, _ = take([file])
    assert "cannot be reached" in faults[0] and "what came is kept" in faults[0]
    assert not file.is_there
    assert take([file])[0] == [] and hub.asked[-1][2] == "bytes=100000-"
    assert Path("data/a.bin").read_bytes() == DATA


@pytest.mark.parametrize("stated", ["entry", "lock"])
def test_other_bytes_than_stated_are_refused(hub, stated):
    hub.files["/a.bin"] = DATA
    lock = empty()
    if stated == "entry":
        files = link(hub, sha256="0" * 64)
    else:
        address = f"{hub.address}/a.bin"
        lock["files"][address] = {"size_bytes": len(DATA), "sha256": "0" * 64}
        files = list(of_links("x", {"url": address, "path": "data/a.bin"}, lock))
    faults, _ = take(files, lock)
    assert "gave other bytes than its checksum says" in faults[0]
    assert not list(Path("data").iterdir()), "nothing of it stays"


def test_a_server_without_the_file_or_in_trouble_is_a_sentence(hub):
    with pytest.raises(UserError, match=r"x: http\S*/a.bin answers 404; correct"):
        link(hub)
    hub.files["/a.bin"] = DATA
    for status, words in ((403, "refuses access"), (503, "answers 503")):
        hub.status["/a.bin"] = status
        with pytest.raises(UserError, match=words):
            link(hub)
    assert len([one for one in hub.asked if one[1] == "/a.bin"]) == 1 + 1 + remote_files.TRIES


def test_without_a_network_it_is_one_sentence(hub, monkeypatch):
    fields = {"hub": "me/it", "revision": "main"}
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"cannot be reached \(.*\); look at the network"):
        list(of_hub("x", fields, empty(), kind="model"))
    with pytest.raises(UserError, match=r"127.0.0.1:9/a cannot be reached"):
        list(of_links("x", {"url": "http://127.0.0.1:9/a", "path": "a"}, empty()))
    with pytest.raises(UserError, match="is not https"):
        list(of_links("x", {"url": "http://example.org/a", "path": "a"}, empty()))


def test_a_repository_goes_to_the_cache_at_its_commit(hub):
    hub.repositories["models", "me/it"] = {"model.safetensors": DATA, "other.bin": b"no"}
    lock = empty()
    fields = {"hub": "me/it", "revision": "main", "files": ["model.safetensors"]}
    [file] = of_hub("x", fields, lock, kind="model")
    assert lock["revisions"] == {"me/it@main": COMMIT} and file.sha256 == SUM
    faults, written = take([file], lock)
    assert not faults and file.is_there and COMMIT in file.address
    assert written["files"][file.address]["sha256"] == SUM
    weights = {"hub": "me/it", "revision": "main", "file": "model.safetensors"}
    assert locked(weights, written)["revision"] == COMMIT


def test_a_part_of_a_model_is_fetched_from_its_own_repository_and_kept(hub, tmp_path):
    """As FramePack's: the whole transformer's repository, of another one a folder alone."""
    for name, files in (("me/whole", ("model.bin",)), ("me/it", ("config.json",)),
                        ("me/eyes", ("image_encoder/a.bin", "vae/b.bin"))):  # fmt: skip
        hub.repositories["models", name] = dict.fromkeys(files, DATA)
    place = {"class": "X", "revision": "main"}
    parts = {"transformer": place | {"hub": "me/it"}, "vae": {"class": "Y", "subfolder": "vae"},
             "eyes": place | {"hub": "me/eyes", "subfolder": "image_encoder"}}  # fmt: skip
    entry = {"label": "x", "weights": {"hub": "me/whole", "revision": "main"}, "settings": {"parts": parts}}  # fmt: skip
    lock = empty()
    files = list(command._of_entry("x", entry, lock))
    assert [file.hub[3] for file in files] == ["model.bin", "config.json", "image_encoder/a.bin"]
    assert lock["revisions"] == {f"me/{one}@main": COMMIT for one in ("whole", "it", "eyes")}
    for name in SHEET_NAMES:
        (tmp_path / f"{name}.yaml").write_text(json.dumps({"one": entry}))
    shutil.copytree(ROOT / "config/schemas", tmp_path / "schemas")
    (tmp_path / "fetched.json").write_text(json.dumps(lock))
    read = read_sheets(tmp_path)["generators"]["one"]
    assert [read["settings"]["parts"][one].get("revision") for one in parts] == [
        COMMIT,
        None,
        COMMIT,
    ]
    assert read["weights"]["revision"] == COMMIT


def test_a_repository_that_lies_about_its_bytes_is_refused(hub):
    hub.repositories["models", "me/it"] = {"model.safetensors": DATA}
    hub.lies["model.safetensors"] = "0" * 64
    [file] = of_hub("x", {"hub": "me/it", "revision": "main"}, empty(), kind="model")
    faults, _ = take([file])
    assert "gave other bytes" in faults[0] and not file.is_there


def test_the_beginning_of_a_tar_is_enough_if_the_entry_says_so(hub):
    hub.repositories["datasets", "me/videos"] = {"a/1.tar": DATA, "a/2.tar": DATA, "b.csv": b"x"}
    fields = {"hub": "me/videos", "revision": "main", "files": ["a/1.tar"], "first_gb": 1e-4}
    [file] = of_hub("x", fields, empty(), kind="dataset", into="data/videos")
    assert file.size_bytes == 100_000
    faults, lock = take([file])
    assert not faults and Path("data/videos/a/1.tar").read_bytes() == DATA[:100_000]
    assert hub.asked[-1][2] == "bytes=0-99999"
    assert lock["files"][f"{file.address}"]["size_bytes"] == 100_000
    assert file.address.endswith("#100000") and file.is_there


def test_a_part_of_a_published_list(hub):
    names = [f"set/refs/R{n}.mp4" for n in range(10)] + ["set/truth.csv"]
    hub.files |= {f"/v1/{name}": name.encode() for name in names}
    hub.files["/list.txt"] = "\n".join(f"{hub.address}/v1/{name}" for name in names).encode()
    fields = {"list": f"{hub.address}/list.txt", "match": r"\.mp4$", "below": "/v1/",
              "into": "data/VSC22", "items": 5, "item_mb": 2}  # fmt: skip
    files = list(of_list("x", fields, empty()))
    assert [file.path.name for file in files] == [f"R{n}.mp4" for n in range(0, 10, 2)]
    assert describe(files)[-1].split() == ["0.01", "GB", "5", "files", "to", "fetch"]
    assert take(files)[0] == []
    assert Path("data/VSC22/set/refs/R4.mp4").read_bytes() == b"set/refs/R4.mp4"
    hub.files["/list.txt"] = f"{hub.address}/v1/../../up.mp4".encode()
    with pytest.raises(UserError, match="which is not below"):
        list(of_list("x", fields, empty()))


def test_numbered_links(hub):
    hub.files |= {f"/r_{n}.zip": b"x" * n for n in (9, 10)}
    fields = {"urls": [f"{hub.address}/r_{{9..10}}.zip"], "into": "data"}
    assert [file.size_bytes for file in of_links("x", fields, empty())] == [9, 10]


def test_what_is_gated_or_a_program_is_to_be_got_by_hand(hub):
    hub.repositories["models", "me/gated"] = {"a": b"x"}
    hub.gated.add("me/gated")
    with pytest.raises(ByHand, match=r"ask for access at http\S*/me/gated, and log in"):
        list(of_hub("x", {"hub": "me/gated", "revision": "main"}, empty(), kind="model"))
    program = {"label": "x", "weights": {"url": f"{hub.address}/a", "path": "a.torchscript.pt"}}
    with pytest.raises(ByHand, match="is a program; look at it, and put the 'sha256'"):
        list(command._of_entry("x", program, empty()))
    hub.files["/a"] = DATA
    program["weights"]["sha256"] = SUM
    [file] = command._of_entry("x", program, empty())
    assert take([file])[0] == []
    with pytest.raises(ByHand, match=r"data/none/\*\.csv; see https://page"):
        list(command._of_entry("x", {"layout": {"files": ["data/none/*.csv"]}, "page": "https://page"}, empty()))  # fmt: skip


def test_a_missing_repository_or_revision_is_a_sentence(hub):
    with pytest.raises(UserError, match="the hub has no me/none at main"):
        list(of_hub("x", {"hub": "me/none", "revision": "main"}, empty(), kind="model"))
    hub.repositories["models", "me/it"] = {"a": b"x"}
    with pytest.raises(UserError, match="the hub has no me/it at v9"):
        list(of_hub("x", {"hub": "me/it", "revision": "v9"}, empty(), kind="model"))


def test_what_does_not_fit_is_not_begun_and_a_full_disk_is_a_sentence(hub, monkeypatch):
    large = RemoteFile("x", f"{hub.address}/a.bin", Path("data/a.bin"), size_bytes=10**18)
    with pytest.raises(UserError, match=r"GB of room and 1000000000\.0 GB are needed"):
        check_room([large])
    hub.files["/a.bin"] = DATA
    [file] = link(hub)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(remote_files, "_receive", full)
    assert "there is no room left" in take([file])[0][0]


def test_one_that_fails_stops_no_other(hub):
    hub.files |= {"/a.bin": DATA, "/b.bin": DATA}
    [bad] = link(hub, sha256="0" * 64)
    [good] = of_links("y", {"url": f"{hub.address}/b.bin", "path": "data/b.bin"}, empty())
    faults, lock = take([bad, good])
    assert len(faults) == 1 and list(lock["files"]) == [good.address]


def test_a_target_asks_for_what_it_needs_and_no_more():
    study = study_of(read_configuration(ROOT / "config/release.yaml"))
    five = {name for sheet, name in wanted(study, ["results/tables/table5.csv"])}
    assert {"sscd", "disc21", "open_images"} <= five and not {"vsc22", "cnnspot", "dover"} & five
    three = {name for sheet, name in wanted(study, ["results/tables/table3.csv"])}
    assert {"vsc22", "vidprom_pika", "univfd"} <= three and not {"sscd", "disc21"} & three
    assert not {"svd", "cogvideox"} & (five | three), "their videos were released"
    assert {"sscd", "vsc22", "dover"} <= {name for _, name in wanted(study, [])}


def test_the_whole_command_tells_the_plan_and_what_is_to_do_by_hand(hub, monkeypatch, capsys):
    entries = {("tracers", "it"): {"label": "It", "weights": {"hub": "me/it", "revision": "main"}},
               ("tracers", "gated"): {"label": "G", "weights": {"hub": "me/gated", "revision": "main"}},
               ("tracers", "none"): {"label": "N", "unavailable": "never published"}}  # fmt: skip
    hub.repositories |= {
        ("models", "me/it"): {"model.safetensors": DATA},
        ("models", "me/gated"): {},
    }
    hub.gated.add("me/gated")
    monkeypatch.setattr(command, "wanted", lambda study, targets: entries)
    monkeypatch.setattr(command, "LOCK", Path("fetched.json"))
    monkeypatch.setattr(command, "read_lock", lambda: read_lock(Path("fetched.json")))
    monkeypatch.setattr("sys.argv", ["fetch", "--plan"])
    assert command.main() == 0
    told = capsys.readouterr()
    assert "0.00 GB       1 files  config/tracers.yaml: it" in told.out
    assert "by hand: config/tracers.yaml: gated: ask for access" in told.err
    assert "by hand: config/tracers.yaml: none: never published" in told.err
    assert not Path("hub").exists()
    monkeypatch.setattr("sys.argv", ["fetch"])
    assert command.main() == 0
    assert json.loads(Path("fetched.json").read_text())["revisions"] == {"me/it@main": COMMIT}
    capsys.readouterr()
    assert command.main() == 0 and "0 files to fetch" in capsys.readouterr().out
