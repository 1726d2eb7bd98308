"""Executors that hand the processes of a sweep to Ray or, through submitit, to SLURM.

All machines see the results' folder and the token stores under the same paths.
"""

import contextlib
import importlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from t5mix.errors import T5MixError
from t5mix.sweep.executors import ProcessHandle

_ENDED = 1  # the exit status of a process that was lost: another try may fare better


def check_executor(name: str) -> None:
    """Refuses an executor that cannot start processes from this machine; loads nothing.

    Args:
        name: as `--executor` has it.

    Raises:
        T5MixError: the package or the program that it needs is missing; says how to get it.
    """
    needed = _PACKAGES.get(name)
    if needed is not None and importlib.util.find_spec(needed[0]) is None:
        raise T5MixError(f"--executor {name} needs the package {needed[0]}: pip install 't5mix[{needed[1]}]'.")
    if name == "slurm" and shutil.which("srun") is None:
        raise T5MixError(
            "--executor slurm needs SLURM's srun, which is not on the PATH of this machine. Start the sweep on a "
            "machine of the cluster, or run it here with --executor local."
        )


_PACKAGES = {"ray": ("ray", "ray"), "slurm": ("submitit", "slurm"), "submitit-local": ("submitit", "slurm")}
"""The package that an executor needs, and t5mix's extra that brings it."""


def run_command(command: Sequence[str], log: str, environment: Mapping[str, str], folder: str) -> int:
    """Runs a process where this function is called, and returns its exit status; a worker calls it."""
    with open(log, "ab") as file:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={**os.environ, **environment},
            cwd=folder,
            check=False,
        ).returncode


class RayExecutor:
    """Runs processes on a Ray cluster, or on one that it starts here.

    Args:
        address: of a cluster, "auto" for the one that this machine is part of; None to start one here.
        jobs: the most at once; None for as many as the cluster has cores for.
        gpus: of each process.
        environment: variables that processes get.

    Raises:
        T5MixError: Ray is not installed, or there is no such cluster.
    """

    def __init__(self, address: str | None, jobs: int | None, gpus: int, environment: Mapping[str, str]) -> None:
        check_executor("ray")
        ray: Any = importlib.import_module("ray")
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=False, include_dashboard=False)
        except (ConnectionError, ValueError) as error:
            raise T5MixError(
                f"There is no Ray cluster at {address!r}: {error}. `ray start --head` starts one."
            ) from error
        self._ray, self._jobs, self._gpus, self._environment = ray, jobs, gpus, dict(environment)
        self._running: list[tuple[ProcessHandle, int]] = []

    def has_room(self, cores: int) -> bool:
        """Says whether the cluster has cores for another process."""
        self._running = [(handle, count) for handle, count in self._running if handle.poll() is None]
        total = self._total_cores()
        free = total - sum(count for _, count in self._running)
        return free >= min(cores, total) and (self._jobs is None or len(self._running) < self._jobs)

    def submit(self, name: str, command: Sequence[str], log: Path, cores: int) -> "_OnRay":
        """Hands a process to the cluster."""
        count = min(cores, self._total_cores())
        remote = self._ray.remote(num_cpus=count, num_gpus=self._gpus, max_retries=0)(run_command)
        reference = remote.options(name=name).remote(list(command), str(log), self._environment, os.getcwd())
        handle = _OnRay(self._ray, reference)
        self._running.append((handle, count))
        return handle

    def close(self) -> None:
        """Leaves the cluster."""
        self._ray.shutdown()

    def _total_cores(self) -> int:
        return int(self._ray.cluster_resources().get("CPU", 1))


class _OnRay:
    def __init__(self, ray: Any, reference: Any) -> None:
        self._ray, self._reference, self._status = ray, reference, None

    def poll(self) -> int | None:
        if self._status is None:
            done, _ = self._ray.wait([self._reference], timeout=0)
            if done:
                try:
                    self._status = self._ray.get(self._reference)
                except self._ray.exceptions.RayError:
                    self._status = _ENDED
        return self._status

    def end(self) -> None:
        if self.poll() is None:
            self._ray.cancel(self._reference, force=True)

    def wait(self, seconds: float) -> None:
        self._ray.wait([self._reference], timeout=seconds)


class SubmititExecutor:
    """Hands processes to SLURM, or runs them here in the same way, through submitit.

    Args:
        cluster: "slurm" or "local".
        folder: for submitit's own files.
        jobs: the most that are queued or run at once.
        gpus: of each process.
        environment: variables that processes get.
        options: of submitit, such as slurm_partition or timeout_min.

    Raises:
        T5MixError: submitit or SLURM is not installed, or it does not know an option.
    """

    def __init__(
        self,
        cluster: str,
        folder: Path,
        jobs: int,
        gpus: int,
        environment: Mapping[str, str],
        options: Mapping[str, Any],
    ) -> None:
        check_executor("slurm" if cluster == "slurm" else "submitit-local")
        submitit: Any = importlib.import_module("submitit")
        try:
            self._submitit = submitit.AutoExecutor(folder=folder, cluster=cluster)
            self._submitit.update_parameters(**{"gpus_per_node": gpus, "timeout_min": 24 * 60, **options})
        except (RuntimeError, NameError, TypeError, ValueError) as error:
            raise T5MixError(f"submitit: {error}") from error
        self._jobs, self._environment = jobs, dict(environment)
        self._running: list[_Submitted] = []

    def has_room(self, cores: int) -> bool:
        """Says whether fewer than the most are queued or run."""
        self._running = [process for process in self._running if process.poll() is None]
        return len(self._running) < self._jobs

    def submit(self, name: str, command: Sequence[str], log: Path, cores: int) -> "_Submitted":
        """Queues a process."""
        self._submitit.update_parameters(name=name[:60], cpus_per_task=cores)
        handle = _Submitted(self._submitit.submit(run_command, list(command), str(log), self._environment, os.getcwd()))
        self._running.append(handle)
        return handle

    def close(self) -> None:
        """Does nothing: nothing is held."""


class _Submitted:
    def __init__(self, job: Any) -> None:
        self._job, self._status = job, None

    def poll(self) -> int | None:
        if self._status is None and self._job.done():
            try:
                self._status = self._job.result()
            except Exception:  # whatever the queue or the node did to it
                self._status = _ENDED
        return self._status

    def end(self) -> None:
        if self.poll() is None:
            self._job.cancel(check=False)

    def wait(self, seconds: float) -> None:
        with contextlib.suppress(Exception):
            self._job.wait()
