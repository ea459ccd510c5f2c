"""This node's word for what it tells a reader."""

from eata_ledger import told
from eata_ledger.encoding import sha256
from eata_ledger.log.keys import SigningKey
from eata_proto.v1 import ledger_pb2, reading_pb2

from eata_node.writing.sessions import Signers


class Attesting:
    """Signs replies with the statement key; other readers' nodes are compared by the digest alone."""

    def __init__(self, ledger: bytes, key: SigningKey) -> None:
        self._ledger, self._key = ledger, key

    def attested(
        self, reply: reading_pb2.CarnetReply, request: ledger_pb2.SignedRequest, signers: Signers
    ) -> reading_pb2.CarnetReply:
        """The reply with its attestation, or the attestation alone where that was asked for."""
        digest, at = told.digest_of(reply), reply.session
        message = told.to_sign(self._ledger, sha256(signers.message), digest, at.era, at.position)
        if request.digest_only:
            reply = reading_pb2.CarnetReply(session=at)
        reply.attestation.CopyFrom(
            ledger_pb2.Attestation(kid=self._key.id[:8], digest=digest, signature=self._key.sign(message))
        )
        return reply
