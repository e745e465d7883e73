"""Several processes, one for each device, that train together (torch's elastic agent, NCCL, gloo).

``python -m scripts.trace.training_processes JOB`` is what each of them runs, in the environment
that torchrun gives its processes; JOB is a file with a ``TrainingJob`` as JSON.
"""

import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import distributed

from scripts.common.code import ROOT
from scripts.common.errors import UserError
from scripts.trace.training_job import TrainingJob, run_training

if TYPE_CHECKING:  # importing it takes a second, which one process alone need not wait for
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

_MODULE = "scripts.trace.training_processes"
_FAULT = f"{UserError.__name__}: "


def train_together(job: TrainingJob, processes: int) -> None:
    """Run a training in so many processes of this machine; wait until all are done.

    What torchrun does, from within: it starts them, tells them of each other, and ends all if one
    fails. They end by themselves if this process is killed.

    Args:
        job: what to do.
        processes: how many; with ``cuda`` each has a GPU of its own.

    Raises:
        UserError: there are fewer GPUs than processes, or a process met one, or was killed.
    """
    if job.device == "cuda" and torch.cuda.device_count() < processes:
        raise UserError(
            f"trace.training_gpu asks for {processes} GPUs, and this machine shows "
            f"{torch.cuda.device_count()}; correct it, or CUDA_VISIBLE_DEVICES"
        )
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # What it says of a failure is told below, in one sentence.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="training-") as folder:
        told = Path(folder) / "job.json"
        told.write_text(job.to_json(), encoding="utf-8")
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
        paths = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
        try:
            elastic_launch(config, sys.executable)("-m", _MODULE, str(told))
        except ChildFailedError as error:
            raise _cause(list(error.failures.values())) from None


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
        job = TrainingJob.from_json(told.read_text(encoding="utf-8"))
        device = torch.device(job.device)
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        run_training(job, job.find_pictures(), device)
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
