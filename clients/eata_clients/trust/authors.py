"""Whose signature an entry must bear before it is opened: its issuer's, or a desk's that its administration certified.

A holder's devices are known to the holder only: what they seal opens under keys that no node has, and what they declare is
signed by the voucher's own key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from eata_ledger.encoding import Malformed
from eata_ledger.log import bodies
from eata_ledger.log.certificate import Certified
from eata_ledger.log.entry import Header
from eata_ledger.log.keys import verify

from eata_clients.net.errors import Untrusted
from eata_clients.trust.registry import Registry

_BY_ISSUER = (bodies.Issue, bodies.Amend, bodies.RotatePin, bodies.ResetHolder, bodies.Shred)


@dataclass
class Authors:
    """The registry as a judge of signatures; `stale` once it has met a desk that it does not know yet.

    `issuer` is the carnet's where one carnet is read, empty in a list of many.
    """

    registry: Registry
    issuer: str = ""
    stale: bool = field(default=False)

    def require(self, header: Header, signatures: Mapping[bytes, bytes]) -> None:
        """Raises `Untrusted` unless the entry's own author signed it."""
        body, own = header.body, self.registry.keys_of(self.issuer)
        certificate: bytes | None = getattr(body, "certificate", None)
        public: bytes | None = None
        if certificate is not None:
            public = self._desk(certificate, getattr(body, "office", None))
        elif isinstance(body, _BY_ISSUER) or header.author in own:
            public = own.get(header.author)
        else:
            return
        if public is None or not verify(public, signatures.get(header.author, b""), header.signed):
            raise Untrusted("an entry is not signed by its author")

    def _desk(self, data: bytes, office: str | None) -> bytes:
        """The key of a desk that a registered authority of its office's administration certified."""
        try:
            presented = Certified.from_bytes(data)
        except Malformed:
            raise Untrusted("a desk's certificate does not read") from None
        certificate = presented.certificate
        administration, authority = self.registry.desk_authority(certificate.authority)
        known = self.registry.offices.get(certificate.office)
        if not authority or known is None:
            self.stale = True
            raise Untrusted("a desk is not known to the registry")
        genuine = presented.genuine(authority) and certificate.ledger == self.registry.genesis.ledger
        if not genuine or known.administration != administration or office not in (None, certificate.office):
            raise Untrusted("a desk is not certified for its office")
        return certificate.key
