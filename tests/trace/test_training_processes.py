"""Several processes that train together: that they end where one does, also when they are killed."""

import json
import os
import subprocess
import sys
import time

import psutil
import pytest
import torch
from safetensors.torch import load_file

from scripts.common.code import ROOT
from scripts.common.errors import UserError
from scripts.models.training_processes import train_on
from scripts.trace.train_cosface import train_cosface
from tests.trace.made_up import damage
from tests.trace.test_training import (
    assert_equal_weights,
    files,
    losses,
    trace,  # noqa: F401 (a fixture)
    train,
    with_training,
)

torch.set_num_threads(1)

# Long enough to be killed on the way, with an odd number of classes for two processes to share.
ENTRY = with_training(
    epochs=1, iterations=60, warmup_epochs=0, batch_size=14, log_every=10, checkpoint_every=7
)
TRAIN = """
import json, sys
from pathlib import Path
from scripts.trace.train_cosface import train_cosface
job = json.loads(sys.argv[1])
paths = {key: [Path(path) for path in job[key]] for key in ("frames", "frame_indexes")}
folder = Path(job["folder"])
train_cosface(**paths, images=Path(job["images"]), weights=folder / "model.safetensors", training=folder / "model.csv",
              entry=job["entry"], seed=3, processes=2, threads=2,
              ledger_root=folder / "ledger")
"""


def start(trace, folder):  # noqa: F811
    """Start a training by two processes, in a process that can be killed."""
    found = files(trace, ["left", "right"])
    job = found | {"folder": folder, "entry": ENTRY}
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    told = json.dumps(job, default=str)
    return subprocess.Popen([sys.executable, "-c", TRAIN, told], env=environment)


def wait_for(condition, seconds=120):
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "it never came"
        time.sleep(0.005)
    return found


def test_two_processes_end_where_one_does_whatever_happens(trace, tmp_path):  # noqa: F811
    alone, alone_table, _ = train(trace, tmp_path / "alone", entry=ENTRY)

    together = tmp_path / "together"
    first = start(trace, together)
    state = wait_for(lambda: list(together.rglob("checkpoint")))[0]
    family = psutil.Process(first.pid).children(recursive=True)
    assert len(family) >= 2
    first.kill()
    first.wait()
    # Nothing is left behind that would train on, and write, beside the next run.
    assert not psutil.wait_procs(family, timeout=20)[1]
    assert state.is_file()
    assert not list(together.rglob("complete"))

    done = torch.load(state, weights_only=True)["done"]
    assert 7 <= done < 60
    tar = trace.frames("left")
    with damage(tar), pytest.raises(UserError, match=rf"^{tar}: the picture of [^\n]*$"):
        train(trace, together, entry=ENTRY, processes=2, threads=2)
    assert torch.load(state, weights_only=True)["done"] >= done

    before = dict(os.environ)
    weights, table, _ = train(trace, together, entry=ENTRY, processes=2, threads=2)
    assert dict(os.environ) == before
    assert_equal_weights(load_file(weights), load_file(alone))
    assert losses(table) == pytest.approx(losses(alone_table), rel=1e-4)
    assert not state.exists()


def test_too_few_gpus_are_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match=r"asks for 2 GPUs, and this machine shows 1"):
        train_on(print, {}, device=torch.device("cuda"), processes=2)


def test_gpus_asked_for_where_there_are_none_are_a_sentence(trace, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        UserError, match=r"^a GPU is asked for, and this machine shows PyTorch none"
    ):
        train(trace, tmp_path, gpus=8)


def test_a_batch_too_small_to_share_is_named(trace, tmp_path):  # noqa: F811
    paths = files(trace, ["left"])
    with pytest.raises(UserError, match=r"a batch of 8 classes cannot be shared by 9 devices"):
        train_cosface(
            **paths, weights=tmp_path / "w", training=tmp_path / "t",
            entry=with_training(batch_size=16), seed=1, processes=9,
            ledger_root=tmp_path,
        )  # fmt: skip
