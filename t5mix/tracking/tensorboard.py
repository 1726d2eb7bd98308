"""Scalars for TensorBoard."""

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class TensorBoard:
    """Scalars for TensorBoard. Steps taken again after a kill are in a file of their own, which TensorBoard prefers.

    Written with TensorBoard's own record writer: the metric writers of clu and TensorFlow would load TensorFlow.

    Args:
        folder: where the event file goes.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self._file = open(folder / name, "wb")  # noqa: SIM115 - closed by `close`
        self._records = RecordWriter(self._file)
        self._event(file_version="brain.Event:2")

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Writes scalars of one step."""
        from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[attr-defined]

        values = [Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        self._event(step=step, summary=Summary(value=values))
        self._records.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _event(self, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[attr-defined]

        self._records.write(Event(wall_time=time.time(), **content).SerializeToString())
