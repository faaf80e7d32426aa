"""What is spent and what is in flight, against a budget. Any thread may ask; no I/O."""

from collections.abc import Iterable
from threading import Lock
from time import monotonic

from kdos.llm.engine import Budget
from kdos.llm.reply_store import Spending
from kdos.tasks import Usage

NO_BUDGET = Budget()
NO_USAGE = Usage()


class BudgetMeter:
    """Counts against a budget from `spent` on: every attempt, with the most that those in flight can come to."""

    def __init__(self, budget: Budget, spent: Spending) -> None:
        self.budget = budget
        self.opened_at = monotonic()
        self._spent = spent
        self._lock = Lock()
        self._in_flight: dict[bytes, Usage] = {}
        self._reserved = NO_USAGE

    @property
    def spent(self) -> Spending:
        """Totals so far, of what has ended."""
        return self._spent

    def reserve(self, key: bytes, most: Usage) -> str:
        """Count a request that is to be sent, and can come to `most`; or name the cap that it could pass."""
        with self._lock:
            cap = self._passed_cap(1, most)
            if not cap:
                self._in_flight[key] = most
                self._reserved += most
        return cap

    def settle(self, keys: Iterable[bytes], spent: Spending) -> None:
        """Count what requests came to, in place of the most that they could."""
        with self._lock:
            self._spent += spent
            self._release(keys)

    def release(self, keys: Iterable[bytes]) -> None:
        """Forget requests that will not be sent."""
        with self._lock:
            self._release(keys)

    def charge(self, key: bytes, failed: Spending) -> str:
        """Count an attempt of a request in flight that failed; or name the cap that the next could pass.

        Where there is one the request is in flight no more, so that the others go on.
        """
        with self._lock:
            self._spent += failed
            cap = self._passed_cap(0, NO_USAGE)
            if cap:
                self._release([key])
        return cap

    def _release(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            if most := self._in_flight.pop(key, None):
                self._reserved += Usage(-most.prompt_tokens, -most.completion_tokens, -most.cost_usd)
        if not self._in_flight:
            self._reserved = NO_USAGE  # rounding does not add up

    def _passed_cap(self, calls: int, most: Usage) -> str:
        if self.budget == NO_BUDGET:
            return ""
        spent = self._spent
        usage = Usage(spent.prompt_tokens, spent.completion_tokens, spent.cost_usd) + self._reserved + most
        return self.budget.name_passed_cap(
            calls=spent.calls + len(self._in_flight) + calls, usage=usage, seconds=monotonic() - self.opened_at
        )
