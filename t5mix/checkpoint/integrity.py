"""Whether a checkpoint is whole: checksums, taken when it was written and compared when it is read."""

import zlib
from pathlib import Path

from t5mix.errors import T5MixError
from t5mix.files import read_json

CHECKSUMS = "crc32.json"


class DamagedCheckpointError(T5MixError):
    """A checkpoint whose files are not what was written."""


def verify(path: Path) -> None:
    """Compares a checkpoint's files with the checksums taken when it was written, if it got that far.

    Args:
        path: the checkpoint's folder; the last good one is looked for beside it.

    Raises:
        DamagedCheckpointError: a file is missing or changed.
    """
    problem = _damage(path)
    if problem is None:
        return
    others = [int(entry.name) for entry in path.parent.iterdir() if entry.name.isdigit() and entry.name != path.name]
    good = [step for step in sorted(others, reverse=True) if _damage(path.parent / str(step)) is None]
    advice = (
        f"The last good one is step {good[0]}: delete {path} and start again to continue from there."
        if good
        else f"There is no other in {path.parent}: delete that folder to train from the beginning."
    )
    raise DamagedCheckpointError(f"The checkpoint {path} is damaged: {problem}. {advice}")


def recorded_checksums(path: Path) -> dict[str, int]:
    """Returns what tells a checkpoint from others of the same name: the checksums taken when it was written, or those
    of its files now, if it did not get that far.

    Raises:
        T5MixError: the file that holds them is no JSON.
    """
    file = path / CHECKSUMS
    return read_json(file) if file.exists() else checksums(path)


def _damage(path: Path) -> str | None:
    file = path / CHECKSUMS
    if not file.exists():  # the run was killed after the checkpoint was whole and before its checksums were
        return None
    try:
        recorded = read_json(file)
    except T5MixError:
        return f"{CHECKSUMS} cannot be read"
    actual = checksums(path)
    missing = sorted(recorded.keys() - actual.keys())
    if missing:
        return f"{missing[0]} is missing"
    changed = sorted(name for name in recorded if recorded[name] != actual[name])
    return f"{changed[0]} does not match its checksum" if changed else None


def checksums(path: Path) -> dict[str, int]:
    """Returns the CRC-32 of each file of a checkpoint, by its path in the folder."""
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name != CHECKSUMS)
    return {str(file.relative_to(path)): _crc32(file) for file in files}


def _crc32(file: Path) -> int:
    crc = 0
    with open(file, "rb") as opened:
        while block := opened.read(1 << 24):
            crc = zlib.crc32(block, crc)
    return crc
