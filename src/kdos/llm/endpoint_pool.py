"""Several servers of one model: which of them takes a request. No I/O, no clock.

The same passages go to the same server, so that its prefix cache serves: each request ranks the servers by a hash
(rendezvous hashing: Thaler and Ravishankar, 1998). A server with more than its share in flight is passed over
(consistent hashing with bounded loads: Mirrokni, Thorup and Zadimoghaddam, 2018), and a free slot waits for nobody:
where no waiting request ranks its server first, it takes another's. So what a server gets follows how fast it answers.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from kdos.llm.concurrency import BusyMeter
from kdos.llm.endpoint import Endpoint
from kdos.tasks import Request, json_digest

MOST_LOAD = 1.25  # times the mean load, up to which a server takes what ranks it first
PASSAGES_INPUTS = ("passages", "passage")
"""The inputs of requests that are long and alike in many of them."""


@dataclass(slots=True, eq=False)
class EndpointPool:
    """The servers of an engine; `max_concurrency` requests may be in flight at all of them together."""

    endpoints: Sequence[Endpoint]
    max_concurrency: int = field(init=False)
    busy: BusyMeter = field(default_factory=BusyMeter)

    def __post_init__(self) -> None:
        self.max_concurrency = sum(endpoint.controller.max_concurrency for endpoint in self.endpoints)

    @property
    def has_answered(self) -> bool:
        """Whether any server has."""
        return any(endpoint.controller.has_answered for endpoint in self.endpoints)

    @property
    def last_answer_at(self) -> float:
        """When any server answered last."""
        return max(endpoint.controller.last_answer_at for endpoint in self.endpoints)

    def has_others(self, endpoint: Endpoint) -> bool:
        """Whether another server is not down."""
        return any(not other.is_down for other in self.endpoints if other is not endpoint)

    def has_willing_others(self, endpoint: Endpoint, now: float) -> bool:
        """Whether another server is not down, and does not ask to wait."""
        others = (each for each in self.endpoints if each is not endpoint)
        return any(not each.is_down and each.controller.asked_until <= now for each in others)

    def rank(self, request: Request) -> Sequence[Endpoint]:
        """The servers in an order that is the same for the same passages."""
        if len(self.endpoints) == 1:
            return self.endpoints
        inputs = request.inputs
        shared = next((inputs[name] for name in PASSAGES_INPUTS if inputs.get(name)), inputs)
        key = json_digest(shared)
        return sorted(self.endpoints, key=lambda each: blake2b(f"{each.root} {key}".encode()).digest())

    def open_endpoints(self, now: float) -> list[Endpoint]:
        """The servers with a free slot: first those that are to be probed, then the least loaded."""
        found = [endpoint for endpoint in self.endpoints if endpoint.controller.free_slots(now)]
        return sorted(found, key=lambda each: (not each.is_down, each.controller.load)) if len(found) > 1 else found

    def choices(
        self, ranked: Sequence[Endpoint], free: Sequence[Endpoint], failed_at: Endpoint | None
    ) -> Iterator[tuple[Endpoint, bool]]:
        """Where among the `free` servers a request may go, the best first, each with whether it should go there.

        Not where it has just failed, unless all others are down.
        """
        if failed_at is not None and self.has_others(failed_at):
            ranked = [endpoint for endpoint in ranked if endpoint is not failed_at]
            free = [endpoint for endpoint in free if endpoint is not failed_at]
        if free and free[0].is_down:
            yield free[0], True
        first = next((endpoint for endpoint in ranked if not endpoint.is_down), None)
        if first is not None and first in free and self._is_within_bound(first):
            yield first, True
        for endpoint in free:
            yield endpoint, False

    def _is_within_bound(self, endpoint: Endpoint) -> bool:
        """Whether a server with one request more has no more than its bounded share of what is in flight."""
        up = [each.controller for each in self.endpoints if not each.is_down]
        in_flight = sum(controller.in_flight for controller in up) + 1
        share = endpoint.controller.slots / sum(controller.slots for controller in up)
        return endpoint.controller.in_flight < math.ceil(MOST_LOAD * in_flight * share)
