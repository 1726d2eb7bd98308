"""The files of a sweep's results: what was asked, what runs, what came out.

All that is needed to read them is JSON:

    sweep.json       the sweep as it was read, and the versions that it was begun with
    manifest.json    all runs that were planned beforehand
    runs/            a folder for each run, as `t5mix train` leaves it
    trials/          a file for each finished trial: what was run on what, and what came out (`t5mix.sweep.trial`)
    choices.json     the learning rates that were chosen, and the scores that they were chosen by
    budget.json      what a step takes, where budgets are equalised
    failed/          a file for each run that failed: why, its log, how to run it again
    jobs/, logs/     what each process was told, and what it said
"""

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from t5mix.errors import T5MixError
from t5mix.files import exclusive_lock, read_json, write_json
from t5mix.sweep.spec import Sweep, read_sweep, sweep_to_dict


@dataclasses.dataclass(frozen=True)
class SweepFolder:
    """The files of one sweep.

    Attributes:
        path: the folder; it is made when something is written.
    """

    path: Path

    @property
    def runs(self) -> Path:
        """Holds the folders of the runs."""
        return self.path / "runs"

    @property
    def data(self) -> Path:
        """Holds the data manifests, found by what was asked for."""
        return self.path / ".data"

    def job(self, name: str) -> Path:
        """Returns the file that tells a process what to do."""
        return self.path / "jobs" / f"{name}.json"

    def log(self, name: str) -> Path:
        """Returns the file that holds what the process said."""
        return self.path / "logs" / f"{name}.log"

    def trial(self, name: str) -> Path:
        """Returns the file that holds what came out."""
        return self.path / "trials" / f"{name}.json"

    def failure(self, name: str) -> Path:
        """Returns the file that says what went wrong."""
        return self.path / "failed" / f"{name}.json"

    def read(self, name: str) -> Any:
        """Returns the content of a JSON file of the folder itself; None if there is none."""
        path = self.path / name
        return read_json(path) if path.exists() else None

    def write(self, name: str, content: Any) -> None:
        """Writes a JSON file of the folder itself, all or nothing."""
        write_json(self.path / name, content)

    def sweep(self) -> Sweep:
        """Returns the sweep whose results the folder holds.

        Raises:
            T5MixError: it holds none.
        """
        raw = self.read("sweep.json")
        if raw is None:
            raise T5MixError(f"{self.path} holds no sweep: it has no sweep.json.")
        return read_sweep(raw["sweep"], str(self.path / "sweep.json"))

    def check(self, sweep: Sweep, cores: Mapping[str, int]) -> None:
        """Checks that the folder is free, or this sweep's; writes nothing.

        Args:
            sweep: the sweep.
            cores: that runs compute with, which decides the last digits.

        Raises:
            T5MixError: the folder holds something else; lists what differs from the sweep it holds.
        """
        if self.path.exists() and not self.path.is_dir():
            raise T5MixError(f"{self.path} is a file; the results of a sweep go to a folder. Choose another --out.")
        if not (self.path / "sweep.json").exists():
            names = [path.name for path in self.path.iterdir()] if self.path.exists() else []
            if others := sorted(name for name in names if not name.startswith(".")):
                raise T5MixError(
                    f"{self.path} is not empty ({', '.join(others[:3])}) and holds no sweep. Choose another --out."
                )
            return
        old = {**sweep_to_dict(self.sweep()), "cores": self.read("sweep.json")["cores"]}
        new = {**sweep_to_dict(sweep), "cores": dict(cores)}
        if differing := [key for key in new if new[key] != old[key]]:
            lines = [f"  {key}: {_short(old[key])} there, {_short(new[key])} here" for key in differing]
            raise T5MixError(
                "\n".join([f"{self.path} holds the results of another sweep:", *lines])
                + "\nChoose another --out, or start the sweep as it was to continue it."
            )

    def claim(self, sweep: Sweep, cores: Mapping[str, int], versions: Mapping[str, str]) -> None:
        """Makes the folder this sweep's."""
        if self.read("sweep.json") is None:
            self.write("sweep.json", {"sweep": sweep_to_dict(sweep), "cores": dict(cores), "versions": dict(versions)})

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """A context in which no other process runs this sweep.

        Raises:
            T5MixError: one does.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(self.path / ".lock", f"A sweep is already running in {self.path}"):
            yield


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
