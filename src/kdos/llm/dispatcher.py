"""Requests in flight: sent, tried again, answered, stored, given out.

One `RequestDispatcher` is one exchange. Two threads share it. The caller's thread submits requests
and receives replies. Everything below "on the loop's thread" runs on the event loop of the client's
`EventLoopThread` and needs no lock, since one loop runs one callback at a time. Requests cross over
in the deque `arriving`, of which the loop is told by `call_soon`; replies cross back in the deque
`stored`, and the condition `changed` wakes the caller.

A request's way: `_enqueue_requests` → `queue` → `_start_requests` → `_attempt_request` → one of
`_handle_answer`, `_handle_failure`, `_handle_unreachable`, `_schedule_retry` (→ `delayed` →
`queue`) → `_finish_request` → `unstored` → `_store_replies` → `stored` → the caller.
"""

import asyncio
import heapq
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count, islice
from typing import NamedTuple

from kdos.chance import keyed_generator
from kdos.errors import EngineError
from kdos.llm.endpoint import (
    Endpoint,
    foreign_server_error,
    long_silence_error,
    refusal_error,
    unreachable_error,
    words_of,
)
from kdos.llm.endpoint_pool import EndpointPool
from kdos.llm.engine import (
    ChargeAttempt,
    ClosingContext,
    OutOfBudgetError,
    OutOfTimeError,
    StoreReplies,
    charge_nothing,
)
from kdos.llm.limits import MALFORMED_ATTEMPTS, MAX_DOWN_SECONDS, MAX_REPLY_BYTES, MAX_STREAM_BYTES
from kdos.llm.protocol import REQUEST_FAULT_STATUS, RetryPolicy, is_retryable, read_rate_limits, read_retry_after
from kdos.llm.reply_reader import Completion, ProtocolError, ServerFaultError, read_completion
from kdos.llm.server_profile import MAX_READ_CHARS, BodyPlan, Refused, Trial
from kdos.llm.transport import (
    EventLoopThread,
    ExchangeError,
    HttpResponse,
    RequestTimeoutError,
    ServerUnreachableError,
    UnreadableBodyError,
)
from kdos.tasks import Reply, Request, Usage

LOG = logging.getLogger("kdos.llm")
RETRY = RetryPolicy(max_attempts=10, first_delay=0.25, max_delay=30.0, jitter=0.5)
FIRST_ATTEMPTS = 4  # of a server that has answered nothing yet: it is rather set up wrongly
FIRST_CONTACT_SECONDS = 8.0  # for a server that never answered yet: it may just be starting

# A run that is killed loses what is not stored: replies of this long, beside the commit itself (30
# kills asked 320 of 6,000 requests again, none of them stored 0.2 s before: llm_crash.json). One
# commit for each reply would wait for the disk each time.
STORE_EVERY_SECONDS = 0.1
# Where the queue runs low the caller's next requests wait for these replies.
STORE_SOON_SECONDS = 0.01
NO_USAGE = Usage()
CLOCK_CHECK_SECONDS = 0.5  # a waiting caller looks at the deadline this often
SCANNED_REQUESTS = 64
"""At the front of the queue, among which one is looked for that ranks a free server first: our choice."""
ServerPart = tuple[str, str]
"""A part of a request's body, by the name that `ServerProfile` gives it, after the address of the server."""
NOTHING: frozenset[ServerPart] = frozenset()
ANY_PLAN = BodyPlan()


@dataclass(slots=True, eq=False)
class PendingRequest:
    """One request on its way; `plan` is how the last attempt put it, `trial` how else a refused one is put.

    `ranked` are the servers, those first that it should go to; `endpoint` is that of the last attempt, `failed_at` the
    one that failed it last. `explores` are the parts of this attempt that its server was never seen to take.
    """

    request: Request
    ranked: Sequence[Endpoint]
    endpoint: Endpoint = field(init=False)
    failed_at: Endpoint | None = None
    attempts: int = 0
    body_bytes: int = 0
    plan: BodyPlan = ANY_PLAN
    trial: Trial | None = None
    explores: frozenset[ServerPart] = NOTHING
    first_sent_at: float = 0.0


