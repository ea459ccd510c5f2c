"""The officer's screen: a line out, a line in, and what must be told in between."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from eata_host.faults import Fault
from eata_host.words import shown, written
from eata_ledger.encoding import Malformed
from rich.console import Console, RenderableType
from rich.text import Text

from eata_clients.authoring.content import MOST_CHARACTERS

Ask = Callable[[str], Awaitable[str]]


@dataclass
class Screen:
    """`ask` shows a prompt and gives the line that was typed or scanned; raises `EOFError` at the end of input."""

    console: Console
    ask: Ask
    alerts: list[str] = field(default_factory=list)  # told before the next prompt
    _prompt: str = ""

    def say(self, text: str, style: str = "") -> None:
        """One line; nothing that anybody wrote is markup, a control or a line of its own."""
        self.console.print(Text(shown(text), style=style), soft_wrap=True)

    def show(self, what: RenderableType) -> None:
        self.console.print(what)

    def failed(self, error: Fault | Malformed) -> None:
        said = f"{error.code}: {error.message} {error.advice}" if isinstance(error, Fault) else f"{error}."
        self.say(f"■ {said}", "bold red")

    def interrupt(self, text: str, style: str) -> None:
        """At once, whatever is being typed; the prompt again below."""
        self.console.print()
        self.say(text, style)
        self.console.print(self._prompt, end="", markup=False)

    async def line(self, prompt: str) -> str:
        """What is typed, without the spaces around it."""
        self._prompt = prompt
        while self.alerts:
            self.say(f"! {self.alerts.pop(0)}", "bold yellow")
        return (await self.ask(prompt)).strip()

    async def reason(self, prompt: str) -> str | None:
        """What must be typed; None for q, which goes back."""
        while (text := await self.line(prompt)).lower() != "q":
            try:
                if text and len(text) <= MOST_CHARACTERS:
                    return written(text)
                self.say(f"At most {MOST_CHARACTERS:,} characters." if text else "A reason is needed; q goes back.")
            except Malformed as error:
                self.failed(error)
        return None

    @property
    def page(self) -> int:
        """Lines of a list that fit."""
        return max(self.console.size.height - 8, 15)
