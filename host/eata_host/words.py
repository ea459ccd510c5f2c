"""Text that people wrote: checked where it is made, and harmless wherever it is shown.

What cannot be seen may say something else than what is read: controls, bidirectional overrides, characters that do not
exist. They are refused where content is made, and shown as what they are where somebody else has made it.
"""

import unicodedata

from eata_ledger.encoding import Malformed

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")  # Persian, Malayalam and others are not written without them


def unseen(character: str) -> bool:
    """A control, a direction mark, a tag, a line separator, or no character at all."""
    return unicodedata.category(character) in _UNSEEN and character not in _JOINERS


def written(text: str, lines: bool = False) -> str:
    """As it is sealed: composed (NFC), with nothing in it that cannot be seen. Raises `Malformed`.

    `lines`: line breaks and tabs are text there.
    """
    for place, character in enumerate(text, 1):
        if unseen(character) and not (lines and character in "\n\t"):
            raise Malformed(f"character {place} of a text cannot be written (U+{ord(character):04X})")
    return unicodedata.normalize("NFC", text)


def shown(text: str) -> str:
    """As it is printed, on one line: what cannot be seen is named instead."""
    return "".join(f"⟨U+{ord(character):04X}⟩" if unseen(character) else character for character in text)
