"""QR texts: what codes, PINs and receipts look like to a scanner. Binary is base45 (RFC 9285)."""

from dataclasses import dataclass

from eata_ledger.encoding import Malformed
from eata_ledger.seal.codes import Code, CodeKind, WrongCode

_SYMBOLS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
RECEIPT = "EATA1:R:"
_VALUE = {symbol: value for value, symbol in enumerate(_SYMBOLS)}


def base45(data: bytes) -> str:
    out = []
    for at in range(0, len(data), 2):
        chunk = data[at : at + 2]
        value = int.from_bytes(chunk, "big")
        for _ in range(len(chunk) + 1):
            value, symbol = divmod(value, 45)
            out.append(_SYMBOLS[symbol])
    return "".join(out)


def from_base45(text: str) -> bytes:
    """Raises `Malformed`."""
    out = bytearray()
    for at in range(0, len(text), 3):
        chunk = text[at : at + 3]
        size = len(chunk) - 1
        if size == 0 or any(symbol not in _VALUE for symbol in chunk):
            raise Malformed("not base45")
        value = sum(_VALUE[symbol] * 45**n for n, symbol in enumerate(chunk))
        if value >= 256**size:
            raise Malformed("not base45")
        out += value.to_bytes(size, "big")
    return bytes(out)


@dataclass(frozen=True)
class CodeQr:
    """A voucher or PIN as scanned: a carnet ID or number, and the code."""

    carnet: str
    code: Code

    @property
    def text(self) -> str:
        return f"EATA1:{self.code.kind.value}:{self.carnet}:{self.code.text}"


def read_code(text: str, kind: CodeKind) -> CodeQr:
    """Reads `EATA1:T:768259:PNH4CHCP4W45G`, or “ID code” as typed. Raises `Malformed`."""
    plain = text.strip()
    pieces = plain.split(":") if plain.upper().startswith("EATA1:") else ["EATA1", kind.value, *plain.split(maxsplit=1)]
    if len(pieces) != 4 or not pieces[2]:
        raise Malformed("give the QR text, or the carnet ID or number and the code")
    if pieces[1].upper() != kind.value:
        raise Malformed(f"this QR is of kind {pieces[1][:1]}, a {kind.name.lower()} code is needed here")
    try:
        return CodeQr(pieces[2].strip(), Code.read(kind, pieces[3]))
    except WrongCode as error:
        raise Malformed(str(error)) from None


def receipt_text(statement: bytes) -> str:
    return RECEIPT + base45(statement)


def read_receipt(text: str) -> bytes:
    """The statement bytes of a receipt QR. Raises `Malformed`."""
    prefix, body = text[:8], text[8:]
    if prefix != RECEIPT:
        raise Malformed("this QR is no receipt")
    return from_base45(body)
