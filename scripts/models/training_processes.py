"""Several processes, one for each device, that train together (torch's elastic agent, NCCL, gloo).

``python -m scripts.models.training_processes JOB`` is what each of them runs, in the environment
that torchrun gives its processes; JOB is a file that says which function to call with what.
"""

import importlib
import json
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed

from scripts.common.code import ROOT
from scripts.common.errors import UserError
from scripts.models.devices import pick_device

if TYPE_CHECKING:  # importing it takes a second, which one process alone need not wait for
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

_MODULE = "scripts.models.training_processes"
_FAULT = f"{UserError.__name__}: "


def process_of_group() -> tuple[int, int]:
    """Return the number of this process, from 0, and how many train together."""
    if not distributed.is_initialized():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def train_on(
    function: Callable[..., Any],
    job: Mapping[str, Any],
    *,
    device: torch.device,
    processes: int,
    **found: Any,
) -> Any:
    """Run a training in this process, or in several of this machine; wait until all are done.

    What torchrun does, from within: it starts them, tells them of each other, and ends all if one
    fails. They end by themselves if this process is killed.

    Args:
        function: of a module, called in each process as ``function(job, device)``.
        job: what it is told, JSON-like; paths become text.
        device: ``cpu`` or ``cuda``; with ``cuda`` each process has a GPU of its own.
        processes: how many.
        found: what is known already, so that this process need not find it again.

    Returns:
        What the function returned in the first process, JSON-like.

    Raises:
        UserError: there are fewer GPUs than processes, or a process met one, or was killed.
    """
    if processes == 1:
        return function(job, device, **found)
    if device.type == "cuda" and torch.cuda.device_count() < processes:
        raise UserError(
            f"training_gpu asks for {processes} GPUs, and this machine shows "
            f"{torch.cuda.device_count()}; correct it, or CUDA_VISIBLE_DEVICES"
        )
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # What it says of a failure is told below, in one sentence.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="training-") as folder:
        told = Path(folder) / "job.json"
        name = f"{function.__module__}:{function.__qualname__}"
        order = {"function": name, "job": job, "device": device.type}
        told.write_text(json.dumps(order, default=str), encoding="utf-8")
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=told.parent.name,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",  # any free port
            local_addr="localhost",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
        )
        before = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), before)))
        try:
            elastic_launch(config, sys.executable)("-m", _MODULE, str(told))
        except ChildFailedError as error:
            raise _cause(list(error.failures.values())) from None
        finally:  # other programs that this process starts must find their own modules
            os.environ.pop("PYTHONPATH")
            if before is not None:
                os.environ["PYTHONPATH"] = before
        return json.loads(_answer(told).read_text(encoding="utf-8"))


def _answer(told: Path) -> Path:
    return told.with_name("answer.json")


def _cause(failures: Sequence["ProcessFailure"]) -> Exception:
    """Return the error that ended a training: others fail because the first one left them."""
    for failure in failures:
        if failure.exitcode < 0:
            return UserError(
                f"process {failure.local_rank} of the training was ended by "
                f"{failure.signal_name()} (SIGKILL is often for want of memory); run again, and "
                "it goes on from its last state"
            )
    told = [failure.error_file_data["message"] for failure in failures]
    for message in told:
        if message["message"].startswith(_FAULT):
            return UserError(message["message"].removeprefix(_FAULT))
    return RuntimeError(told[0]["extraInfo"]["py_callstack"])


def main(told: Path) -> None:
    """Be one process of a training."""
    from torch.distributed.elastic.multiprocessing.errors import get_error_handler

    _end_with_parent()
    handler = get_error_handler()
    handler.initialize()
    try:
        order = json.loads(told.read_text(encoding="utf-8"))
        device = pick_device(order["device"])
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        module, _, name = order["function"].partition(":")
        answer = getattr(importlib.import_module(module), name)(order["job"], device)
        if process_of_group()[0] == 0:
            _answer(told).write_text(json.dumps(answer), encoding="utf-8")
        distributed.destroy_process_group()
    except BaseException as error:
        handler.record_exception(error)
        # At once: an orderly end would first break the others' connections, and their errors
        # would be taken for the cause.
        os._exit(1)


def _end_with_parent() -> None:
    """Leave no process behind that trains on, and writes, when the one that started it is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
