"""How commands speak: `--json` or a few plain lines, colour only on a terminal, errors on stderr."""

import json
import sys
from typing import Any

import typer
from eata_ledger.encoding import Malformed

from eata_host.files import text_of
from eata_host.words import shown, unseen, written

_LONGEST_LINE = 65_536  # bytes
JSON = typer.Option("--json", help="Print JSON instead of text.")


def say(data: Any, as_json: bool, *lines: str) -> None:
    """One result: JSON, or lines for a person. What somebody else wrote makes no line of its own, and moves no cursor."""
    if as_json:
        typer.echo(as_text(data))
    else:
        for line in lines:
            typer.echo(shown(line))


def as_text(data: Any) -> str:
    """JSON that a terminal shows as it is: what cannot be seen stands as an escape."""
    plain = json.dumps(data, indent=2, ensure_ascii=False)
    return "".join(json.dumps(c)[1:-1] if unseen(c) and c != "\n" else c for c in plain)


def fail(code: str, message: str, advice: str) -> None:
    """One error: JSON on stdout when --json was asked, and a line on stderr."""
    if "--json" in sys.argv:
        typer.echo(json.dumps({"error": {"code": code, "message": message, "advice": advice}}))
    typer.secho(shown(f"{code}: {message} {advice}"), fg=typer.colors.RED if sys.stderr.isatty() else None, err=True)


def secret(prompt: str) -> str:
    """A code or PIN from a terminal or from standard input, never from the command line. Raises `Malformed`."""
    if at_terminal():
        return str(typer.prompt(prompt, hide_input=True))
    return typed_line()


def answer(prompt: str) -> str:
    """A line about a person, from a terminal or from standard input, never from the command line. Raises `Malformed`."""
    if at_terminal():
        return written(str(typer.prompt(prompt)).strip())
    return written(typed_line())


def at_terminal() -> bool:
    """Somebody may be asked. False where standard input is closed."""
    return sys.stdin is not None and sys.stdin.isatty()


def typed_line() -> str:
    """The next line of standard input, without what surrounds it; empty at its end, or where it is closed. Raises `Malformed`."""
    data = b"" if sys.stdin is None else sys.stdin.buffer.readline(_LONGEST_LINE)
    if len(data) == _LONGEST_LINE:
        raise Malformed("the line is too long")
    return text_of(data, "standard input").strip()
