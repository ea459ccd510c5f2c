"""The public face without `async`: the same names, for programs that wait for each answer.

    from eata_clients.sync import CustomsDesk, connect

    with connect(network_file, desk_folder) as nodes:
        desk = CustomsDesk.signed_in(desk_folder, nodes)
        scanned = desk.scan(code)

A connection runs its own event loop in a thread of its own; any thread may call.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from eata_clients.authoring.registering import Party
from eata_clients.customs import client as customs
from eata_clients.holder import wallet as holder
from eata_clients.issuer import client as issuing
from eata_clients.net import transport
from eata_clients.opened.parts import Openers
from eata_clients.trust import auditor

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A")


class Nodes:
    """A connection; `close` ends it, a `with` block too."""

    def __init__(self, network: Path, folder: Path | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="eata nodes", daemon=True)
        self._thread.start()
        self.transport = self.run(_opened(network, folder))

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Waits for it, and gives what it gives or raises."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Ends every call."""
        self.run(self.transport.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def _opened(network: Path, folder: Path | None) -> transport.Transport:
    return transport.connect(network, folder)


def connect(network: Path, folder: Path | None = None) -> Nodes:
    """The nodes of a network file; `folder` holds an organisation's TLS key, where it has one. Raises `EataError`."""
    return Nodes(network, folder)


class _Of:
    """One of the async face's objects, and the connection that it works on."""

    def __init__(self, nodes: Nodes, inner: Any) -> None:
        self._nodes, self._inner = nodes, inner


def _waited(method: Callable[Concatenate[A, P], Coroutine[Any, Any, R]]) -> Callable[Concatenate[_Of, P], R]:
    """The same method, waited for."""

    @wraps(method)
    def call(self: _Of, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._nodes.run(method(self._inner, *args, **kwargs))

    return call


def _plain(method: Callable[Concatenate[A, P], R]) -> Callable[Concatenate[_Of, P], R]:
    """The same method, which waits for nothing."""

    @wraps(method)
    def call(self: _Of, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return method(self._inner, *args, **kwargs)

    return call


class CustomsDesk(_Of):
    """`eata_clients.CustomsDesk`."""

    @classmethod
    def signed_in(cls, folder: Path, nodes: Nodes, openers: Openers | None = None) -> Self:
        """The desk whose officer has signed in there. Raises `Fault`."""
        return cls(nodes, customs.CustomsDesk.signed_in(folder, nodes.transport, openers))

    scan = _waited(customs.CustomsDesk.scan)
    verdict = _waited(customs.CustomsDesk.verdict)
    commit = _waited(customs.CustomsDesk.commit)
    reject = _waited(customs.CustomsDesk.reject)
    hold = _waited(customs.CustomsDesk.hold)
    release = _waited(customs.CustomsDesk.release)
    cancel = _waited(customs.CustomsDesk.cancel)
    extend = _waited(customs.CustomsDesk.extend)
    answer = _waited(customs.CustomsDesk.answer)
    sample = _waited(customs.CustomsDesk.sample)
    document = _waited(customs.CustomsDesk.document)
    resend = _waited(customs.CustomsDesk.resend)
    waiting = _plain(customs.CustomsDesk.waiting)


class Wallet(_Of):
    """`eata_clients.Wallet`."""

    def __init__(self, folder: Path, nodes: Nodes) -> None:
        super().__init__(nodes, holder.Wallet(folder, nodes.transport))

    download = _waited(holder.Wallet.download)
    sign = _waited(holder.Wallet.sign)
    show = _waited(holder.Wallet.show)
    travel_to = _waited(holder.Wallet.travel_to)
    travel = _waited(holder.Wallet.travel)
    edit = _waited(holder.Wallet.edit)
    delete = _waited(holder.Wallet.delete)
    renew = _waited(holder.Wallet.renew)
    attach = _waited(holder.Wallet.attach)
    documents = _waited(holder.Wallet.documents)
    document = _waited(holder.Wallet.document)
    resend = _waited(holder.Wallet.resend)
    code = _plain(holder.Wallet.code)


class Issuer(_Of):
    """`eata_clients.Issuer`."""

    def __init__(self, folder: Path, nodes: Nodes, party: Party) -> None:
        super().__init__(nodes, issuing.Issuer(folder, nodes.transport, party))

    issue = _waited(issuing.Issuer.issue)
    issue_many = _waited(issuing.Issuer.issue_many)
    carnet = _waited(issuing.Issuer.carnet)


class Auditor(_Of):
    """`eata_clients.Auditor`."""

    def __init__(self, nodes: Nodes, party: Party) -> None:
        super().__init__(nodes, auditor.Auditor(nodes.transport, party))

    audit = _waited(auditor.Auditor.audit)
