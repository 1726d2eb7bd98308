"""The processes of a run: how they find one another, what the first does for all, what they agree on.

All run the same program on rows of their own. Only process 0 writes. Everything here is called by all processes in the
same order, and costs nothing in a run of one.
"""

import itertools
import json
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import jax

from t5mix.configurable import configurable
from t5mix.errors import T5MixError
from t5mix.files import sha256_of_json

T = TypeVar("T")

_LONG = 24 * 3600  # seconds; process 0 may prepare data for hours, and its end wakes those who wait
_LEAVE_SECONDS = 60  # a process waits that long at its end for the others; in vain only where one of them failed
_numbers = itertools.count()  # of the exchanges so far, the same in all processes


@configurable
class DistributedConfig:
    """The processes of a run. All are started with the same command, but for `process`.

    Attributes:
        auto: whether the cluster says which processes there are: a TPU pod, SLURM, Open MPI, Kubernetes.
        coordinator: host:port of process 0, where all find it; None for one process, or with `auto`.
        processes: how many there are.
        process: which one this is, from 0.
    """

    auto: bool = False
    coordinator: str | None = None
    processes: int | None = None
    process: int | None = None

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in ("coordinator", "processes", "process")}
        missing = [f"distributed.{name}" for name, value in given.items() if value is None]
        if self.auto and len(missing) < len(given):
            raise ValueError(
                "distributed.auto is true, and the cluster says the rest: distributed.coordinator, processes and "
                "process must then be null"
            )
        if not self.auto and 0 < len(missing) < len(given):
            raise ValueError(
                f"{' and '.join(missing)} is null: distributed.coordinator, processes and process belong together"
            )
        if self.coordinator is None or self.processes is None or self.process is None:
            return
        if not self.coordinator.rpartition(":")[0] or not self.coordinator.rpartition(":")[2].isdigit():
            raise ValueError(f"distributed.coordinator is {self.coordinator!r}: it must be host:port")
        if not 0 <= self.process < self.processes:
            raise ValueError(
                f"distributed.process is {self.process}: with distributed.processes = {self.processes} it must be from "
                f"0 to {self.processes - 1}"
            )


def join(settings: DistributedConfig) -> None:
    """Makes this process one of the run's, for the rest of its life; before anything touches a device.

    Raises:
        T5MixError: the others are not there, or there is no cluster to ask.
    """
    if jax.distributed.is_initialized() or not (settings.auto or settings.coordinator):
        return
    _leave_stdout_to_python()
    # It would take SIGTERM for itself, and hide it from t5mix.distributed.signals.
    jax.config.update("jax_enable_preemption_service", False)
    address = settings.coordinator or ""
    alone = address.startswith(("127.", "localhost:"))  # all on this machine: not to be reached from another
    try:
        jax.distributed.initialize(
            settings.coordinator,
            settings.processes,
            settings.process,
            coordinator_bind_address=address if alone else None,
            shutdown_timeout_seconds=_LEAVE_SECONDS,
        )
    except (RuntimeError, ValueError) as error:
        advice = (
            "distributed.auto needs a TPU pod, SLURM, Open MPI or Kubernetes; elsewhere set distributed.coordinator, "
            "processes and process."
            if settings.auto
            else f"Process 0 listens on distributed.coordinator = {address}: all must reach it, and the port be free."
        )
        raise T5MixError(f"The processes of the run did not find one another: {error} {advice}") from error


def _leave_stdout_to_python() -> None:
    """Sends what native code prints to the error stream: Gloo says there, at any time, who is connected."""
    sys.stdout.flush()
    data = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(data, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors, buffering=1)


def is_main_process() -> bool:
    """Says whether this is process 0, the one that writes."""
    return not jax.distributed.is_initialized() or jax.process_index() == 0


def run_on_main_process(work: Callable[[], T]) -> T:
    """Does something in process 0 alone, while the others wait.

    Args:
        work: what is to be done; it may call no function of this module.

    Returns:
        In every process, what the work returned; it must be JSON-able, and is what JSON makes of it in the others.

    Raises:
        T5MixError: in the other processes, where the work failed; in process 0, its error passes.
    """
    if not jax.distributed.is_initialized():
        return work()
    number = next(_numbers)
    if jax.process_index() != 0:
        outcome = _receive(f"{number}")
        if "error" in outcome:
            raise T5MixError(f"Process 0: {outcome['error']}")
        return outcome["value"]
    try:
        value = work()
    except BaseException as error:
        _send(f"{number}", {"error": str(error) if isinstance(error, T5MixError) else repr(error)})
        raise
    _send(f"{number}", {"value": value})
    return value


def all_gather(value: T) -> list[T]:
    """Returns the JSON-able value of each process, by process."""
    if not jax.distributed.is_initialized():
        return [value]
    number = next(_numbers)
    _send(f"{number}/{jax.process_index()}", value)
    return [_receive(f"{number}/{process}") for process in range(jax.process_count())]


def processes_that_differ(value: Any) -> list[int]:
    """Returns the processes whose JSON-able value is not that of process 0."""
    if not jax.distributed.is_initialized():
        return []
    digests = all_gather(sha256_of_json(value))
    return [process for process, digest in enumerate(digests) if digest != digests[0]]


def arrive(point: str) -> None:
    """Notes that this process has come to a point; waits for nobody."""
    _client().key_value_set(f"t5mix/{point}/{jax.process_index()}", "", allow_overwrite=True)


def all_arrived(point: str) -> bool:
    """Says whether all processes have come to a point."""
    return len(_client().key_value_dir_get(f"t5mix/{point}/")) == jax.process_count()


def _send(key: str, value: Any) -> None:
    # JSON: whoever reaches the coordinator's port can write to its store, and unpickling would run what it wrote.
    _client().key_value_set(f"t5mix/{key}", json.dumps(value))


def _receive(key: str) -> Any:
    return json.loads(_client().blocking_key_value_get(f"t5mix/{key}", _LONG * 1000))


def _client() -> Any:
    """Returns the link to the coordinator, for which JAX has no public name; Orbax uses it too."""
    from jax._src import distributed

    return distributed.global_state.client
