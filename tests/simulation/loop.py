"""Time that only passes when nobody has anything to do: an event loop without a clock, threads or sockets.

Tasks belong to simulated processes: what a process has started dies with it, wherever it waits.
"""

import asyncio
import contextvars
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

_DISK_SECONDS = 0.0005


@dataclass(eq=False)
class Process:
    """A simulated process: alive until it is killed, and the tasks that are its own, in the order they began."""

    name: str
    alive: bool = True
    tasks: dict[asyncio.Task[Any], None] = field(default_factory=dict)

    def kill(self) -> None:
        """Nothing of it runs any more but what Python does to unwind; disks and wires ignore a dead process."""
        self.alive = False
        for task in list(self.tasks):
            task.cancel()


RUNNING: contextvars.ContextVar[Process | None] = contextvars.ContextVar("RUNNING", default=None)


class _Instant(selectors.SelectSelector):
    """Waiting takes no time: the loop's clock jumps to when the next timer is due."""

    loop: "Loop"

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everything waits for everything: the simulation is stuck")
        if timeout > 0:
            self.loop.skip(timeout)
        return []


class Loop(asyncio.SelectorEventLoop):
    """Deterministic: the same tasks run in the same order at the same simulated times."""

    def __init__(self) -> None:
        self._now = 0.0
        selector = _Instant()
        super().__init__(selector)
        selector.loop = self
        self.set_task_factory(_owned)

    def time(self) -> float:
        return self._now

    def skip(self, seconds: float) -> None:
        timers = self._scheduled  # type: ignore[attr-defined]
        due: float | None = timers[0].when() if timers else None
        self._now = max(due, self._now) if due is not None else self._now + seconds

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        """A thread's work happens at one instant, a little later; not at all if its process has died."""
        owner, done = RUNNING.get(), self.create_future()

        def work() -> None:
            if done.cancelled() or (owner is not None and not owner.alive):
                done.cancel()
                return
            try:
                done.set_result(func(*args))
            except BaseException as error:
                done.set_exception(error)

        self.call_later(_DISK_SECONDS, work)
        return done


def _owned(loop: asyncio.AbstractEventLoop, coroutine: Any, **more: Any) -> Any:
    task = asyncio.Task(coroutine, loop=loop, **more)
    owner = RUNNING.get()
    if owner is not None:
        owner.tasks[task] = None
        task.add_done_callback(lambda gone: owner.tasks.pop(gone, None))
        if not owner.alive:
            task.cancel()
    return task


def spawn(owner: Process, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    """Starts work that belongs to a process."""
    context = contextvars.copy_context()
    context.run(RUNNING.set, owner)
    return context.run(asyncio.get_running_loop().create_task, work)
