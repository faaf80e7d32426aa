"""How many requests may be under way, from how the server bears them. No clock, no I/O: `now`.

Additive increase, multiplicative decrease, in epochs of about one window of replies: a server that
turns away more than a few requests gets fewer, one that answers gets one more at a time up to the
most we may have. Single refusals are noise (their own request waits, the others go on). Latency is
read beside it: where it has doubled and less gets done than before, more in flight only queues.
"""

from dataclasses import dataclass, field
from statistics import median

from kdos.llm.wire import Allowance

CROWDED = 0.2  # share of an epoch's requests turned away from which the server is full: our choice
DECREASE = 0.7
QUEUEING = 2.0  # times the lowest latency
COLLAPSE = 0.7  # of the best throughput
EPOCH_LEAST = 16  # replies
STEP = 0.05  # of the most
REMEMBERED = 0.98  # how much of the best throughput is believed after another epoch
DOWN_AFTER = 3  # failures to connect in a row, with no success between
PROBE_FIRST, PROBE_MOST = 0.5, 30.0  # seconds between probes of a server that is down


@dataclass(slots=True)
class Pace:
    """The controller. Times are seconds on one clock; `most` is the user's concurrency."""

    most: int
    limit: float = field(init=False)
    flying: int = 0
    proven: bool = False  # has answered at all; until then one request finds out what it can do
    closed_until: float = 0.0
    down_since: float | None = None
    probe_wait: float = PROBE_FIRST
    unreachable: int = 0
    _latencies: list[float] = field(default_factory=list[float])
    _turned_away: int = 0
    _epoch_began: float | None = None
    _lowest: float = float("inf")
    _best: float = 0.0

    def __post_init__(self) -> None:
        self.limit = float(self.most)

    def room(self, now: float) -> int:
        """How many requests may start now."""
        if now < self.closed_until:
            return 0
        probing = self.down_since is not None or not self.proven
        allowed = 1 if probing else max(1, int(self.limit))
        return max(0, allowed - self.flying)

    def answered(self, latency: float, now: float) -> bool:
        """A request was answered; gives whether the server was down and is back."""
        back, self.down_since = self.down_since is not None, None
        self.unreachable, self.probe_wait, self.proven = 0, PROBE_FIRST, True
        self._latencies.append(latency)
        self._turn_epoch(now)
        return back

    def turned_away(self, now: float) -> None:
        """The server said that it is too much (429, 503)."""
        self.unreachable = 0
        self._turned_away += 1
        self._turn_epoch(now)

    def failed_to_connect(self, now: float) -> bool:
        """The server cannot be reached; gives whether it has just gone down."""
        self.unreachable += 1
        if self.down_since is not None:
            if now >= self.closed_until:  # a probe, not one of those that were in flight
                self.closed_until = now + self.probe_wait
                self.probe_wait = min(PROBE_MOST, 2 * self.probe_wait)
            return False
        if self.unreachable < DOWN_AFTER:
            return False
        self.down_since = now
        self.closed_until = now + self.probe_wait
        return True

    def told(self, allowances: dict[str, Allowance], now: float) -> None:
        """What the server's headers say of its rate limits: none left closes the gate."""
        for allowance in allowances.values():
            if allowance.remaining < 1:
                self.closed_until = max(self.closed_until, now + allowance.reset)

    def _turn_epoch(self, now: float) -> None:
        """At the end of an epoch, set the limit for the next."""
        if self._epoch_began is None:
            self._epoch_began = now
        count = len(self._latencies) + self._turned_away
        if count < max(EPOCH_LEAST, self.limit):
            return
        took = max(now - self._epoch_began, 1e-6)
        self.limit = min(float(self.most), max(1.0, self._next_limit(count, took)))
        self._latencies.clear()
        self._turned_away, self._epoch_began = 0, now

    def _next_limit(self, count: int, took: float) -> float:
        """The limit after an epoch of `count` requests in `took` seconds."""
        if self._turned_away / count > CROWDED:
            return self.limit * DECREASE
        latency = median(self._latencies)
        throughput = len(self._latencies) / took
        queueing = latency > QUEUEING * self._lowest and throughput < COLLAPSE * self._best
        self._lowest = min(self._lowest, latency)
        self._best = max(self._best * REMEMBERED, throughput)
        if queueing:
            return self.limit * DECREASE
        return self.limit + max(1.0, STEP * self.most)
