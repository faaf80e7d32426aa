"""What a run may spend, and the signal that it is spent."""

from dataclasses import dataclass

from kdos.errors import KdosError
from kdos.tasks import Usage


class BudgetSpentError(KdosError):
    """The next request could pass a cap. Every reply before it was kept and given out.

    The same command with a larger cap goes on where it stopped.
    """


@dataclass(frozen=True, slots=True)
class Budget:
    """Caps; None is no cap. Money in USD, time in seconds since the ledger was opened.

    `calls`, `tokens` and `usd` count everything that the ledger's runs have spent so far. A request
    is sent only if what is spent, what is under way and the most that it can come to stay below.
    """

    calls: int | None = None
    tokens: int | None = None
    usd: float | None = None
    seconds: float | None = None

    @property
    def counts_tokens(self) -> bool:
        """Whether tokens or money are capped."""
        return self.tokens is not None or self.usd is not None

    def name_passed_cap(self, *, calls: int, usage: Usage, seconds: float) -> str:
        """Which cap spending that much would pass, in words; empty if none."""
        tokens = usage.prompt_tokens + usage.completion_tokens
        if self.calls is not None and calls > self.calls:
            return f"{self.calls:,} calls"
        if self.tokens is not None and tokens > self.tokens:
            return f"{self.tokens:,} tokens"
        if self.usd is not None and usage.cost_usd > self.usd:
            return f"{self.usd:,.2f} USD"
        if self.seconds is not None and seconds > self.seconds:
            return f"{self.seconds:,.0f} seconds"
        return ""
