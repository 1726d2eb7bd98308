"""Where the processes of a sweep run: on this machine here, on a cluster in `t5mix.sweep.cluster_executors`."""

import contextlib
import dataclasses
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

_GRACE_SECONDS = 60.0  # for a process that was told to end, to write a checkpoint


@dataclasses.dataclass(frozen=True)
class CoresPerRun:
    """Threads that runs compute with on a CPU. Their number decides the last digits of results.

    Attributes:
        trial: of a trial, or a run that it starts from.
        shared: of a shared run, which all others wait for.
    """

    trial: int
    shared: int


class ProcessHandle(Protocol):
    """A process that was started."""

    def poll(self) -> int | None:
        """Returns its exit status, or None while it is waiting or running."""
        ...

    def end(self) -> None:
        """Tells it to end; does not wait."""
        ...

    def wait(self, seconds: float) -> None:
        """Waits until it has ended, then ends it by force."""
        ...


class Executor(Protocol):
    """Starts processes."""

    def has_room(self, cores: int) -> bool:
        """Says whether a process that computes on so many cores may be submitted now."""
        ...

    def submit(self, name: str, command: Sequence[str], log: Path, cores: int) -> ProcessHandle:
        """Starts a process, or has it wait for its turn elsewhere.

        Args:
            name: for people.
            command: what to run.
            log: the file that what it says is appended to.
            cores: that it computes on.
        """
        ...

    def close(self) -> None:
        """Gives back what the executor holds; all processes have ended."""
        ...


class LocalExecutor:
    """Runs processes on this machine, each on cores of its own, and on GPUs of its own if there are any.

    Args:
        jobs: the most at once.
        cores: how many there are to share.
        gpus: the devices to share, as CUDA_VISIBLE_DEVICES names them; each process gets an equal part of them.
        environment: variables that processes get.
    """

    def __init__(self, jobs: int, cores: int, gpus: Sequence[str], environment: Mapping[str, str]) -> None:
        self._jobs, self._environment = jobs, environment
        self._all = sorted(os.sched_getaffinity(0))[:cores] if hasattr(os, "sched_getaffinity") else list(range(cores))
        share = len(gpus) // jobs
        self._gpus = [",".join(gpus[share * job : share * (job + 1)]) for job in range(jobs)] if share else []
        self._running: list[_Local] = []

    def has_room(self, cores: int) -> bool:
        """Says whether a process may start: with so many cores, or all, free."""
        self._running = [process for process in self._running if process.poll() is None]
        free = len(self._all) - sum(len(process.cores) for process in self._running)
        return len(self._running) < self._jobs and free >= min(cores, len(self._all))

    def submit(self, name: str, command: Sequence[str], log: Path, cores: int) -> "_Local":
        """Starts a process."""
        taken = {core for process in self._running for core in process.cores}
        free = [core for core in self._all if core not in taken][:cores]
        gpu = next((gpu for gpu in self._gpus if gpu not in [process.gpu for process in self._running]), None)
        environment = {**self._environment, **({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu})}
        with open(log, "ab") as file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=environment,
                process_group=0,  # Ctrl-C is for us: we tell them, and wait
            )
        if hasattr(os, "sched_setaffinity"):
            with contextlib.suppress(ProcessLookupError):  # it has ended at once
                os.sched_setaffinity(process.pid, free)
        handle = _Local(process, free, gpu)
        self._running.append(handle)
        return handle

    def close(self) -> None:
        """Does nothing: nothing is held."""


class _Local:
    def __init__(self, process: subprocess.Popen[bytes], cores: Sequence[int], gpu: str | None) -> None:
        self._process, self.cores, self.gpu = process, cores, gpu

    def poll(self) -> int | None:
        return self._process.poll()

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()

    def wait(self, seconds: float) -> None:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def terminate_all(handles: Sequence[ProcessHandle]) -> None:
    """Ends processes in good order, so that what they did is kept."""
    for handle in handles:
        handle.end()
    for handle in handles:
        handle.wait(_GRACE_SECONDS)


def usable_cores() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """Returns the NVIDIA GPUs that processes may use, as CUDA_VISIBLE_DEVICES names them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in chosen.split(",") if name]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False)
    return [str(number) for number, _ in enumerate(listed.stdout.splitlines())] if listed.returncode == 0 else []
