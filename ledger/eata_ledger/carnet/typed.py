"""What a person types or pastes: one list of the dashes and spaces that stand between symbols, whoever reads them.

A separator separates; nothing is read by leaving it out, but where symbols are grouped for the eye alone (codes).
"""

_DASHES = "‐‑‒–—―−－"
_SPACES = "\ufeff\u200b\u2060"  # a byte order mark, zero width


class _Plain(dict[int, str]):
    """For `str.translate`: every dash is “-”, every space, tab or line break “ ”."""

    def __missing__(self, code: int) -> str:
        symbol = chr(code)
        return " " if symbol.isspace() or symbol in _SPACES else "-" if symbol in _DASHES else symbol


_PLAIN = _Plain()


def separated(text: str) -> str:
    """The text with “-” for every dash and “ ” for every other kind of space."""
    return text.translate(_PLAIN)
