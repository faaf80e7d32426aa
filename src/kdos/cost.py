"""What samples cost: what was spent so far, what one more sample takes, and what is to come."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_DECIMALS = 8
"""Of an amount of money; two significant digits are shown as far as these go."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Calls, tokens, USD and seconds of some samples or of a run; None where nothing says."""

    calls: float = 0.0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    usd: float | None = None
    seconds: float | None = None

    @property
    def tokens(self) -> float:
        """Tokens of prompts and replies together."""
        return self.prompt_tokens + self.completion_tokens

    def times(self, factor: float) -> "Cost":
        """So many times of it; a share of it where the factor is less than 1."""
        usd = None if self.usd is None else factor * self.usd
        seconds = None if self.seconds is None else factor * self.seconds
        return Cost(factor * self.calls, factor * self.prompt_tokens, factor * self.completion_tokens, usd, seconds)

    def since(self, before: "Cost", *, seconds: float) -> "Cost":
        """What was spent since an earlier look, in so many seconds."""
        return Cost(
            calls=self.calls - before.calls,
            prompt_tokens=self.prompt_tokens - before.prompt_tokens,
            completion_tokens=self.completion_tokens - before.completion_tokens,
            usd=None if self.usd is None or before.usd is None else self.usd - before.usd,
            seconds=seconds,
        )


@dataclass(frozen=True, slots=True)
class CostOutlook:
    """A run under way, by the parts of its loop.

    `spent` is all so far, seeds and extraction included; `a_sample` what the loop spent for each sample, None before
    the first; `to_come` what the picks that still seem to be needed will take, at the rate so far; None where no pick
    is decided yet.
    """

    spent: Cost
    a_sample: Cost | None = None
    to_come: Cost | None = None


def look_at_costs(parts: Sequence[Mapping[str, Any]]) -> CostOutlook | None:
    """What the facts of a loop's parts so far say; None without a part, or where an older kdos wrote them.

    A part has `spent`, what the run had spent at its end, and `picks` and `seconds` of its own; the first one has
    `spent_before` it. `samples` are those held, `needed` the picks that still seem to be needed.
    """
    if not parts or "spent_before" not in parts[0]:
        return None
    spent = Cost(**parts[-1]["spent"])
    return CostOutlook(spent, cost_a_sample(parts, spent), _cost_to_come(parts, spent))


def _cost_to_come(parts: Sequence[Mapping[str, Any]], spent: Cost) -> Cost:
    # From the end of the first part on, where there are others: what was in flight then was paid for and not decided,
    # and about as much is now.
    before, later = (parts[0]["spent"], parts[1:]) if len(parts) > 1 else (parts[0]["spent_before"], parts)
    seconds, picks = (sum(facts[name] for facts in later) for name in ("seconds", "picks"))
    return spent.since(Cost(**before), seconds=seconds).times(parts[-1]["needed"] / picks)


def cost_a_sample(parts: Sequence[Mapping[str, Any]], spent: Cost) -> Cost | None:
    """What the loop spent for each sample, where the run has `spent` so much in all; None where nothing says."""
    if not parts or "spent_before" not in parts[0] or not parts[-1]["samples"]:
        return None
    loop = spent.since(Cost(**parts[0]["spent_before"]), seconds=sum(facts["seconds"] for facts in parts))
    return loop.times(1 / parts[-1]["samples"])


def describe_costs(outlook: CostOutlook, *, spent: bool = True) -> str:
    """An outlook in words; what is not known, and money and tokens of what has none, are left out."""
    told: list[str] = []
    if outlook.a_sample and (amounts := name_amounts(outlook.a_sample)):
        told.append(f"{' and '.join(amounts)} a sample")
    if spent and (amounts := name_amounts(outlook.spent)):
        told.append(f"{' and '.join(amounts)} spent")
    if outlook.to_come and (amounts := name_amounts(outlook.to_come, timed=True)):
        told.append(f"about {', '.join(amounts)} to come")
    return "; ".join(told)


def name_amounts(cost: Cost, *, timed: bool = False) -> list[str]:
    """The tokens and the money of a cost, where there are any, and the time."""
    amounts = [format_tokens(cost.tokens)] if cost.tokens else []
    if cost.tokens and cost.usd is not None:
        amounts.append(f"{format_usd(cost.usd)} USD")
    if timed and cost.seconds is not None:
        amounts.append(format_duration(cost.seconds))
    return amounts


def format_tokens(tokens: float) -> str:
    """So many tokens in words, millions as such."""
    return f"{tokens:,.0f} tokens" if tokens < 1_000_000 else f"{tokens / 1_000_000:,.1f} million tokens"


def format_usd(usd: float) -> str:
    """An amount in cents, a small one to two significant digits."""
    digits = 1 - math.floor(math.log10(usd)) if usd > 0 else 0
    return f"{usd:,.{min(max(digits, 2), MOST_DECIMALS)}f}"


def format_duration(seconds: float) -> str:
    """So many seconds in hours or minutes, or as they are where they are few."""
    if seconds >= 3600:
        return f"{seconds / 3600:,.1f} hours"
    return f"{math.ceil(seconds / 60)} minutes" if seconds >= 120 else f"{math.ceil(seconds)} seconds"