class Start(NamedTuple):
    """A request that may be sent, to which server and how."""

    pending: PendingRequest
    endpoint: Endpoint
    trial: Trial | None
    plan: BodyPlan
    explores: frozenset[ServerPart]


@dataclass(slots=True, eq=False)
class RequestDispatcher(ClosingContext):
    """One exchange; `deadline` is a time of `time.monotonic`."""

    pool: EndpointPool
    store: StoreReplies
    charge: ChargeAttempt = charge_nothing
    deadline: float = float("inf")
    # touched by the caller's thread alone
    submitted: int = 0
    given: int = 0
    began_at: float = 0.0  # when the first request was submitted
    # touched by the loop's thread alone
    queue: deque[PendingRequest] = field(default_factory=deque[PendingRequest])
    exploring: set[ServerPart] = field(default_factory=set[ServerPart])
    delayed: list[tuple[float, int, PendingRequest]] = field(default_factory=list[tuple[float, int, PendingRequest]])
    tasks: dict[asyncio.Task[None], Start] = field(default_factory=dict[asyncio.Task[None], Start])
    unstored: list[Reply] = field(default_factory=list[Reply])
    urgent: asyncio.Event = field(default_factory=asyncio.Event)
    storing_task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    start_is_due: bool = False  # at the end of this turn of the loop
    # shared: what one thread writes and the other reads
    changed: threading.Condition = field(default_factory=threading.Condition)
    arriving: deque[PendingRequest] = field(default_factory=deque[PendingRequest])
    enqueue_is_due: bool = False  # the loop was told of those and has not taken them yet
    stored: deque[Reply] = field(default_factory=deque[Reply])
    finished: int = 0
    dropped: int = 0  # requests that the budget had no other attempt for
    passed_cap: str = ""
    failure: BaseException | None = None
    # breaks ties of `delayed`, since requests do not compare
    _order: Iterator[int] = field(default_factory=count)

    # -- on the caller's thread

    @property
    def room(self) -> int:
        """How many more requests are wanted; none for a few slots, for each hand-over wakes the loop."""
        # Twice as many wait in the queue as are in flight: a fast server answers those while replies gather for a
        # commit. Memory does not grow with an endless source.
        most = self.pool.max_concurrency
        free = 3 * most - (self.submitted - self.finished)
        return free if 2 * free >= most and not self.passed_cap and self.failure is None else 0

    def submit(self, requests: Iterable[Request]) -> None:
        """Send requests, as there are slots for them."""
        pending = [PendingRequest(request, self.pool.rank(request)) for request in requests]
        self.began_at = self.began_at or time.monotonic()
        self.submitted += len(pending)
        self.arriving.extend(pending)
        if not self.enqueue_is_due:  # one call takes all that come until it runs: each wakes the loop
            self.enqueue_is_due = True
            self.loop_thread.call_soon(self._enqueue_requests)

    def receive(self) -> list[Reply]:
        """The replies that are stored, at least one; none where nothing is out."""
        while not self.stored:
            self._raise_failure()
            if self.given + self.dropped == self.submitted:
                if not self.passed_cap:
                    return []
                if not (self.unstored or self.storing_task):  # what the dropped ones cost is stored
                    raise OutOfBudgetError(self.passed_cap)
            self._wait_for_change()
        replies = [self.stored.popleft() for _ in range(len(self.stored))]
        self.given += len(replies)
        return replies

    def close(self) -> None:
        """Cancel what is in flight; what has come is stored."""
        if self.given + self.dropped < self.submitted and not self.loop_thread.loop.is_closed():
            self.loop_thread.run_coroutine(self._cancel_requests())

    @property
    def loop_thread(self) -> EventLoopThread:
        """The thread that all servers share."""
        return self.pool.endpoints[0].client.loop_thread

    def _raise_failure(self) -> None:
        """Raise what ended the exchange, when everything that came is stored and given."""
        if self.failure and not (self.tasks or self.unstored or self.storing_task or self.stored):
            raise self.failure
        if self.loop_thread.loop.is_closed():
            raise EngineError("The engine must stay open until every reply has come.")

    def _wait_for_change(self) -> None:
        """Wait until there is something to give; stop the run past the deadline."""
        with self.changed:
            if not self.stored:
                self.changed.wait(CLOCK_CHECK_SECONDS)
        if time.monotonic() > self.deadline:
            self.loop_thread.call_soon(self._stop_with_error, OutOfTimeError())

    # -- on the loop's thread

    def _enqueue_requests(self) -> None:
        self.enqueue_is_due = False  # before they are taken: what comes later calls again
        pending = [self.arriving.popleft() for _ in range(len(self.arriving))]
        if self.passed_cap:
            self._drop_requests(len(pending))
            return
        self.queue.extend(pending)
        self._start_soon()

    def _drop_requests(self, number: int) -> None:
        self.dropped += number
        self.finished += number
        self._notify_caller()

    def _start_soon(self) -> None:
        """Start requests once all that ends or arrives in this turn of the loop is known: each look takes its time."""
        if not self.start_is_due:
            self.start_is_due = True
            self.loop_thread.loop.call_soon(self._start_requests)

    def _start_requests(self) -> None:
        """Start what may start now; look again when the next may."""
        self.start_is_due = False
        now = time.monotonic()
        while self.delayed and self.delayed[0][0] <= now:
            # To the front: a retry goes before requests that were never sent, so that replies
            # come roughly in the order of their requests.
            self._put_first(heapq.heappop(self.delayed)[2])
        while self.failure is None and (start := self._take_next(now)):
            self._start_request(start, now)
        if self._queue_runs_low:
            self.urgent.set()
        self._schedule_next_start(now)

    def _take_next(self, now: float) -> Start | None:
        """Out of the queue, the next request that may start: the first whose own server is free, else the first."""
        free = self.pool.open_endpoints(now)
        other: tuple[int, Start] | None = None
        for place, pending in enumerate(islice(self.queue, SCANNED_REQUESTS) if free else ()):
            for endpoint, is_its_own in self._choices(pending, free):
                if other and not is_its_own:
                    break
                if start := self._plan_start(pending, endpoint):
                    if is_its_own:
                        del self.queue[place]
                        return start
                    other = place, start
        if other is None:
            return None
        del self.queue[other[0]]
        return other[1]

    def _choices(self, pending: PendingRequest, free: Sequence[Endpoint]) -> Iterable[tuple[Endpoint, bool]]:
        """Where a request may go; what a server refused is asked in another way of the same server."""
        if len(self.pool.endpoints) == 1:
            return ((free[0], True),)
        if pending.trial and not (pending.trial.is_over or pending.endpoint.is_down):
            return ((pending.endpoint, True),) if pending.endpoint in free else ()
        return self.pool.choices(pending.ranked, free, pending.failed_at)

    def _plan_start(self, pending: PendingRequest, endpoint: Endpoint) -> Start | None:
        """How a request is put to a server; None where it would ask for what another one is just finding out."""
        profile, request = endpoint.profile, pending.request
        trial = pending.trial if pending.trial and pending.endpoint is endpoint else None
        plan = trial.plan if trial else profile.plan_for(request)
        unknown = profile.unconfirmed_parts(request, plan)
        if trial:
            unknown |= profile.unconfirmed_parts(request, trial.first)
        explores = frozenset((endpoint.root, name) for name in unknown) if unknown else NOTHING
        return Start(pending, endpoint, trial, plan, explores) if explores.isdisjoint(self.exploring) else None

    def _start_request(self, start: Start, now: float) -> None:
        """Send a request, on a task of its own."""
        pending = start.pending
        self.exploring |= start.explores
        pending.endpoint, pending.trial, pending.plan = start.endpoint, start.trial, start.plan
        pending.explores = start.explores
        start.endpoint.controller.in_flight += 1
        self.pool.busy.change(1, now)
        task = asyncio.create_task(self._attempt_request(pending))
        self.tasks[task] = start
        task.add_done_callback(self._finish_attempt)

    def _put_first(self, pending: PendingRequest) -> None:
        """Put a request back into the queue, where it waits for nobody who waits for what it finds out."""
        self._end_exploring(pending)
        self.queue.appendleft(pending)

    def _end_exploring(self, pending: PendingRequest) -> None:
        """What a request was to find out is known, or is for another one."""
        self.exploring -= pending.explores
        pending.explores = NOTHING

    @property
    def _queue_runs_low(self) -> bool:
        """Whether the caller is to send more: before the queue is empty, for making requests takes time."""
        return 2 * len(self.queue) < self.pool.max_concurrency

    def _schedule_next_start(self, now: float) -> None:
        """Start again when a server's pause ends or a delayed request is due."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        times = [self.delayed[0][0]] if self.delayed else []
        if self.queue:
            pauses = (endpoint.controller.paused_until for endpoint in self.pool.endpoints)
            times += [until for until in pauses if until > now]
        if times and self.failure is None:
            loop = asyncio.get_running_loop()
            # A millisecond late: a timer that fires early would find nothing due.
            self.timer = loop.call_later(max(0.0, min(times) - now) + 0.001, self._start_requests)

    async def _attempt_request(self, pending: PendingRequest) -> None:
        """Send one request once."""
        endpoint = pending.endpoint
        pending.attempts += 1
        started = time.monotonic()
        pending.first_sent_at = started if pending.attempts == 1 else pending.first_sent_at
        body = endpoint.profile.build_body(pending.request, pending.plan)
        pending.body_bytes = len(body)
        streams = pending.plan.stream or endpoint.config.extra.get("stream")
        limit = MAX_STREAM_BYTES if streams else MAX_REPLY_BYTES
        try:
            response = await endpoint.client.send_request("POST", "chat/completions", data=body, max_bytes=limit)
        except ServerUnreachableError as error:
            self._handle_unreachable(pending, error)
        except UnreadableBodyError as error:
            self._handle_unreadable(pending, str(error))
        except ExchangeError as error:
            if isinstance(error, RequestTimeoutError):
                endpoint.controller.record_rejection(time.monotonic())
            self._schedule_retry(pending, str(error), usage=self._estimate_usage(pending))
        else:
            self._handle_response(pending, response, time.monotonic() - started)

    def _finish_attempt(self, task: asyncio.Task[None]) -> None:
        """Free the slot of an attempt; an error of ours in it ends everything."""
        # Not the request's endpoint: it may be on its way to another by now.
        start = self.tasks.pop(task)
        start.endpoint.controller.in_flight -= 1
        self.pool.busy.change(-1, time.monotonic())
        if not self.tasks:
            self.urgent.set()
        if task.cancelled():
            if self.failure is None:  # its server is down
                usage = self._estimate_usage(start.pending)
                self._schedule_retry(start.pending, "the server went down", usage=usage)
        elif error := task.exception():
            self._stop_with_error(error)
        self._start_soon()
        if self.failure:
            self._notify_caller()

    def _handle_response(self, pending: PendingRequest, response: HttpResponse, latency: float) -> None:
        """What a whole reply of the server means for its request."""
        endpoint, now = pending.endpoint, time.monotonic()
        if limits := read_rate_limits(response.headers, now=time.time()):
            endpoint.controller.apply_rate_limits(limits, now)
            if endpoint.controller.paused_until > now:
                endpoint.client.announce_wait(endpoint.controller.paused_until - now)
        if not 200 <= response.status < 300:
            self._handle_failure(pending, response)
            return
        try:
            answer = read_completion(response.body)
        except ServerFaultError as error:
            failed = HttpResponse(error.status, response.headers, str(error).encode(errors="replace"))
            self._handle_failure(pending, failed)
        except ProtocolError as error:
            self._handle_unreadable(pending, str(error), reply_bytes=len(response.body))
        else:
            self._handle_answer(pending, answer, latency)

    def _handle_answer(self, pending: PendingRequest, answer: Completion, latency: float) -> None:
        """The request has its answer."""
        endpoint = pending.endpoint
        endpoint.learn_answer(pending.request, pending.plan, pending.trial)
        reply = endpoint.build_reply(
            pending.request, answer, request_bytes=pending.body_bytes, latency=latency, attempts=pending.attempts
        )
        if endpoint.controller.record_answer(latency, time.monotonic()):
            LOG.warning("%s answers again", endpoint.root)
        self._finish_request(pending, reply)

    def _handle_failure(self, pending: PendingRequest, response: HttpResponse) -> None:
        """The server does not answer: another way of asking, another time or server, or never."""
        endpoint, status = pending.endpoint, response.status
        # OpenAI sends 429 for an empty account too; waiting does not fill it.
        if status == 429 and b"insufficient_quota" in response.body:
            self._give_up_server(pending, refusal_error(endpoint, response))
            return
        if status in {429, 503}:
            endpoint.controller.record_rejection(time.monotonic())
        if self._try_otherwise(pending, response):
            return
        if is_retryable(status):
            self._schedule_retry(pending, f"HTTP {words_of(response)}", response=response)
        elif status in REQUEST_FAULT_STATUS and endpoint.controller.has_answered:
            # What was said of other ways of asking is beside the point.
            self._refuse_request(pending, pending.trial.refused.words if pending.trial else words_of(response))
        else:
            self._give_up_server(pending, refusal_error(endpoint, response, pending.trial))

    def _refuse_request(self, pending: PendingRequest, words: str) -> None:
        """A server refuses one request: so does another, or the fault is the server's."""
        endpoint, problem = pending.endpoint, f"HTTP {words}"
        if pending.failed_at in {None, endpoint} and self.pool.has_others(endpoint):
            self._count_failure(endpoint, problem)
            if self._charge_attempt(pending, problem, NO_USAGE):
                self._ask_another(pending)
        else:
            self._finish_request(pending, Reply(pending.request, error=problem, attempts=pending.attempts))

    def _ask_another(self, pending: PendingRequest) -> None:
        """Send a request that its server failed to another one, if there is one."""
        pending.failed_at = pending.endpoint
        self._put_first(pending)

    def _count_failure(self, endpoint: Endpoint, problem: str) -> None:
        """Leave a server out that fails whatever it is sent, where there are others."""
        if self.pool.has_others(endpoint) and endpoint.controller.record_failure(time.monotonic()):
            self._leave_out(endpoint, problem)

    def _handle_unreadable(self, pending: PendingRequest, problem: str, *, reply_bytes: int = 0) -> None:
        """A reply came that is no completion: this request is tried again, a few times."""
        usage = self._estimate_usage(pending, reply_bytes=reply_bytes)
        if pending.attempts < MALFORMED_ATTEMPTS:
            self._schedule_retry(pending, problem, usage=usage)
        elif pending.endpoint.controller.has_answered:
            self._fail_request(pending, f"{problem}, after {pending.attempts} attempts", usage)
        else:
            self._give_up_server(pending, foreign_server_error(pending.endpoint, problem))

    def _try_otherwise(self, pending: PendingRequest, response: HttpResponse) -> bool:
        """Put a refused request in another way, if one may help; an attempt that was refused costs nothing."""
        endpoint = pending.endpoint
        message = response.body[:MAX_READ_CHARS].decode(errors="replace")
        words, has_answered = words_of(response), endpoint.controller.has_answered
        refused = Refused(response.status, message, words, pending.attempts, has_answered)
        trial = endpoint.profile.try_otherwise(pending.request, pending.plan, refused, pending.trial)
        if trial is None:
            return False
        pending.trial = trial
        problem = f"HTTP {response.status}: it refuses how it is asked"
        if trial.by_failures:
            pending.attempts -= 1
            self._schedule_retry(pending, problem, response=response)
        elif self._charge_attempt(pending, problem, NO_USAGE):
            pending.attempts -= 1
            self._put_first(pending)
        return True

    def _handle_unreachable(self, pending: PendingRequest, error: ServerUnreachableError) -> None:
        """No connection: the others go on, or all wait until a server is back; fatal where it never can be."""
        endpoint, now = pending.endpoint, time.monotonic()
        if self.pool.has_others(endpoint) and error.permanent:
            went_down = endpoint.controller.mark_down(now)
        else:
            went_down = endpoint.controller.record_connection_failure(now)
        too_long = now - self.began_at > FIRST_CONTACT_SECONDS
        if not self.pool.has_answered and not self.pool.has_others(endpoint) and (error.permanent or too_long):
            self._stop_with_error(unreachable_error(endpoint, str(error)))
            return
        if went_down:
            self._leave_out(endpoint, str(error))
            self._cancel_attempts(endpoint)
        self._stop_if_down_long(endpoint, str(error))
        pending.attempts -= 1  # nothing reached the server
        self._ask_another(pending)
        if not endpoint.is_down:
            endpoint.controller.paused_until = now + RETRY.first_delay

    def _schedule_retry(
        self, pending: PendingRequest, problem: str, *, response: HttpResponse | None = None, usage: Usage = NO_USAGE
    ) -> None:
        """Try the request again after a while, unless it was tried often enough; `usage` is what it may have cost."""
        endpoint, now = pending.endpoint, time.monotonic()
        if response is None or response.status != 429:  # who is busy is not down
            self._count_failure(endpoint, problem)
        pending.failed_at = endpoint
        if pending.attempts >= (RETRY.max_attempts if self.pool.has_answered else FIRST_ATTEMPTS):
            self._give_up_request(pending, f"{problem}, after {pending.attempts} attempts", usage)
            return
        if self._charge_attempt(pending, problem, usage):
            chance = keyed_generator(pending.attempts, pending.request.id).random()
            headers = response.headers if response else {}
            endpoint.controller.asked_until = now + read_retry_after(headers, now=time.time())
            # What a server asks for is about itself: another one takes the request sooner.
            headers = None if self.pool.has_willing_others(endpoint, now) else headers
            delay = endpoint.client.delay_before_retry(RETRY, pending.attempts, headers=headers, chance=chance)
            heapq.heappush(self.delayed, (now + delay, next(self._order), pending))

    def _charge_attempt(self, pending: PendingRequest, problem: str, usage: Usage) -> bool:
        """Count and store an attempt that failed; whether there may be another."""
        attempt = Reply(pending.request, error=problem, transient=True, usage=usage, will_retry=True)
        if cap := self.charge(attempt):
            self._end_exploring(pending)
            self.passed_cap = cap
            self._drop_requests(1)
        self._store_soon(replace(attempt, attempts=pending.attempts))
        return not cap

    def _estimate_usage(self, pending: PendingRequest, *, reply_bytes: int = 0) -> Usage:
        return pending.endpoint.estimate_usage(request_bytes=pending.body_bytes, reply_bytes=reply_bytes)

    def _give_up_request(self, pending: PendingRequest, problem: str, usage: Usage) -> None:
        """The request fails, unless nobody was answered meanwhile: then its server is down."""
        endpoint = pending.endpoint
        if not self.pool.has_answered:
            self._stop_with_error(unreachable_error(endpoint, problem))
        elif self.pool.last_answer_at >= pending.first_sent_at:
            self._fail_request(pending, problem, usage)
        elif self._charge_attempt(pending, problem, usage):
            if endpoint.controller.mark_down(time.monotonic()):
                self._leave_out(endpoint, problem)
            self._stop_if_down_long(endpoint, problem)
            pending.attempts = 0
            self._end_exploring(pending)
            self.queue.append(pending)

    def _fail_request(self, pending: PendingRequest, problem: str, usage: Usage) -> None:
        reply = Reply(pending.request, error=problem, transient=True, attempts=pending.attempts, usage=usage)
        self._finish_request(pending, reply)

    def _give_up_server(self, pending: PendingRequest, error: EngineError) -> None:
        """A server will not work for us: it is left out, unless no other is left."""
        endpoint = pending.endpoint
        if not self.pool.has_others(endpoint):
            self._stop_with_error(error)
            return
        if endpoint.controller.mark_down(time.monotonic()):
            self._leave_out(endpoint, str(error))
        if self._charge_attempt(pending, str(error), NO_USAGE):
            pending.attempts = 0
            self._ask_another(pending)

    def _leave_out(self, endpoint: Endpoint, why: str) -> None:
        """Say that a server is down; what waits goes to the others, if there are any."""
        if self.pool.has_others(endpoint):
            LOG.warning("%s is left out (%s); the others go on without it", endpoint.root, why)
        else:
            LOG.warning("%s does not answer (%s); waiting until it is back", endpoint.root, why)

    def _cancel_attempts(self, endpoint: Endpoint) -> None:
        """Ask others what is in flight at a server that is gone: without a word, it would be waited for in vain."""
        if self.pool.has_others(endpoint):
            for task, start in self.tasks.items():
                if start.endpoint is endpoint and task is not asyncio.current_task():
                    task.cancel()

    def _stop_if_down_long(self, endpoint: Endpoint, problem: str) -> None:
        """End the run where no server has answered for long: the same command goes on."""
        since = [each.controller.down_since for each in self.pool.endpoints]
        if all(down is not None and time.monotonic() - down > MAX_DOWN_SECONDS for down in since):
            self._stop_with_error(long_silence_error(endpoint, problem))

    def _finish_request(self, pending: PendingRequest, reply: Reply) -> None:
        """A reply is there; it is stored before the caller gets it."""
        self._end_exploring(pending)
        self.finished += 1
        self._store_soon(reply)

    def _store_soon(self, reply: Reply) -> None:
        self.unstored.append(reply)
        if self.storing_task is None:
            self.storing_task = asyncio.create_task(self._store_replies())

    async def _store_replies(self) -> None:
        """Store what arrives, many at once, on the storage thread: a commit waits for the disk."""
        loop = asyncio.get_running_loop()
        executor = self.loop_thread.storage_executor
        try:
            while self.unstored:
                replies, self.unstored = self.unstored, []
                await loop.run_in_executor(executor, self.store, replies)
                self.stored.extend(reply for reply in replies if not reply.will_retry)
                self._notify_caller()
                await self._gather_replies()
        except Exception as error:  # the caller must hear of it in its own thread
            self.unstored.clear()  # what cannot be stored is not given
            self._stop_with_error(error)
        finally:
            self.storing_task = None
            self._notify_caller()

    async def _gather_replies(self) -> None:
        """Let replies gather for the next commit: not long where the caller is to send more or no more can come."""
        self.urgent.clear()
        if self.tasks:
            await asyncio.sleep(STORE_SOON_SECONDS)
        if self.tasks and not self._queue_runs_low:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.urgent.wait(), STORE_EVERY_SECONDS)

    async def _cancel_requests(self) -> None:
        """The caller has left: cancel what is in flight, store what has come."""
        self.failure = self.failure or GeneratorExit()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.timer is not None:
            self.timer.cancel()
        while self.storing_task is not None:
            await asyncio.wait({self.storing_task})

    def _stop_with_error(self, error: BaseException) -> None:
        """Start nothing more; what is in flight may still come back."""
        self.failure = self.failure or error
        self._notify_caller()

    def _notify_caller(self) -> None:
        with self.changed:
            self.changed.notify()
