"""How commands speak: `--json` or a few plain lines, colour only on a terminal, errors on stderr."""

import json
import sys
from typing import Any

import typer

JSON = typer.Option("--json", help="Print JSON instead of text.")


def say(data: Any, as_json: bool, *lines: str) -> None:
    """One result: JSON, or lines for a person."""
    if as_json:
        typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        for line in lines:
            typer.echo(line)


def readable(value: Any) -> Any:
    """CBOR facts as JSON: bytes in hex."""
    if isinstance(value, bytes):
        return value.hex()
    return [readable(item) for item in value] if isinstance(value, list) else value


def fail(code: str, message: str, advice: str) -> None:
    """One error: JSON on stdout when --json was asked, and a line on stderr."""
    if "--json" in sys.argv:
        typer.echo(json.dumps({"error": {"code": code, "message": message, "advice": advice}}))
    typer.secho(f"{code}: {message} {advice}", fg=typer.colors.RED if sys.stderr.isatty() else None, err=True)


def secret(prompt: str) -> str:
    """A code or PIN from a terminal or from standard input, never from the command line."""
    if sys.stdin.isatty():
        return str(typer.prompt(prompt, hide_input=True))
    return sys.stdin.readline().strip()


def answer(prompt: str) -> str:
    """A line about a person, from a terminal or from standard input, never from the command line."""
    if sys.stdin.isatty():
        return str(typer.prompt(prompt))
    return sys.stdin.readline().strip()
