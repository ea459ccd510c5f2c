"""The `eata` command: each package that does work adds its own sub-commands (entry points `eata.commands`)."""

import io
import os
import sys
from importlib.metadata import entry_points, version
from typing import Annotated, Any

import typer
import typer.core
from eata_host.console import fail
from eata_host.faults import Fault
from eata_ledger.encoding import Malformed
from eata_ledger.seal.aead import CannotOpen

SECTIONS = (
    ("Holder", ("wallet",)),
    ("Customs officer", ("desk", "customs")),
    ("Issuer", ("issue", "issued", "issuer", "nics")),
    ("Administration", ("opener",)),
    ("Before and after a journey", ("plan", "checklist", "reconcile", "visible", "evidence")),
    ("Auditor and court", ("audit", "receipt", "fetch-receipt", "trust", "prove")),
    ("Everybody, and ICC operations", ("registry", "root")),
    ("Operator", ("init", "admit", "up", "down", "status", "start", "stop", "node-add", "node-keys", "scrub", "backup",
                  "verify-backup", "restore", "era")),
    ("Try it out", ("sandbox", "vectors", "drill")),
)  # fmt: skip


class BySection(typer.core.TyperGroup):
    """Help by who runs a command; what no section names stands last, so that nothing is hidden."""

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the sections."""
        named = [name for _, names in SECTIONS for name in names if name in self.commands]
        return [*named, *sorted(name for name in self.commands if name not in named)]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """A list for each section."""
        left = {name: found for name, found in self.commands.items() if not found.hidden}
        for title, names in (*SECTIONS, ("Others", tuple(left))):
            rows = [(name, left.pop(name).get_short_help_str(60)) for name in names if name in left]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("eata"))
        raise typer.Exit


def build() -> typer.Typer:
    """The whole command, with whatever packages are installed."""
    app = typer.Typer(
        name="eata",
        cls=BySection,
        help="The replicated, end-to-end encrypted ledger behind the digital ATA Carnet.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_version)
    for point in sorted(entry_points(group="eata.commands"), key=lambda p: p.name):
        try:
            register = point.load()
        except ModuleNotFoundError:  # this package's extra is not installed
            continue
        register(app)
    return app


def _version(
    show: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Print the version.")
    ] = False,
) -> None:
    """The replicated, end-to-end encrypted ledger behind the digital ATA Carnet."""


def main() -> None:
    """Errors are one line for a person, or one JSON object with --json; never a stack trace."""
    os.umask(os.umask(0o077) | 0o077)  # what is written here is its owner's
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # what a terminal's own alphabet lacks is shown as such
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its own lines say nothing that our errors do not
    try:
        build()()
    except Fault as error:
        fail(error.code, error.message, error.advice)
    except (Malformed, UnicodeDecodeError, OverflowError) as error:
        fail(getattr(error, "code", "MALFORMED"), f"{error}.", "Correct the input and try again.")
    except CannotOpen as error:
        fail("CANNOT_OPEN", f"{error}.", "Use the right key, or another node.")
    except OSError as error:
        fail("FILE", f"{error.strerror or error}: {error.filename or ''}".strip(": ") + ".", "Check the path.")
    except Exception as error:
        fail(
            "INTERNAL", f"The command failed ({type(error).__name__}).", "Check its input; report it if that is right."
        )
    sys.exit(1)
