import json
import struct
from pathlib import Path

import pytest

from t5mix.tracking.metrics_file import MetricsFile, read_lines
from t5mix.tracking.tensorboard import TensorBoard
from t5mix.tracking.training_progress import TrainingProgress


def write_steps(path: Path, steps: list[int], first: int = 0) -> None:
    file = MetricsFile(path, first)
    for step in steps:
        file.write({"kind": "train", "step": step, "loss": 1 / step})
    file.flush()
    file.close()


def test_lines_come_back(tmp_path: Path):
    write_steps(tmp_path / "m.jsonl", [1, 2, 3])
    assert [line["step"] for line in read_lines(tmp_path / "m.jsonl")] == [1, 2, 3]
    assert [line["loss"] for line in read_lines(tmp_path / "m.jsonl")] == [1, 1 / 2, 1 / 3]
    assert list(read_lines(tmp_path / "none.jsonl")) == []


def test_steps_to_be_taken_again_are_dropped(tmp_path: Path):
    write_steps(tmp_path / "m.jsonl", [2, 4, 6, 8])
    write_steps(tmp_path / "m.jsonl", [6, 8, 10], first=5)
    assert [line["step"] for line in read_lines(tmp_path / "m.jsonl")] == [2, 4, 6, 8, 10]
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.jsonl"]


@pytest.mark.parametrize("torn", ['{"kind": "train", "st', "{", "\x00\x00\x00"])
def test_a_torn_last_line_is_dropped(tmp_path: Path, torn: str):
    write_steps(tmp_path / "m.jsonl", [2, 4])
    with open(tmp_path / "m.jsonl", "a", encoding="utf-8") as file:
        file.write(torn)
    assert [line["step"] for line in read_lines(tmp_path / "m.jsonl")] == [2, 4]
    write_steps(tmp_path / "m.jsonl", [6], first=4)
    text = (tmp_path / "m.jsonl").read_text("utf-8")
    assert [json.loads(line)["step"] for line in text.splitlines()] == [2, 4, 6]


def test_a_line_is_there_as_soon_as_it_is_written(tmp_path: Path):
    file = MetricsFile(tmp_path / "m.jsonl", 0)
    file.write({"step": 1})
    assert list(read_lines(tmp_path / "m.jsonl")) == [{"step": 1}]
    file.close()


def masked_crc(data: bytes) -> int:
    """The CRC-32C of TFRecord files, by its definition (reflected polynomial 0x82F63B78)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path: Path) -> list[bytes]:
    content, found, at = path.read_bytes(), [], 0
    while at < len(content):
        header = content[at : at + 8]
        (length,) = struct.unpack("<Q", header)
        data = content[at + 12 : at + 12 + length]
        assert struct.unpack("<I", content[at + 8 : at + 12]) == (masked_crc(header),)
        assert struct.unpack("<I", content[at + 12 + length : at + 16 + length]) == (masked_crc(data),)
        found.append(data)
        at += 16 + length
    return found


def test_tensorboard_can_read_its_file(tmp_path: Path):
    from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[attr-defined]

    board = TensorBoard(tmp_path / "tb")
    board.write(20, {"loss": 2.5, "loss/copy": 3.0})
    board.write(40, {"loss": 1.5})
    (file,) = (tmp_path / "tb").iterdir()
    events = [Event.FromString(record) for record in records(file)]  # readable before it is closed
    board.close()
    assert "tfevents" in file.name
    assert events[0].file_version == "brain.Event:2"
    found = [(event.step, value.tag, value.simple_value) for event in events[1:] for value in event.summary.value]
    assert found == [(20, "loss", 2.5), (20, "loss/copy", 3.0), (40, "loss", 1.5)]
    assert all(event.wall_time > 0 for event in events)


def test_without_a_terminal_lines_are_printed(capsys: pytest.CaptureFixture[str]):
    display = TrainingProgress(steps=100, done=0)
    display.advance(10)
    display.log_metrics(20, 3.14159, 12345.6, 3725.0)
    display.info("[Continuing] after")
    display.close()
    error = capsys.readouterr().err
    assert "step 20/100  loss 3.1416  12,346 tokens/s  1:02:05 left" in error
    assert "[Continuing] after" in error
