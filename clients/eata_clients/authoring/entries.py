"""The common frame of every entry."""

import os

from eata_ledger.log.bodies import Body
from eata_ledger.log.entry import Entry, Header, Part, build
from eata_ledger.log.keys import SigningKey

from eata_clients.authoring.content import Stamp


def make(
    ledger: bytes,
    body: Body,
    stamp: Stamp,
    signers: tuple[SigningKey, ...],
    parts: tuple[Part, ...] = (),
    request_id: bytes | None = None,
) -> Entry:
    """A signed entry; the first signer is its author."""
    header = Header(
        ledger, signers[0].id, request_id or os.urandom(16), stamp.time + stamp.life, stamp.time, stamp.offset,
        tuple(part.info for part in parts), body,
    )  # fmt: skip
    return build(header, parts, signers)
