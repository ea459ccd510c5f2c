"""Relays on loopback that delay or hold back what passes: the network between real processes, without the kernel's help."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Relay:
    """A listening socket in front of an address. `delay` in seconds each way; `cut`: nothing passes, nothing is closed."""

    door: socket.socket
    target: str
    delay: float = 0.0
    cut: bool = False

    @property
    def address(self) -> str:
        host, port = self.door.getsockname()
        return f"{host}:{port}"

    def listen(self) -> None:
        """On the running loop. What was accepted is closed when its task ends, also where that never began."""
        loop = asyncio.get_running_loop()

        def accept() -> None:
            with contextlib.suppress(OSError):  # who called has gone again
                here, _ = self.door.accept()
                loop.create_task(self._joined(here)).add_done_callback(lambda _: here.close())

        self.door.setblocking(False)
        loop.add_reader(self.door, accept)

    async def _joined(self, here: socket.socket) -> None:
        with socket.socket() as there:
            for one in (here, there):
                one.setblocking(False)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                await asyncio.get_running_loop().sock_connect(there, _place(self.target))
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._pass(here, there))
                    both.create_task(self._pass(there, here))
            except* OSError:  # one end broke off: the other is closed too
                pass

    async def _pass(self, one: socket.socket, other: socket.socket) -> None:
        """Bytes in order, each as late as the delay was when it came; the end of them last."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send(waiting, other))
            data = b"-"
            while data:
                data = await loop.sock_recv(one, 1 << 16)
                await waiting.put((loop.time() + self.delay, data))

    async def _send(self, waiting: "asyncio.Queue[tuple[float, bytes]]", other: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        data = b"-"
        while data:
            due, data = await waiting.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            while self.cut:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            await loop.sock_sendall(other, data)
        other.shutdown(socket.SHUT_WR)


def _place(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


async def _serve(relays: Sequence[Relay], ended: asyncio.Event) -> None:
    for relay in relays:
        relay.listen()
    await ended.wait()
    for relay in relays:
        asyncio.get_running_loop().remove_reader(relay.door)
    passing = asyncio.all_tasks() - {asyncio.current_task()}
    for task in passing:
        task.cancel()
    await asyncio.gather(*passing, return_exceptions=True)


@contextmanager
def relayed(targets: Sequence[str], addresses: Sequence[str] = ()) -> Iterator[list[Relay]]:
    """One relay in front of each target, at these addresses or any free ones, in a thread of their own.

    Raises OSError where an address is taken.
    """
    with contextlib.ExitStack() as doors:
        places = [_place(address) for address in addresses or ["127.0.0.1:0"] * len(targets)]
        sockets = [doors.enter_context(socket.create_server(place)) for place in places]
        relays = [Relay(door, target) for door, target in zip(sockets, targets, strict=True)]
        loop, ended = asyncio.new_event_loop(), asyncio.Event()

        def run() -> None:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(_serve(relays, ended))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield relays
        finally:
            loop.call_soon_threadsafe(ended.set)
            thread.join()
