"""The ledger: every reply is kept before anyone uses it.

It is cache and checkpoint at once: a request that was answered before, in this run or an earlier
one, is answered from it and never paid for again. Inputs and replies are kept as plain text, each
prompt once (compressing them would save two fifths of the file and take three times as long as
writing them). One process at a time uses a run's ledger; many may share a cache.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from kdos.llm.accounts import Accounts
from kdos.llm.asking import Asking
from kdos.llm.book import Spending
from kdos.llm.budget import Budget
from kdos.llm.engine import Engine
from kdos.tasks import Reply, Request


class Ledger:
    """An open ledger; `Path(":memory:")` keeps it in memory only.

    `cache` is a second file that several runs share: what it holds is not asked again, and what
    this run asks is put into it.
    """

    def __init__(
        self, path: Path, *, cache: Path | None = None, budget: Budget | None = None
    ) -> None:
        self.path = path
        self._accounts = Accounts(path, shared=cache, budget=budget or Budget())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; everything that was yielded is in it."""
        self._accounts.close()

    @property
    def spending(self) -> Spending:
        """Totals so far."""
        return self._accounts.spending

    def ask(self, engine: Engine, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, in the order in which they are ready.

        What was answered before comes from the file; every new reply is committed before it is
        yielded; identical requests are asked once. Requests are drawn as the engine has room. A
        remote engine's reply that was cut off, or does not fit its prompt's schema, is asked for
        once more; see `asking.py`.

        Raises:
            BudgetSpentError: A cap of the budget is reached, after all replies so far were yielded.
            EngineError: The engine cannot work at all.
            StoreError: A reply could not be kept.
        """
        return Asking(self._accounts, engine, iter(requests)).replies()
