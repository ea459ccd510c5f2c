"""What can go wrong for a client, as a person reads it.

EataError: code, one sentence, what to do next, whether it is final
 ├─ Unreachable: no node answered
 ├─ Outdated: this program is older than the rules in force
 └─ Untrusted: an answer does not verify; nothing of it is used
"""

from typing import Self

import grpc
import grpc.aio
from eata_host.faults import Fault
from eata_ledger.outcomes import Outcome, sentence
from eata_ledger.wording import Audience, words
from eata_proto import errors


class EataError(Fault):
    """A coded refusal. `final` is true only where the log holds it."""

    def __init__(self, code: str, message: str, advice: str, final: bool = False, retryable: bool = False) -> None:
        super().__init__(code, message, advice)
        self.final, self.retryable = final, retryable
        self.node = ""  # who said so
        self.alone = True  # no other node was asked with the same bytes before or beside
        self.confirmed = False  # so many nodes have said it that an honest one is among them

    @property
    def by_rules(self) -> bool:
        """True for what the rules say, logged or not; False for what lies with the request or the node."""
        return self.code in Outcome.__members__ and not self.retryable

    def told_to(self, reader: Audience) -> Self:
        """The same refusal in words for whoever reads it; what a node has added of its own stays."""
        outcome = Outcome.__members__.get(self.code)
        if outcome is not None and self.message == sentence(outcome):
            self.message, self.advice = words(outcome, reader)
        return self

    @property
    def settled(self) -> bool:
        """True for a confirmed refusal, logged or with no other attempt: else, or once its time has come, it may still be logged."""
        waits = self.code == Outcome.EVENT_AHEAD.name
        return self.confirmed and self.by_rules and not waits and (self.final or self.alone)


class Unreachable(EataError):
    """No node answered in time."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(
            "UNREACHABLE", f"No node answered{detail}.", "Check the network and try again.", retryable=True
        )


class Outdated(EataError):
    """The nodes follow rules that this program does not know yet."""

    def __init__(self, what: str) -> None:
        super().__init__("CLIENT_OUTDATED", f"This program is older than the ledger's rules ({what}).", "Update it.")


class Untrusted(EataError):
    """An answer that does not verify."""

    def __init__(self, why: str) -> None:
        super().__init__("UNTRUSTED", f"The answer does not verify: {why}.", "Use another node and tell the operators.")


_RETRYABLE = {
    grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.RESOURCE_EXHAUSTED,
}  # fmt: skip


OWN_CLOCK = "OWN_CLOCK_WRONG"  # the code; CLOCK_WRONG is a node's
_OF_THE_CLOCK = ("certificate is not yet valid", "certificate has expired")
_CLOCK = (
    "By this computer's clock a node's certificate is not valid now: the clock is wrong, or the certificate is old."
)


def from_rpc(error: grpc.aio.AioRpcError) -> EataError:
    """The coded error inside a gRPC status; plain statuses get their name as code."""
    return _read(error.code(), errors.from_rpc(error), error.details())


def from_answer(refused: bytes) -> EataError:
    """The coded error inside an answer that came among others."""
    return _read(*errors.from_bytes(refused))


def _read(status: grpc.StatusCode, coded: errors.WireError | None, reason: str | None = None) -> EataError:
    retryable = status in _RETRYABLE
    if coded is None and reason is not None and any(sign in reason for sign in _OF_THE_CLOCK):
        return EataError(OWN_CLOCK, _CLOCK, "Set this computer's clock right, then try again.", False, retryable)
    if coded is not None:
        final = coded.details.get("final") == "true"
        return EataError(coded.code, coded.message, coded.details.get("advice", ""), final, retryable)
    advice = "Try again." if retryable else "Check the request."
    return EataError(status.name, reason or "The node gave no reason.", advice, False, retryable)
