"""How commands say what became of an entry: final, or ordered and provisional."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eata_clients.net.receipts import Committed

PROVISIONAL = 3  # exit code: ordered, and not final yet


def standing(done: "Committed") -> dict[str, Any]:
    """The fields of every written entry in JSON."""
    return {
        "index": done.index, "entry": done.entry_hash.hex(), "final": done.final, "signers": done.signers,
        "nodes": done.nodes,
    }  # fmt: skip


def line(done: "Committed", text: str) -> str:
    """For a person; what is provisional says so, and that it is sent again."""
    later = "" if done.final else " It is kept, and sent again with `resend`."
    return f"{text} ({done.standing}.{later})"
