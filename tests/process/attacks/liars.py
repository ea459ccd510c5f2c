"""Proxies in the attacker's hands: their own keys, their own peers, and whatever they like to answer."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from eata_ledger import told
from eata_ledger.encoding import Value, sha256
from eata_ledger.log.keys import SigningKey
from eata_ledger.outcomes import Outcome
from eata_ledger.proof.statement import Claim, Standing, Statement, to_sign
from eata_ledger.wire import entry_from_proto
from eata_node.ground.config import NodeKeys
from eata_node.process.server import Proxy
from eata_node.rpc.errors import ApiError, refusal
from eata_node.writing.receipts import Receipt
from eata_proto.v1 import ledger_pb2, reading_pb2

from tests.mesh import Mesh

Change = Callable[[reading_pb2.CarnetReply], None]


class Liars:
    """Some of a mesh's proxies, which collude: each signs what any of them invents."""

    def __init__(self, mesh: Mesh, names: Sequence[str]) -> None:
        self.mesh, self.names = mesh, names
        self.proxies: dict[str, Proxy] = {name: mesh.proxies[name] for name in names}
        self.keys: dict[str, SigningKey] = {
            name: NodeKeys.read(mesh.home / "nodes" / name).statement for name in names
        }  # fmt: skip
        self.dropped: list[bytes] = []
        self._receipts: dict[int, Receipt] = {}
        self._outcome = Outcome.ACCEPTED

    # -- commits

    def drop_commits(self, outcome: Outcome = Outcome.ACCEPTED) -> None:
        """They answer as if they had ordered it, with such an outcome and the signatures of all liars, and forget it."""
        self._outcome = outcome
        for proxy in self.proxies.values():
            assert proxy.node.submitting is not None
            proxy.node.submitting.submit = self._dropped_by(proxy)  # type: ignore[method-assign,assignment]
            proxy.node.submitting.many = self._many_dropped_by(proxy)  # type: ignore[method-assign]
            proxy.node.receipts.merged = self._merged  # type: ignore[method-assign]

    def refuse_commits(self, outcome: Outcome) -> None:
        """They say that the rules refuse whatever comes."""

        def refuses(error: ApiError) -> Any:
            async def submit(request: Any, pay: Any) -> Any:
                raise error

            async def many(request: Any, pay: Any, before: Any, refused: Callable[[ApiError], bytes]) -> Any:
                answers = [ledger_pb2.Answer(refused=refused(error)) for _ in request.entries]
                return ledger_pb2.SubmitManyReply(answers=answers)

            return submit, many

        for proxy in self.proxies.values():
            assert proxy.node.submitting is not None
            submit, many = refuses(refusal(outcome, final=True, index=1))
            proxy.node.submitting.submit, proxy.node.submitting.many = submit, many  # type: ignore[method-assign]

    def _dropped_by(self, proxy: Proxy) -> Callable[[ledger_pb2.SubmitRequest, Any], Any]:
        async def submit(request: ledger_pb2.SubmitRequest, pay: Any) -> ledger_pb2.SubmitReply:
            return self._lie(proxy, request.entry)

        return submit

    def _many_dropped_by(self, proxy: Proxy) -> Callable[..., Any]:
        async def many(
            request: ledger_pb2.SubmitManyRequest, pay: Any, before: Any, refused: Any
        ) -> ledger_pb2.SubmitManyReply:  # fmt: skip
            answers = [ledger_pb2.Answer(reply=self._lie(proxy, entry)) for entry in request.entries]
            return ledger_pb2.SubmitManyReply(answers=answers)

        return many

    def _lie(self, proxy: Proxy, message: ledger_pb2.Entry) -> ledger_pb2.SubmitReply:
        """A statement of an index that the log has not reached, signed by every liar."""
        entry, replica = entry_from_proto(message), proxy.node.replica
        self.dropped.append(entry.hash)
        index = replica.state.size
        facts: Value = [int(entry.header.body.TYPE), "invented"]
        claim = Claim(
            replica.genesis.ledger[:8], replica.state.era, index, replica.state.log_time, entry.hash, 1,
            int(self._outcome), facts, os.urandom(32), index, Standing.LIVE,
        )  # fmt: skip
        self._receipts[index] = Receipt(self.signed(claim), {})
        return ledger_pb2.SubmitReply(
            index=index, statement=self.signed(claim).to_bytes(),
            session=ledger_pb2.Session(era=replica.state.era, position=replica.position),
        )  # fmt: skip

    def signed(self, claim: Claim) -> Statement:
        payload, statement = claim.to_bytes(), Statement(claim.to_bytes(), ())
        for key in self.keys.values():
            statement = statement.merged(key.id[:8], key.sign(to_sign(payload, key.id[:8])))
        return statement

    async def _merged(self, index: int, wanted: int) -> Receipt:
        return self._receipts[index]

    # -- what they tell

    def tell(self, change: Change) -> None:
        """They change what they tell of a carnet, and sign that."""
        for name, proxy in self.proxies.items():
            proxy._attesting.attested = self._changed(name, change)  # type: ignore[method-assign]

    def _changed(self, name: str, change: Change) -> Callable[..., reading_pb2.CarnetReply]:
        key, ledger = self.keys[name], self.mesh.genesis.ledger

        def attested(reply: reading_pb2.CarnetReply, request: ledger_pb2.SignedRequest, signers: Any) -> Any:
            change(reply)
            digest, at = told.digest_of(reply), reply.session
            message = told.to_sign(ledger, sha256(signers.message), digest, at.era, at.position)
            if request.digest_only:
                reply = reading_pb2.CarnetReply(session=at)
            reply.attestation.CopyFrom(
                ledger_pb2.Attestation(kid=key.id[:8], digest=digest, signature=key.sign(message))
            )
            return reply

        return attested
