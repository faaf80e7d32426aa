"""How many requests may be under way, from how the server bears them. No clock, no I/O: `now`.

Additive increase, multiplicative decrease, in epochs of about one window of replies: a server that
turns away more than a few requests gets fewer, one that answers gets one more at a time up to the
most we may have. Single refusals are noise (their own request waits, the others go on). Latency is
read beside it: where it has doubled and less gets done than before, more in flight only queues.
"""

from dataclasses import dataclass, field
from statistics import median

from kdos.llm.wire import RateLimit

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
class AIMDController:
    """The controller. Times are seconds on one clock; `most` is the user's concurrency."""

    max_concurrency: int
    limit: float = field(init=False)
    in_flight: int = 0
    has_answered: bool = (
        False  # has answered at all; until then one request finds out what it can do
    )
    paused_until: float = 0.0
    down_since: float | None = None
    probe_delay: float = PROBE_FIRST
    connection_failures: int = 0
    last_answer_at: float = float("-inf")
    _latencies: list[float] = field(default_factory=list[float])
    _rejections: int = 0
    _epoch_start: float | None = None
    _lowest_latency: float = float("inf")
    _best_throughput: float = 0.0

    def __post_init__(self) -> None:
        self.limit = float(self.max_concurrency)

    def free_slots(self, now: float) -> int:
        """How many requests may start now."""
        if now < self.paused_until:
            return 0
        probing = self.down_since is not None or not self.has_answered
        allowed = 1 if probing else max(1, int(self.limit))
        return max(0, allowed - self.in_flight)

    def record_answer(self, latency: float, now: float) -> bool:
        """A request was answered; gives whether the server was down and is back."""
        back, self.down_since = self.down_since is not None, None
        self.connection_failures, self.probe_delay, self.has_answered = 0, PROBE_FIRST, True
        self.last_answer_at = now
        self._latencies.append(latency)
        self._close_finished_epoch(now)
        return back

    def record_rejection(self, now: float) -> None:
        """The server said that it is too much (429, 503)."""
        self.connection_failures = 0
        self._rejections += 1
        self._close_finished_epoch(now)

    def record_connection_failure(self, now: float) -> bool:
        """The server cannot be reached; gives whether it has just gone down."""
        self.connection_failures += 1
        if self.down_since is not None:
            if now >= self.paused_until:  # a probe, not one of those that were in flight
                self.paused_until = now + self.probe_delay
                self.probe_delay = min(PROBE_MOST, 2 * self.probe_delay)
            return False
        return self.connection_failures >= DOWN_AFTER and self.mark_down(now)

    def mark_down(self, now: float) -> bool:
        """The server answers nobody: probe it from now on; gives whether that is new."""
        new, self.down_since = self.down_since is None, self.down_since or now
        self.paused_until = max(self.paused_until, now + self.probe_delay)
        return new

    def apply_rate_limits(self, allowances: dict[str, RateLimit], now: float) -> None:
        """What the server's headers say of its rate limits: none left closes the gate."""
        for allowance in allowances.values():
            if allowance.remaining < 1:
                self.paused_until = max(self.paused_until, now + allowance.reset_seconds)

    def _close_finished_epoch(self, now: float) -> None:
        """At the end of an epoch, set the limit for the next."""
        if self._epoch_start is None:
            self._epoch_start = now
        count = len(self._latencies) + self._rejections
        if count < max(EPOCH_LEAST, self.limit):
            return
        took = max(now - self._epoch_start, 1e-6)
        self.limit = min(float(self.max_concurrency), max(1.0, self._next_limit(count, took)))
        self._latencies.clear()
        self._rejections, self._epoch_start = 0, now

    def _next_limit(self, count: int, took: float) -> float:
        """The limit after an epoch of `count` requests in `took` seconds."""
        if self._rejections / count > CROWDED:
            return self.limit * DECREASE
        latency = median(self._latencies)
        throughput = len(self._latencies) / took
        queueing = (
            latency > QUEUEING * self._lowest_latency
            and throughput < COLLAPSE * self._best_throughput
        )
        self._lowest_latency = min(self._lowest_latency, latency)
        self._best_throughput = max(self._best_throughput * REMEMBERED, throughput)
        if queueing:
            return self.limit * DECREASE
        return self.limit + max(1.0, STEP * self.max_concurrency)
