"""Requests in flight: sent, tried again, answered, stored, given out.

One `RequestDispatcher` is one exchange. Two threads share it. The caller's thread submits requests
and receives replies. Everything below "on the loop's thread" runs on the event loop of the client's
`EventLoopThread` and needs no lock, since one loop runs one callback at a time. Requests cross over
as whole lists by `call_soon`; replies cross back in the deque `stored`, and the condition `changed`
wakes the caller.

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
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count

from kdos.chance import keyed_generator
from kdos.config import EngineConfig
from kdos.errors import EngineError
from kdos.llm.concurrency import AIMDController, BusyMeter
from kdos.llm.engine import (
    ChargeAttempt,
    ClosingContext,
    OutOfBudgetError,
    OutOfTimeError,
    StoreReplies,
    charge_nothing,
)
from kdos.llm.limits import MALFORMED_ATTEMPTS, MAX_DOWN_SECONDS, MAX_REPLY_BYTES, MAX_STREAM_BYTES
from kdos.llm.protocol import (
    REQUEST_FAULT_STATUS,
    RetryPolicy,
    estimate_tokens,
    is_retryable,
    measure_usage,
    price_tokens,
    read_rate_limits,
)
from kdos.llm.reply_reader import Completion, ProtocolError, ServerFaultError, read_completion, read_error_message
from kdos.llm.server_profile import FINDINGS_PREFIX, MAX_READ_CHARS, BodyPlan, Refused, ServerProfile, Trial
from kdos.llm.transport import (
    ExchangeError,
    HttpClient,
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


@dataclass(slots=True, eq=False)
class DispatcherState:
    """What all dispatchers of an engine share. `profile` decides how the server is asked."""

    config: EngineConfig
    client: HttpClient
    controller: AIMDController
    server_state: MutableMapping[str, str]
    profile: ServerProfile = field(init=False)
    busy: BusyMeter = field(default_factory=BusyMeter)
    odd_usage_said: bool = False

    def __post_init__(self) -> None:
        self.profile = ServerProfile(self.config)

    def use_server_state(self, server_state: MutableMapping[str, str]) -> None:
        """Begin with what earlier runs found out about the server."""
        self.server_state = server_state
        if self.profile.confirmed:
            self.save_findings()
        elif found := server_state.get(self.findings_name):
            self.profile.read_text(found)
            self.client.key_header = self.client.key_header or self.profile.key_header

    @property
    def findings_name(self) -> str:
        """Where the ledger keeps what was found out: by server, for another one may stand at another address."""
        return f"{FINDINGS_PREFIX}{self.client.root}"

    def save_findings(self) -> None:
        """Put what was found out into the ledger."""
        self.profile.key_header = self.client.key_header
        self.server_state[self.findings_name] = self.profile.to_text()
        self.profile.is_saved = True

    def learn_answer(self, request: Request, plan: BodyPlan, trial: Trial | None) -> None:
        """Note that a request put so was answered; say what is done otherwise from now on."""
        self.announce_change(request, self.profile.learn_answer(request, plan, trial), trial)
        if not self.profile.is_saved:
            self.save_findings()

    def announce_change(self, request: Request, change: str, trial: Trial | None) -> None:
        """Say what is done otherwise from now on, if anything, and what the server said."""
        if change and trial:
            words = trial.refused.words
            LOG.warning(
                "%s refused a request for %s (HTTP %s); kdos %s", self.client.root, request.task, words, change
            )

    def build_reply(self, request: Request, answer: Completion, *, request_bytes: int) -> Reply:
        """The reply that a completion is."""
        if answer.odd_usage and not self.odd_usage_said:
            self.odd_usage_said = True
            LOG.warning("%s counts tokens in a way that cannot be; they are estimated from texts", self.client.root)
        # Once more: the pieces of a stream or of a list of parts, each too short to be known for part of a secret, may
        # be one where they are joined.
        scrub = self.client.scrub_text
        return Reply(
            request,
            text=scrub(answer.text),
            reasoning=scrub(answer.reasoning),
            finish=scrub(answer.finish),
            usage=measure_usage(answer, request_bytes, self.config.prices),
        )

    def estimate_usage(self, *, request_bytes: int, reply_bytes: int = 0) -> Usage:
        """What an attempt may have cost whose answer did not come, or cannot be read."""
        return price_tokens(self.config.prices, estimate_tokens(request_bytes), estimate_tokens(reply_bytes))


@dataclass(slots=True, eq=False)
class PendingRequest:
    """One request on its way; `plan` is how the last attempt put it, `trial` how else a refused one is put.

    `explores` are the parts of this attempt that the server was never seen to take.
    """

    request: Request
    attempts: int = 0
    body_bytes: int = 0
    plan: BodyPlan = field(default_factory=BodyPlan)
    trial: Trial | None = None
    explores: frozenset[str] = frozenset()
    first_sent_at: float = 0.0


@dataclass(slots=True, eq=False)
class RequestDispatcher(ClosingContext):
    """One exchange; `deadline` is a time of `time.monotonic`."""

    state: DispatcherState
    store: StoreReplies
    charge: ChargeAttempt = charge_nothing
    deadline: float = float("inf")
    # touched by the caller's thread alone
    submitted: int = 0
    given: int = 0
    began_at: float = 0.0  # when the first request was submitted
    # touched by the loop's thread alone
    queue: deque[PendingRequest] = field(default_factory=deque[PendingRequest])
    parked: deque[PendingRequest] = field(default_factory=deque[PendingRequest])
    exploring: set[str] = field(default_factory=set[str])
    delayed: list[tuple[float, int, PendingRequest]] = field(default_factory=list[tuple[float, int, PendingRequest]])
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    unstored: list[Reply] = field(default_factory=list[Reply])
    urgent: asyncio.Event = field(default_factory=asyncio.Event)
    storing_task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    # shared: written by the loop's thread, read by the caller's
    changed: threading.Condition = field(default_factory=threading.Condition)
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
        """How many more requests are wanted; none until the queue is half empty, for each hand-over wakes the loop."""
        # As many wait in the queue as are in flight, so that a slow source leaves no slot empty, and memory does not
        # grow with an endless source.
        most = self.state.controller.max_concurrency
        free = 2 * most - (self.submitted - self.finished)
        return free if 2 * free >= most and not self.passed_cap and self.failure is None else 0

    def submit(self, requests: Iterable[Request]) -> None:
        """Send requests, as there are slots for them."""
        pending = [PendingRequest(request) for request in requests]
        self.began_at = self.began_at or time.monotonic()
        self.submitted += len(pending)
        self.state.client.loop_thread.call_soon(self._enqueue_requests, pending)

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
        loop_thread = self.state.client.loop_thread
        if self.given + self.dropped < self.submitted and not loop_thread.loop.is_closed():
            loop_thread.run_coroutine(self._cancel_requests())

    def _raise_failure(self) -> None:
        """Raise what ended the exchange, when everything that came is stored and given."""
        if self.failure and not (self.tasks or self.unstored or self.storing_task or self.stored):
            raise self.failure
        if self.state.client.loop_thread.loop.is_closed():
            raise EngineError("The engine must stay open until every reply has come.")

    def _wait_for_change(self) -> None:
        """Wait until there is something to give; stop the run past the deadline."""
        with self.changed:
            if not self.stored:
                self.changed.wait(CLOCK_CHECK_SECONDS)
        if time.monotonic() > self.deadline:
            self.state.client.loop_thread.call_soon(self._stop_with_error, OutOfTimeError())

    # -- on the loop's thread

    def _enqueue_requests(self, pending: list[PendingRequest]) -> None:
        if self.passed_cap:
            self._drop_requests(len(pending))
            return
        self.queue.extend(pending)
        self._start_requests()

    def _drop_requests(self, number: int) -> None:
        self.dropped += number
        self.finished += number
        self._notify_caller()

    def _start_requests(self) -> None:
        """Start what may start now; look again when the next may."""
        controller, now = self.state.controller, time.monotonic()
        while self.delayed and self.delayed[0][0] <= now:
            # To the front: a retry goes before requests that were never sent, so that replies
            # come roughly in the order of their requests.
            self.queue.appendleft(heapq.heappop(self.delayed)[2])
        slots = controller.free_slots(now) if self.failure is None else 0
        while slots and (pending := self._next_startable()):
            slots -= 1
            controller.in_flight += 1
            self.state.busy.change(1, now)
            task = asyncio.create_task(self._attempt_request(pending))
            self.tasks.add(task)
            task.add_done_callback(self._finish_attempt)
        if self._queue_runs_low:
            self.urgent.set()
        self._schedule_next_start(now)

    @property
    def _queue_runs_low(self) -> bool:
        """Whether the caller is to send more: before the queue is empty, for making requests takes time."""
        return 2 * len(self.queue) < self.state.controller.max_concurrency

    def _next_startable(self) -> PendingRequest | None:
        """The next request that may start; those that ask for what another one is just finding out are parked."""
        profile = self.state.profile
        while self.queue:
            pending = self.queue.popleft()
            self.exploring -= pending.explores
            pending.plan = pending.trial.plan if pending.trial else profile.plan_for(pending.request)
            plans = {pending.plan, pending.trial.first} if pending.trial else {pending.plan}
            unknown = set[str]().union(*(profile.unconfirmed_parts(pending.request, plan) for plan in plans))
            if unknown.isdisjoint(self.exploring):
                pending.explores = frozenset(unknown)
                self.exploring |= unknown
                return pending
            self.parked.append(pending)
        return None

    def _end_exploring(self, pending: PendingRequest) -> None:
        """What a request was to find out is known, or is for another one: those that waited for it may start."""
        if pending.explores:
            self.exploring -= pending.explores
            self.queue.extendleft(reversed(self.parked))
            self.parked.clear()

    def _schedule_next_start(self, now: float) -> None:
        """Start again when the controller's pause ends or a delayed request is due."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        times = [self.delayed[0][0]] if self.delayed else []
        if self.queue and self.state.controller.paused_until > now:
            times.append(self.state.controller.paused_until)
        if times and self.failure is None:
            loop = asyncio.get_running_loop()
            # A millisecond late: a timer that fires early would find nothing due.
            self.timer = loop.call_later(max(0.0, min(times) - now) + 0.001, self._start_requests)

    async def _attempt_request(self, pending: PendingRequest) -> None:
        """Send one request once."""
        state = self.state
        pending.attempts += 1
        started = time.monotonic()
        pending.first_sent_at = started if pending.attempts == 1 else pending.first_sent_at
        body = state.profile.build_body(pending.request, pending.plan)
        pending.body_bytes = len(body)
        streams = pending.plan.stream or state.config.extra.get("stream")
        limit = MAX_STREAM_BYTES if streams else MAX_REPLY_BYTES
        try:
            response = await state.client.send_request("POST", "chat/completions", data=body, max_bytes=limit)
        except ServerUnreachableError as error:
            self._handle_unreachable(pending, error)
        except UnreadableBodyError as error:
            self._handle_unreadable(pending, str(error))
        except ExchangeError as error:
            if isinstance(error, RequestTimeoutError):
                state.controller.record_rejection(time.monotonic())
            self._schedule_retry(pending, str(error), usage=state.estimate_usage(request_bytes=len(body)))
        else:
            self._handle_response(pending, response, time.monotonic() - started)

    def _finish_attempt(self, task: asyncio.Task[None]) -> None:
        """Free the slot of an attempt; an error of ours in it ends everything."""
        self.state.controller.in_flight -= 1
        self.state.busy.change(-1, time.monotonic())
        self.tasks.discard(task)
        if not self.tasks:
            self.urgent.set()
        if not task.cancelled() and (error := task.exception()):
            self._stop_with_error(error)
        self._start_requests()
        if self.failure:
            self._notify_caller()

    def _handle_response(self, pending: PendingRequest, response: HttpResponse, latency: float) -> None:
        """What a whole reply of the server means for its request."""
        controller, now = self.state.controller, time.monotonic()
        if limits := read_rate_limits(response.headers, now=time.time()):
            controller.apply_rate_limits(limits, now)
            if controller.paused_until > now:
                self.state.client.announce_wait(controller.paused_until - now)
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
        state = self.state
        state.learn_answer(pending.request, pending.plan, pending.trial)
        reply = state.build_reply(pending.request, answer, request_bytes=pending.body_bytes)
        if state.controller.record_answer(latency, time.monotonic()):
            LOG.warning("%s answers again", state.client.root)
        self._finish_request(pending, replace(reply, latency=latency, attempts=pending.attempts))

    def _handle_failure(self, pending: PendingRequest, response: HttpResponse) -> None:
        """The server does not answer: another way of asking, another time, or never."""
        state, status = self.state, response.status
        # OpenAI sends 429 for an empty account too; waiting does not fill it.
        if status == 429 and b"insufficient_quota" in response.body:
            self._stop_with_error(refusal_error(state, response))
            return
        if status in {429, 503}:
            state.controller.record_rejection(time.monotonic())
        if self._try_otherwise(pending, response):
            return
        if is_retryable(status):
            self._schedule_retry(pending, f"HTTP {_words_of(response)}", response=response)
        elif status in REQUEST_FAULT_STATUS and state.controller.has_answered:
            # What was said of other ways of asking is beside the point.
            said = pending.trial.refused.words if pending.trial else _words_of(response)
            self._finish_request(pending, Reply(pending.request, error=f"HTTP {said}", attempts=pending.attempts))
        else:
            self._stop_with_error(refusal_error(state, response, pending.trial))

    def _handle_unreadable(self, pending: PendingRequest, problem: str, *, reply_bytes: int = 0) -> None:
        """A reply came that is no completion: this request is tried again, a few times."""
        state = self.state
        usage = state.estimate_usage(request_bytes=pending.body_bytes, reply_bytes=reply_bytes)
        if pending.attempts < MALFORMED_ATTEMPTS:
            self._schedule_retry(pending, problem, usage=usage)
        elif state.controller.has_answered:
            self._fail_request(pending, f"{problem}, after {pending.attempts} attempts", usage)
        else:
            self._stop_with_error(
                EngineError(
                    f"{state.client.root} must be an OpenAI-compatible server; {problem} instead of a "
                    "chat completion. Check engine.url: most end in /v1."
                )
            )

    def _try_otherwise(self, pending: PendingRequest, response: HttpResponse) -> bool:
        """Put a refused request in another way, if one may help; an attempt that was refused costs nothing."""
        state = self.state
        message = response.body[:MAX_READ_CHARS].decode(errors="replace")
        words = _words_of(response)
        refused = Refused(response.status, message, words, pending.attempts, state.controller.has_answered)
        trial = state.profile.try_otherwise(pending.request, pending.plan, refused, pending.trial)
        if trial is None:
            return False
        pending.trial = trial
        problem = f"HTTP {response.status}: it refuses how it is asked"
        if trial.by_failures:
            pending.attempts -= 1
            self._schedule_retry(pending, problem, response=response)
        elif self._charge_attempt(pending, problem, NO_USAGE):
            pending.attempts -= 1
            self.queue.appendleft(pending)
        return True

    def _handle_unreachable(self, pending: PendingRequest, error: ServerUnreachableError) -> None:
        """No connection: fatal where it never can be, else a pause until the server is back."""
        state, now = self.state, time.monotonic()
        first_contact = not state.controller.has_answered
        went_down = state.controller.record_connection_failure(now)
        too_long = now - self.began_at > FIRST_CONTACT_SECONDS
        if first_contact and (error.permanent or too_long):
            self._stop_with_error(_unreachable_server_error(state, str(error)))
            return
        if went_down:
            self._log_server_down(str(error))
        self._stop_if_down_long(str(error))
        pending.attempts -= 1  # nothing reached the server
        self.queue.appendleft(pending)
        if state.controller.down_since is None:
            state.controller.paused_until = now + RETRY.first_delay

    def _schedule_retry(
        self, pending: PendingRequest, problem: str, *, response: HttpResponse | None = None, usage: Usage = NO_USAGE
    ) -> None:
        """Try the request again after a while, unless it was tried often enough; `usage` is what it may have cost."""
        answered = self.state.controller.has_answered
        if pending.attempts >= (RETRY.max_attempts if answered else FIRST_ATTEMPTS):
            self._give_up_request(pending, f"{problem}, after {pending.attempts} attempts", usage)
            return
        if self._charge_attempt(pending, problem, usage):
            chance = keyed_generator(pending.attempts, pending.request.id).random()
            headers = response.headers if response else None
            delay = self.state.client.delay_before_retry(RETRY, pending.attempts, headers=headers, chance=chance)
            heapq.heappush(self.delayed, (time.monotonic() + delay, next(self._order), pending))

    def _charge_attempt(self, pending: PendingRequest, problem: str, usage: Usage) -> bool:
        """Count and store an attempt that failed; whether there may be another."""
        attempt = Reply(pending.request, error=problem, transient=True, usage=usage, will_retry=True)
        if cap := self.charge(attempt):
            self._end_exploring(pending)
            self.passed_cap = cap
            self._drop_requests(1)
        self._store_soon(replace(attempt, attempts=pending.attempts))
        return not cap

    def _give_up_request(self, pending: PendingRequest, problem: str, usage: Usage) -> None:
        """The request fails, unless the server answered nobody meanwhile: then it is down."""
        controller, now = self.state.controller, time.monotonic()
        if not controller.has_answered:
            self._stop_with_error(_unreachable_server_error(self.state, problem))
        elif controller.last_answer_at >= pending.first_sent_at:
            self._fail_request(pending, problem, usage)
        elif self._charge_attempt(pending, problem, usage):
            if controller.mark_down(now):
                self._log_server_down(problem)
            self._stop_if_down_long(problem)
            pending.attempts = 0
            self.queue.append(pending)

    def _fail_request(self, pending: PendingRequest, problem: str, usage: Usage) -> None:
        reply = Reply(pending.request, error=problem, transient=True, attempts=pending.attempts, usage=usage)
        self._finish_request(pending, reply)

    def _stop_if_down_long(self, problem: str) -> None:
        """End the run where the server has answered nobody for long: the same command goes on."""
        down_since = self.state.controller.down_since
        if down_since is not None and time.monotonic() - down_since > MAX_DOWN_SECONDS:
            root, minutes = self.state.client.root, MAX_DOWN_SECONDS / 60
            self._stop_with_error(
                EngineError(
                    f"{root} must be reachable. It has answered nothing for {minutes:.0f} minutes ({problem}). "
                    "The same command goes on once it is back."
                )
            )

    def _log_server_down(self, why: str) -> None:
        root = self.state.client.root
        LOG.warning("%s does not answer (%s); waiting until it is back", root, why)

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
        executor = self.state.client.loop_thread.storage_executor
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
        for task in list(self.tasks):
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


def refusal_error(state: DispatcherState, response: HttpResponse, trial: Trial | None = None) -> EngineError:
    """The error for a server that refuses to work for us, in whatever way it was asked in a trial."""
    root, model, status = state.client.root, state.config.model, response.status
    said = trial.refused.words if trial else _words_of(response)
    status = trial.refused.status if trial else status
    hints = {
        401: "Check the key that engine.key_env names, and engine.key_header.",
        402: "Check the account's balance.",
        403: "Check what the key may do.",
        404: f"Check engine.url, and engine.model ({model}).",
        429: "Check the account's balance.",
    }
    hint = hints.get(status, "Run `kdos doctor` on this configuration.")
    if 300 <= status < 400:
        hint = "Set engine.url to where it is now."
    return EngineError(f"{root} must take our requests. It answered {said}. {hint}")


def _words_of(response: HttpResponse) -> str:
    """The status of a reply that is no answer, and the server's own message."""
    return f"{response.status}: {read_error_message(response.body)}"


def _unreachable_server_error(state: DispatcherState, what: str) -> EngineError:
    return EngineError(f"{state.client.root} must be reachable. {what}. Check engine.url, and that the server runs.")
