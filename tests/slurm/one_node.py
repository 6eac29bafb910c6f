"""SLURM with one node on this machine: munge, slurmctld and slurmd in namespaces of their own.

Nothing of the machine is changed. The daemons see their own settings in SLURM's default place (the
workflow's jobs look nowhere else), their own network, which leads nowhere, and only the processes
of this node. The first of these waits for a pipe from the process that started it: when that one
ends, however it ends, the system ends every daemon and every job with it.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "unshare", "nsenter", "ip")
ALONE = ("--mount", "--pid", "--net", "--uts", "--fork", "--kill-child", "--mount-proc")
SPACES = (("--mount", "mnt"), ("--pid", "pid"), ("--net", "net"), ("--uts", "uts"))
# Of the range that documentation may use (RFC 5737); an address of 127 alone is not looked up.
ADDRESS = "192.0.2.1"
START = """
set -eu
ip link set lo up
ip address add {address}/32 dev lo
hostname node
mount --bind {home}/etc /etc/slurm
mount --bind {home}/hosts /etc/hosts
munged --foreground --key-file={home}/munge.key --socket={home}/munge.socket \
  --pid-file={home}/munged.pid --log-file={home}/munged.log --seed-file={home}/munged.seed &
slurmctld -D > {home}/slurmctld.out 2>&1 &
slurmd -D -N node > {home}/slurmd.out 2>&1 &
exec cat
"""
# MinJobAge: how long squeue can tell how a job ended. OverMemoryKill: a job that takes more memory
# than it asked for is killed.
SETTINGS = """\
ClusterName=test
SlurmctldHost=node({address})
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket
CredType=cred/munge
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
MpiDefault=none
ReturnToService=2
MinJobAge=600
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=1
SlurmdParameters=config_overrides
NodeName=node NodeAddr={address} CPUs=2 RealMemory=8000
PartitionName=main Nodes=node Default=YES MaxTime=INFINITE State=UP
"""


def list_absent() -> list[str]:
    """List what is missing for a node: programs, or the right to make namespaces."""
    absent = [name for name in PROGRAMS if not shutil.which(name)]
    if not absent:
        done = subprocess.run(["unshare", *ALONE, "true"], capture_output=True, check=False)
        absent += ["the right to make namespaces"] if done.returncode else []
    return absent


@dataclass(frozen=True)
class Job:
    """What the scheduler says of a job."""

    number: int
    state: str
    comment: str  # the executor's: rule_..._wildcards_...
    memory_mb: int
    minutes: int
    processors: int
    reason: str


@dataclass(frozen=True)
class Node:
    """A node at work: its folder and the first of its processes, as the machine counts them."""

    home: Path
    first: int

    def command(self, *arguments: str) -> list[str]:
        """Give the command that runs another one on the node."""
        spaces = [f"{option}=/proc/{self.first}/ns/{name}" for option, name in SPACES]
        return ["nsenter", *spaces, "--wd=.", "--", *arguments]

    def ask(self, *arguments: str) -> str:
        """Run a command on the node and return what it printed."""
        done = subprocess.run(
            self.command(*arguments), text=True, capture_output=True, timeout=60, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{arguments[0]}: {done.stderr}")
        return done.stdout

    def jobs(self) -> list[Job]:
        """List all jobs, also those that ended."""
        form = "%i|%T|%k|%m|%l|%C|%r"
        found = []
        for line in self.ask("squeue", "--states=all", "--noheader", f"--format={form}").split(
            "\n"
        ):
            if line:
                number, state, comment, memory, time_limit, processors, reason = line.split("|")
                scale = {"M": 1, "G": 1024}[memory[-1]]
                *days, clock = time_limit.split("-")
                parts = [int(p) for p in clock.split(":")]
                seconds = sum(p * 60**i for i, p in enumerate(reversed(parts)))
                found.append(
                    Job(
                        int(number),
                        state,
                        comment,
                        round(float(memory[:-1]) * scale),
                        seconds // 60 + 1440 * sum(map(int, days)),
                        int(processors),
                        reason,
                    )
                )
        return sorted(found, key=lambda job: job.number)

    def processes(self) -> dict[int, str]:
        """List the node's processes, as the machine counts them, with their commands."""
        mine, found = Path(f"/proc/{self.first}/ns/pid").readlink(), {}
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (path / "ns" / "pid").readlink() == mine:
                    words = (path / "cmdline").read_bytes().split(b"\0")
                    found[int(path.name)] = b" ".join(words).decode("utf-8", "replace")
        return found


def wait_for(what: str, look: Callable[[], T | None], seconds: float, pause: float = 0.1) -> T:
    """Look again and again until something is there.

    Raises
    ------
    TimeoutError
        If it is not there in time.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(pause)
    raise TimeoutError(f"{what}: not within {seconds:.0f} s")


def _wait_until_up(home: Path, process: subprocess.Popen[bytes]) -> Node:
    """Wait until the node takes jobs; where it does not, say what its daemons wrote."""

    def look() -> Node | None:
        if process.poll() is not None:
            raise TimeoutError("it ended")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if not children:
            return None
        node = Node(home, int(children[0]))
        with suppress(RuntimeError, OSError, subprocess.TimeoutExpired):
            if node.ask("sinfo", "--noheader", "--format=%T").strip() == "idle":
                return node
        return None

    try:
        return wait_for("a node that takes jobs", look, 60)
    except TimeoutError as error:
        names = ("start.out", "slurmctld.out", "slurmd.out", "slurmctld.log", "slurmd.log")
        found = [home / name for name in names if (home / name).is_file()]
        text = "\n".join(f"{p.name}:\n{p.read_text(errors='replace')[-2000:]}" for p in found)
        raise RuntimeError(f"SLURM did not start ({error})\n{text}") from error


@contextmanager
def one_node() -> Iterator[Node]:
    """Start a node, and end it with everything that runs on it."""
    home = Path(tempfile.mkdtemp(prefix="slurm-"))  # a socket's path must be short
    home.chmod(0o711)  # munge serves no folder that others may not pass
    for name in ("etc", "state", "spool"):
        (home / name).mkdir()
    key = home / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(1024))
    (home / "hosts").write_text(f"127.0.0.1 localhost\n{ADDRESS} node\n", encoding="ascii")
    (home / "etc" / "slurm.conf").write_text(SETTINGS.format(home=home, address=ADDRESS))
    with (home / "start.out").open("wb") as said:
        process = subprocess.Popen(
            ["unshare", *ALONE, "sh", "-c", START.format(home=home, address=ADDRESS)],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    node = None
    try:
        node = _wait_until_up(home, process)
        yield node
    finally:
        running = node.processes() if node else {}
        process.kill()  # --kill-child: its child goes with it, and with that one all the others
        process.wait()
        if process.stdin:
            process.stdin.close()
        wait_for(
            "the end of all", lambda: not any(Path(f"/proc/{n}").exists() for n in running), 30
        )
        shutil.rmtree(home, ignore_errors=True)
