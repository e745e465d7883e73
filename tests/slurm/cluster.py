"""A Slurm cluster of three pretended nodes on one machine: two with two pretended cards each."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

SYSTEM_CONFIG = Path("/etc/slurm/slurm.conf")
NODES = {"cpu1": 7011, "gpu1": 7012, "gpu2": 7013}
CARDS = ("/dev/null", "/dev/zero")
_SETTINGS = """\
ClusterName=pretended
SlurmctldHost={host}
SlurmctldPort=7010
AuthInfo=socket={folder}/munge/socket
AuthType=auth/munge
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=10
MinJobAge=600
GresTypes=gpu
"""


class Cluster:
    """The cluster's daemons, by name: each can be killed and started again."""

    def __init__(self, folder: Path):
        """Write the configuration; nothing is started.

        Args:
            folder: of keys, sockets, states and logs.
        """
        self.folder = folder
        self._processes: dict[str, subprocess.Popen] = {}
        self._host = os.uname().nodename
        for name in ("munge", "state", *(f"spool-{node}" for node in NODES)):
            (folder / name).mkdir(mode=0o755)
        (folder / "munge" / "key").write_bytes(secrets.token_bytes(1024))
        (folder / "munge" / "key").chmod(0o400)
        self._write_configuration()

    def start(self) -> None:
        """Start all daemons and wait until the nodes are idle."""
        munge = self.folder / "munge"
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log"}
        files["seed-file"] = "seed"
        options = [f"--{option}={munge / name}" for option, name in files.items()]
        self._run("munged", "munged", "--foreground", "--force", *options)
        _wait(lambda: (munge / "socket").exists(), "munged")
        self._run("slurmctld", "slurmctld", "-D", "-c")
        for node in NODES:
            self.start_node(node)
        _wait(lambda: self.states().count("idle") == len(NODES), "three idle nodes")

    def start_node(self, node: str) -> None:
        """Start the daemon of a node."""
        self._run(node, "slurmd", "-D", "-N", node)

    def kill_node(self, node: str) -> None:
        """Kill the daemon of a node, and the jobs on it, as a node does that loses its power."""
        process = self._processes[node]
        for child in _descendants(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        process.kill()
        process.wait()

    def states(self) -> list[str]:
        """Return the state of each node, such as idle, mixed or down."""
        return _output("sinfo", "--noheader", "--Node", "--format=%T").split()

    def running(self) -> dict[str, str]:
        """Return the jobs that run: Slurm's number -> node."""
        lines = _output("squeue", "--noheader", "--states=RUNNING", "--format=%i %N").splitlines()
        return dict(line.split() for line in lines if len(line.split()) == 2)

    def stop(self) -> None:
        """Stop everything that was started: jobs, then daemons."""
        with contextlib.suppress(subprocess.CalledProcessError):
            _output("scancel", "--user=root")
        for process in reversed(self._processes.values()):
            for child in [*_descendants(process.pid), process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            process.wait()

    def _run(self, name: str, *command: str) -> None:
        with open(self.folder / f"{name}.out", "ab") as log:
            self._processes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def _write_configuration(self) -> None:
        lines = [_SETTINGS.format(folder=self.folder, host=self._host)]
        for node, port in NODES.items():
            cards = " Gres=gpu:2" if node.startswith("gpu") else ""
            lines.append(
                f"NodeName={node} NodeHostname={self._host} Port={port} CPUs=2 "
                f"RealMemory=64000{cards} State=UNKNOWN\n"
            )
        lines.append("PartitionName=cpu Nodes=cpu1 Default=YES MaxTime=INFINITE State=UP\n")
        lines.append("PartitionName=gpu Nodes=gpu1,gpu2 MaxTime=INFINITE State=UP\n")
        (self.folder / "slurm.conf").write_text("".join(lines))
        # A count alone leaves a node invalid: each pretended card needs a device file.
        cards = [f"NodeName={node} Name=gpu File={card}\n" for node in NODES
                 if node.startswith("gpu") for card in CARDS]  # fmt: skip
        (self.folder / "gres.conf").write_text("AutoDetect=off\n" + "".join(cards))


@contextlib.contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Run a cluster for as long as the block lasts; what was in /etc/slurm comes back.

    Job steps do not inherit an environment variable that names another configuration: Slurm must
    find it where it always does.
    """
    kept = SYSTEM_CONFIG.with_name("slurm.conf.before-the-test")
    SYSTEM_CONFIG.parent.mkdir(parents=True, exist_ok=True)
    if SYSTEM_CONFIG.exists() and not SYSTEM_CONFIG.is_symlink():
        shutil.move(SYSTEM_CONFIG, kept)
    links = [SYSTEM_CONFIG, SYSTEM_CONFIG.with_name("gres.conf")]
    for link in links:
        link.unlink(missing_ok=True)
        link.symlink_to(folder / link.name)
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        for link in links:
            link.unlink(missing_ok=True)
        if kept.exists():
            shutil.move(kept, SYSTEM_CONFIG)


def _descendants(process: int) -> list[int]:
    """Return the processes that a process started, and theirs, the youngest first."""
    found, left = [], [process]
    while left:
        children = Path(f"/proc/{left.pop()}/task").glob("*/children")
        new = []
        for file in children:
            with contextlib.suppress(OSError):
                new += [int(number) for number in file.read_text().split()]
        found += new
        left += new
    return found[::-1]


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _wait(is_so, what: str, seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with contextlib.suppress(subprocess.CalledProcessError):
            if is_so():
                return
        time.sleep(0.2)
    raise TimeoutError(f"{what} did not come up in {seconds:.0f} s; see the logs of the daemons")
