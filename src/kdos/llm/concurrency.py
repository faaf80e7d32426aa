"""How many requests may be in flight, from how the server bears them. No clock, no I/O: `now`.

Additive increase, multiplicative decrease (AIMD: Chiu and Jain, 1989), in epochs of about one
window of replies. A server that rejects more than a few requests gets fewer, one that answers gets
more, step by step, up to the user's concurrency. Single rejections are noise: their own request
waits, the others go on. Latency is read beside them: where it has doubled and less gets done than
before, more requests in flight only wait in the server's queue. The constants are our choice.
"""

from dataclasses import dataclass, field
from statistics import median
from threading import Lock

from kdos.llm.protocol import RateLimit

# A server that fails 5 % of its requests at random must keep its full concurrency: TCP's rule, one
# loss halves the window, would end at a few requests in flight.
MAX_REJECTED_SHARE = 0.2  # of an epoch's requests
DECREASE_FACTOR = 0.7
INCREASE_SHARE = 0.05  # of the user's concurrency, an epoch
MIN_EPOCH_REPLIES = 16  # a median of fewer latencies says little

# Both must hold. A server that batches (vLLM) answers more slowly and gets more done the more it
# has in flight; latency alone would throttle it.
QUEUEING_LATENCY_RATIO = 2.0  # to the lowest median latency so far
COLLAPSED_THROUGHPUT_SHARE = 0.7  # of the best throughput
LEAST_DEMAND_SHARE = 0.7  # of the limit: with fewer in flight, who asks is slow, not the server
BEST_THROUGHPUT_DECAY = 0.98  # an epoch: a server that became slower is not throttled for ever

FAILURES_UNTIL_DOWN = 3  # failures to connect in a row, with no success between
# Of a server beside others: one that fails a request in three by chance fails so many once in 10^8.
FAILURES_UNTIL_LEFT_OUT = 16  # in a row, with no answer between
FIRST_PROBE_DELAY, MAX_PROBE_DELAY = 0.5, 30.0  # seconds between probes of a server that is down


