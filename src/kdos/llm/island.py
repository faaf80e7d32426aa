"""An event loop on a thread of its own: the only place where anything is asynchronous."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class EventLoopThread:
    """Runs coroutines for callers that know nothing of them; nothing is left after `close`.

    `keeper` is a second thread, for the loop to hand over what would block it.
    """

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.storage_executor = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-keeper")
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def run_coroutine(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for what it gives."""
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def call_soon(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function on the loop, without waiting."""
        self.loop.call_soon_threadsafe(function, *arguments)

    def close(self) -> None:
        """Cancel what still runs and end both threads."""
        if self.loop.is_closed():
            return
        self.run_coroutine(cancel_other_tasks())
        self.call_soon(self.loop.stop)
        self._thread.join()
        self.storage_executor.shutdown()
        self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


async def cancel_other_tasks() -> None:
    """Cancel every other task of the loop and wait until they have ended."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
