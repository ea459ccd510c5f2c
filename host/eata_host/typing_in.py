"""What is typed, line by line, read by the loop itself so that Ctrl-C ends it at once."""

import asyncio
import os
import stat
import sys
import termios
from codecs import BOM_UTF8

from eata_ledger.encoding import Malformed

from eata_host.console import at_terminal

_LONGEST, _MOST = 65_536, 1 << 24  # bytes of a line, and of a file of lines
_AFTER_A_SCAN = 0.05  # s: the rest of what a scanner sends in one go


class TypedLines(asyncio.Protocol):
    """A terminal's or a pipe's lines. At a terminal, what was typed before a prompt was shown is no answer to it."""

    def __init__(self) -> None:
        self._text, self._ended, self._more = bytearray(), False, asyncio.Event()
        self._terminal = at_terminal()

    @classmethod
    async def standard(cls) -> "TypedLines":
        """Of standard input."""
        made = cls()
        mode = 0 if sys.stdin is None else os.fstat(sys.stdin.fileno()).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or made._terminal:
            await asyncio.get_running_loop().connect_read_pipe(lambda: made, sys.stdin)
        else:  # a file; a device that ends at once; closed
            made.data_received(b"" if sys.stdin is None else sys.stdin.buffer.read(_MOST))
            made.eof_received()
        return made

    def data_received(self, data: bytes) -> None:
        self._text += data
        self._more.set()

    def eof_received(self) -> None:
        self._ended = True
        self._more.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.eof_received()

    async def fresh(self) -> None:
        """Forgets what was typed ahead: a scanner's own line end answers no question."""
        if self._terminal:
            await asyncio.sleep(_AFTER_A_SCAN)
            termios.tcflush(sys.stdin, termios.TCIFLUSH)
            self._text.clear()

    async def line(self) -> str:
        """The next line without its end. Raises `EOFError` at the end, `Malformed` for one that is too long."""
        while b"\n" not in self._text and not self._ended:
            if len(self._text) > _LONGEST:
                del self._text[_LONGEST:]  # the rest of it is as little a line
            self._more.clear()
            await self._more.wait()
        if not self._text:
            raise EOFError
        line, _, rest = self._text.partition(b"\n")
        self._text = bytearray(rest)
        if len(line) >= _LONGEST:
            raise Malformed("the line is too long")
        return line.removeprefix(BOM_UTF8).decode(errors="replace").rstrip("\r")