@dataclass(slots=True)
class AIMDController:
    """The controller. Times are seconds on one clock; `max_concurrency` is the user's.

    `has_answered`: until the first answer one request goes ahead and finds out what the server can
    do. `paused_until`: nothing starts before. `down_since`: the server answers nobody since then,
    and one request at a time probes it. `failures` counts those since its last answer. `asked_until`:
    it asked one request to wait so long, which others need not.
    """

    max_concurrency: int
    limit: float = field(init=False)
    in_flight: int = 0
    has_answered: bool = False
    paused_until: float = 0.0
    asked_until: float = 0.0
    down_since: float | None = None
    probe_delay: float = FIRST_PROBE_DELAY
    connection_failures: int = 0
    failures: int = 0
    last_answer_at: float = float("-inf")
    _latencies: list[float] = field(default_factory=list[float])
    _rejections: int = 0
    _epoch_start: float | None = None
    _lowest_latency: float = float("inf")
    _best_throughput: float = 0.0
    _fewest_in_flight: float = float("inf")

    def __post_init__(self) -> None:
        self.limit = float(self.max_concurrency)

    def free_slots(self, now: float) -> int:
        """How many requests may start now."""
        return 0 if now < self.paused_until else max(0, self.slots - self.in_flight)

    @property
    def slots(self) -> int:
        """How many requests may be in flight."""
        probing = self.down_since is not None or not self.has_answered
        return 1 if probing else max(1, int(self.limit))

    @property
    def load(self) -> float:
        """The share of its slots that is taken."""
        return self.in_flight / self.slots

    def record_answer(self, latency: float, now: float) -> bool:
        """Count an answer; gives whether the server was down and is back."""
        back, self.down_since = self.down_since is not None, None
        self.connection_failures, self.probe_delay, self.has_answered = 0, FIRST_PROBE_DELAY, True
        self.failures = 0
        self.last_answer_at = now
        self._latencies.append(latency)
        self._fewest_in_flight = min(self._fewest_in_flight, self.in_flight)
        self._close_finished_epoch(now)
        return back

    def record_rejection(self, now: float) -> None:
        """Count a 429, a 503 or a time-out: the server has too much to do."""
        self.connection_failures = 0
        self._rejections += 1
        self._close_finished_epoch(now)

    def record_connection_failure(self, now: float) -> bool:
        """Count a failure to connect; gives whether the server has just gone down."""
        self.connection_failures += 1
        is_down = self.down_since is not None or self.connection_failures >= FAILURES_UNTIL_DOWN
        return is_down and self.mark_down(now)

    def record_failure(self, now: float) -> bool:
        """Count a request that the server failed; gives whether it has just become one that fails all it is sent."""
        self.failures += 1
        is_down = self.down_since is not None or self.failures >= FAILURES_UNTIL_LEFT_OUT
        return is_down and self.mark_down(now)

    def mark_down(self, now: float) -> bool:
        """Probe the server from now on, ever more rarely, for it answers nobody; gives whether that is new."""
        new, self.down_since = self.down_since is None, self.down_since or now
        if new or now >= self.paused_until:  # a probe failed, not one of those that were in flight
            self.paused_until = max(self.paused_until, now + self.probe_delay)
            self.probe_delay = min(MAX_PROBE_DELAY, 2 * self.probe_delay)
        return new

    def apply_rate_limits(self, limits: dict[str, RateLimit], now: float) -> None:
        """Pause until a rate limit that is used up is full again."""
        for rate in limits.values():
            if rate.remaining < 1:
                self.paused_until = max(self.paused_until, now + rate.reset_seconds)

    def _close_finished_epoch(self, now: float) -> None:
        """Set the next limit if the epoch has enough replies."""
        if self._epoch_start is None:
            self._epoch_start = now
        count = len(self._latencies) + self._rejections
        if count < max(MIN_EPOCH_REPLIES, self.limit):
            return
        took = max(now - self._epoch_start, 1e-6)
        self.limit = min(float(self.max_concurrency), max(1.0, self._next_limit(count, took)))
        self._latencies.clear()
        self._rejections, self._epoch_start, self._fewest_in_flight = 0, now, float("inf")

    def _next_limit(self, count: int, took: float) -> float:
        """The limit after an epoch of `count` requests in `took` seconds."""
        if self._rejections / count > MAX_REJECTED_SHARE:
            return self.limit * DECREASE_FACTOR
        latency = median(self._latencies)
        throughput = len(self._latencies) / took
        queueing = (
            latency > QUEUEING_LATENCY_RATIO * self._lowest_latency
            and throughput < COLLAPSED_THROUGHPUT_SHARE * self._best_throughput
            and self._fewest_in_flight >= LEAST_DEMAND_SHARE * self.limit
        )
        self._lowest_latency = min(self._lowest_latency, latency)
        self._best_throughput = max(self._best_throughput * BEST_THROUGHPUT_DECAY, throughput)
        if queueing:
            return self.limit * DECREASE_FACTOR
        return self.limit + max(1.0, INCREASE_SHARE * self.max_concurrency)


class BusyMeter:
    """How many requests are in flight on the mean, from the first that is sent to the last that ends.

    Any thread may ask. Times are seconds on one clock.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._in_flight = 0
        self._began_at: float | None = None
        self._changed_at = self._ended_at = 0.0
        self._area = self._ended_area = 0.0  # request-seconds in flight: until the last change, the last end

    def change(self, by: int, now: float) -> None:
        """Count requests that are sent, or that end where `by` is negative."""
        with self._lock:
            if self._began_at is None:
                self._began_at = self._changed_at = self._ended_at = now
            self._area += self._in_flight * (now - self._changed_at)
            self._changed_at = now
            self._in_flight += by
            if by < 0:
                self._ended_at, self._ended_area = now, self._area

    def take(self) -> float | None:
        """The mean since the last call; None where no request has ended since then. What is in flight counts on."""
        with self._lock:
            if self._began_at is None or self._ended_at <= self._began_at:
                return None
            mean = self._ended_area / (self._ended_at - self._began_at)
            self._area -= self._ended_area
            self._ended_area = 0.0
            self._began_at = self._ended_at if self._in_flight else None
            return mean
