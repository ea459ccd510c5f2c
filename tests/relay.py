"""Relays on loopback that delay or hold back what passes: the network between real processes, without the kernel's help."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from eata_node.config import free_ports


@dataclass
class Relay:
    """One address in front of another. `delay` in seconds each way; `cut`: nothing passes, nothing is closed."""

    target: str
    address: str
    delay: float = 0.0
    cut: bool = False

    async def serve(self) -> asyncio.Server:
        host, _, port = self.address.rpartition(":")
        return await asyncio.start_server(self._joined, host, int(port))

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.target.rpartition(":")
        try:
            there_reader, there_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(self._pass(reader, there_writer), self._pass(there_reader, writer))
        except asyncio.CancelledError:  # what is still held back goes nowhere
            writer.transport.abort()
            there_writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Bytes in order, each as late as the delay was when it came."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)
        sender = asyncio.create_task(self._send(waiting, writer))
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(1 << 16):
                    await waiting.put((loop.time() + self.delay, data))
            await waiting.put((0.0, b""))
            await sender
        finally:
            sender.cancel()

    async def _send(self, waiting: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while True:
                due, data = await waiting.get()
                if not data:
                    break
                if due > loop.time():
                    await asyncio.sleep(due - loop.time())
                while self.cut:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
                writer.write(data)
                await writer.drain()
        writer.close()


@contextmanager
def relayed(targets: Sequence[str], addresses: Sequence[str] = ()) -> Iterator[list[Relay]]:
    """One relay in front of each target, at these addresses or any free ones, in a thread of their own."""
    places = addresses or [f"127.0.0.1:{port}" for port in free_ports(len(targets))]
    relays = [Relay(target, place) for target, place in zip(targets, places, strict=True)]
    loop, ready, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        servers = [await relay.serve() for relay in relays]
        ready.set()
        await ended.wait()
        for server in servers:
            server.close()
        passing = asyncio.all_tasks() - {asyncio.current_task()}
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait()
    try:
        yield relays
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
