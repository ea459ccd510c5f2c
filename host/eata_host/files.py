"""Files that must survive a crash and be read by their owner only."""

import fcntl
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from eata_ledger.encoding import Malformed

_ABANDONED = 3_600  # seconds


def hold(folder: Path) -> int:
    """Locks a folder for this process; the lock ends with it. Raises `BlockingIOError` if another has it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / "process.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise BlockingIOError(f"another process uses {folder}") from None
    for left in (*folder.glob("*.new"), *folder.glob("*/*.new")):  # by whoever was killed while it wrote
        with suppress(FileNotFoundError):
            if left.stat().st_mtime < time.time() - _ABANDONED:
                left.unlink()
    return descriptor


def read_bounded(path: Path, most: int) -> bytes:
    """A file of at most `most` bytes, however long it is or claims to be. Raises `Malformed`."""
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise Malformed(f"{path.name} is larger than {most:,} bytes")
    return data


def text_of(data: bytes, name: str) -> str:
    """UTF-8, without the mark that some editors put before it. Raises `Malformed`."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Malformed(f"{name} is not text (UTF-8)") from None


def read_text(path: Path, most: int) -> str:
    """A text file of at most `most` bytes. Raises `Malformed`."""
    return text_of(read_bounded(path, most), path.name)


def write_secret(path: Path, *parts: bytes) -> None:
    """The same, readable by its owner only from the first byte on."""
    write_durable(path, *parts, mode=0o600)


def write_durable(path: Path, *parts: bytes, mode: int = 0o644) -> None:
    """The parts as one file, whole and on disk once it returns, also after a power cut: fsync, rename, fsync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")  # its own: another process may write the same file
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Slot:
    """One small file that is replaced whole: durable once `write` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes | None:
        return self._path.read_bytes() if self._path.exists() else None

    def write(self, data: bytes) -> None:
        write_secret(self._path, data)


def write_picture(path: Path, text: str) -> None:
    """A QR as PNG, for its owner's eyes only."""
    import io

    import segno

    picture = io.BytesIO()
    segno.make(text, error="m", micro=False).save(picture, kind="png", scale=8)
    write_secret(path, picture.getvalue())
