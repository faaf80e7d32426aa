"""Requests in flight: sent, tried again, answered, kept, given out.

One `Flight` serves one `complete`. What is marked as the loop's runs on the island's event loop,
the rest in the caller's thread; between them pass only whole lists, under one condition.
"""

import asyncio
import heapq
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from kdos.chance import generator
from kdos.errors import EngineError
from kdos.llm.client import (
    ConnectionBrokenError,
    HttpClient,
    HttpResponse,
    RequestTimeoutError,
    ServerUnreachableError,
)
from kdos.llm.engine import OutOfTimeError, StoreReplies
from kdos.llm.pace import AIMDController
from kdos.llm.wire import (
    RETRYABLE_STATUS,
    Prices,
    ProtocolError,
    ResponseFormat,
    build_chat_body,
    error_message,
    measure_usage,
    parse_completion,
    read_rate_limits,
    read_retry_after,
)
from kdos.tasks import Reply, Request

LOG = logging.getLogger("kdos.llm")
MOST_ATTEMPTS, FIRST_ATTEMPTS = 10, 4  # the first where the server has answered something
BACKOFF_FIRST, BACKOFF_MOST = 0.25, 30.0  # seconds
LONGEST_WAIT = 600.0  # seconds that a server may make us wait at once
KEEP_EVERY = 0.1  # seconds between two commits
DRAWN_AT_ONCE, DRAWN_SECONDS = 32, 0.005  # requests handed to the loop together
FIRST_CONTACT_SECONDS = 8.0  # seconds for a server that never answered yet
LOOK_UP = 0.5  # seconds after which the caller looks at the clock
REQUEST_FAULT_STATUS = frozenset({400, 413, 422})
"""Statuses that can be the fault of one request alone."""


@dataclass(slots=True, eq=False)
class DispatcherState:
    """What all flights of an engine share. `body` goes into every request.

    `form` is how the server is asked for JSON; it is `settled` when the server has answered so.
    """

    client: HttpClient
    controller: AIMDController
    server_state: MutableMapping[str, str]
    common_fields: Mapping[str, Any]
    max_tokens: int
    prices: Prices | None
    response_format: ResponseFormat = ResponseFormat.SCHEMA
    format_confirmed: bool = False

    def use_server_state(self, findings: MutableMapping[str, str]) -> None:
        """Begin with what was found out before."""
        self.server_state = findings
        if self.format_confirmed:
            findings["form"] = self.response_format
        elif "form" in findings:
            self.response_format = ResponseFormat(findings["form"])

    def confirm_format(self, form: ResponseFormat) -> None:
        """The server has answered in this form."""
        self.format_confirmed, self.response_format, self.server_state["form"] = True, form, form


@dataclass(slots=True, eq=False)
class PendingRequest:
    """One request on its way."""

    request: Request
    attempts: int = 0
    body_bytes: int = 0
    response_format: ResponseFormat = ResponseFormat.SCHEMA
    first_sent_at: float = 0.0


@dataclass(slots=True, eq=False)
class RequestDispatcher:
    """One `complete` on its way; `until` is a time of `time.monotonic`."""

    state: DispatcherState
    store: StoreReplies
    deadline: float = float("inf")
    # the loop's
    queue: deque[PendingRequest] = field(default_factory=deque[PendingRequest])
    delayed: list[tuple[float, int, PendingRequest]] = field(
        default_factory=list[tuple[float, int, PendingRequest]]
    )
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    unstored: list[Reply] = field(default_factory=list[Reply])
    all_returned: asyncio.Event = field(default_factory=asyncio.Event)
    storing_task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    started_at: float = field(default_factory=time.monotonic)
    # shared
    changed: threading.Condition = field(default_factory=threading.Condition)
    stored: deque[Reply] = field(default_factory=deque[Reply])
    finished: int = 0
    failure: BaseException | None = None
    wants_requests: bool = False
    _order: Iterator[int] = field(default_factory=count)

    # -- the caller's side

    def iterate_replies(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request."""
        source = iter(requests)
        drawn, given, more = 0, 0, True
        room = 2 * self.state.controller.max_concurrency
        island = self.state.client.loop_thread

        def drawing() -> bool:
            return more and self.failure is None and drawn - self.finished < room

        try:
            while True:
                while drawing():
                    jobs, more = take_requests(source)
                    drawn += len(jobs)
                    self.wants_requests = False
                    island.call_soon(self._enqueue_requests, jobs)
                while self.stored and not (self.wants_requests and drawing()):
                    given += 1
                    yield self.stored.popleft()
                if self.failure and self._is_idle():
                    raise self.failure
                if given == drawn and not more:
                    return
                self._wait_for_change(drawing=drawing())
                if island.loop.is_closed():
                    raise EngineError("The engine must stay open until every reply has come.")
        finally:
            if given < drawn and not island.loop.is_closed():
                island.run_coroutine(self._cancel_requests())

    def _wait_for_change(self, *, drawing: bool) -> None:
        """Until there is something to give out, or to draw; looks at the clock now and then."""
        with self.changed:
            if not self.stored and not (drawing and self.wants_requests):
                self.changed.wait(LOOK_UP)
        if time.monotonic() > self.deadline:
            self.state.client.loop_thread.call_soon(
                self._stop_with_error, OutOfTimeError("the time is spent")
            )

    def _is_idle(self) -> bool:
        """Whether nothing is in flight and everything that came was kept and given out."""
        return (
            not self.tasks and not self.unstored and self.storing_task is None and not self.stored
        )

    # -- the loop's side

    def _enqueue_requests(self, jobs: list[PendingRequest]) -> None:
        self.queue.extend(jobs)
        self._start_requests()

    def _start_requests(self) -> None:
        """Start what may start now; look again when the next may."""
        pace, now = self.state.controller, time.monotonic()
        while self.delayed and self.delayed[0][0] <= now:
            self.queue.appendleft(heapq.heappop(self.delayed)[2])
        room = pace.free_slots(now) if self.failure is None else 0
        for _ in range(min(room, len(self.queue))):
            pace.in_flight += 1
            task = asyncio.create_task(self._attempt_request(self.queue.popleft()))
            self.tasks.add(task)
            task.add_done_callback(self._finish_attempt)
        if len(self.queue) < max(1, pace.max_concurrency // 2) and not self.wants_requests:
            self.wants_requests = True
            self._notify_caller()
        self._schedule_next_start(now)

    def _schedule_next_start(self, now: float) -> None:
        """Pump again when the gate opens or a delayed request is due."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        times = [self.delayed[0][0]] if self.delayed else []
        if self.queue and self.state.controller.paused_until > now:
            times.append(self.state.controller.paused_until)
        if times and self.failure is None:
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(max(0.0, min(times) - now) + 0.001, self._start_requests)

    async def _attempt_request(self, job: PendingRequest) -> None:
        """One attempt at one request."""
        plane = self.state
        job.attempts += 1
        job.response_format, started = plane.response_format, time.monotonic()
        job.first_sent_at = started if job.attempts == 1 else job.first_sent_at
        try:
            body = build_chat_body(
                job.request,
                plane.common_fields,
                max_tokens=plane.max_tokens,
                response_format=job.response_format,
            )
            job.body_bytes = len(body)
            fetched = await plane.client.send_request("POST", "chat/completions", data=body)
        except ServerUnreachableError as error:
            self._handle_unreachable(job, error)
        except ConnectionBrokenError as error:
            if isinstance(error, RequestTimeoutError):
                plane.controller.record_rejection(time.monotonic())
            self._schedule_retry(job, str(error))
        else:
            self._handle_response(job, fetched, time.monotonic() - started)

    def _finish_attempt(self, task: asyncio.Task[None]) -> None:
        """An attempt is over; an error of ours in it ends everything."""
        self.state.controller.in_flight -= 1
        self.tasks.discard(task)
        if not self.tasks:
            self.all_returned.set()
        if not task.cancelled() and (error := task.exception()):
            self._stop_with_error(error)
        self._start_requests()
        if self.failure:
            self._notify_caller()

    def _handle_response(self, job: PendingRequest, fetched: HttpResponse, latency: float) -> None:
        """What a whole reply of the server means for its request."""
        pace, now = self.state.controller, time.monotonic()
        if limits := read_rate_limits(fetched.headers):
            pace.apply_rate_limits(limits, now)
        if fetched.status == 200:
            self._handle_answer(job, fetched, latency)
        elif fetched.status in RETRYABLE_STATUS or fetched.status >= 500:
            words = self._server_message(fetched)
            if fetched.status == 429 and b"insufficient_quota" in fetched.body:
                self._stop_with_error(refusal_error(self.state, fetched.status, words))
                return
            if fetched.status in {429, 503}:
                pace.record_rejection(now)
            asked = min(read_retry_after(fetched.headers, now=time.time()), LONGEST_WAIT)
            self._schedule_retry(job, f"HTTP {fetched.status}: {words}", wait=asked)
        else:
            self._handle_refusal(job, fetched)

    def _handle_answer(self, job: PendingRequest, fetched: HttpResponse, latency: float) -> None:
        """The request has its answer."""
        plane = self.state
        try:
            answer = parse_completion(fetched.body)
        except ProtocolError as error:
            if not plane.controller.has_answered:
                self._stop_with_error(incompatible_server_error(plane, str(error)))
            else:
                self._schedule_retry(job, str(error))
            return
        if job.request.prompt.schema and not plane.format_confirmed:
            plane.confirm_format(job.response_format)
        if plane.controller.record_answer(latency, time.monotonic()):
            LOG.warning("%s answers again", plane.client.endpoint.root)
        scrub = plane.client.key.redact_text
        self._finish_request(
            Reply(
                job.request,
                text=scrub(answer.text),
                reasoning=scrub(answer.reasoning),
                finish=answer.finish,
                usage=measure_usage(answer, job.body_bytes, plane.prices),
                latency=latency,
                attempts=job.attempts,
            )
        )

    def _handle_refusal(self, job: PendingRequest, fetched: HttpResponse) -> None:
        """The server will not have it: the form of the answer, this request, or all of them."""
        plane, words = self.state, self._server_message(fetched)
        own = fetched.status in REQUEST_FAULT_STATUS
        formal = (
            (own or fetched.status == 501)
            and job.request.prompt.schema
            and not plane.format_confirmed
        )
        if formal and (
            job.response_format is not plane.response_format or plane.response_format.weaker
        ):
            if job.response_format is plane.response_format and plane.response_format.weaker:
                plane.response_format = plane.response_format.weaker
            job.attempts -= 1
            self.queue.appendleft(job)
        elif own and plane.controller.has_answered:
            self._finish_request(
                Reply(
                    job.request,
                    error=f"HTTP {fetched.status}: {words}",
                    attempts=job.attempts,
                )
            )
        else:
            self._stop_with_error(refusal_error(plane, fetched.status, words))

    def _handle_unreachable(self, job: PendingRequest, error: ServerUnreachableError) -> None:
        """No connection: fatal where it never can be, else a pause until the server is back."""
        plane, now = self.state, time.monotonic()
        new = not plane.controller.has_answered
        went_down = plane.controller.record_connection_failure(now)
        if new and (error.for_good or now - self.started_at > FIRST_CONTACT_SECONDS):
            self._stop_with_error(unreachable_server_error(plane, str(error)))
        else:
            if went_down:
                self._log_server_down(str(error))
            job.attempts -= 1
            self.queue.appendleft(job)
            if plane.controller.down_since is None:
                plane.controller.paused_until = now + BACKOFF_FIRST

    def _schedule_retry(self, job: PendingRequest, problem: str, *, wait: float = 0.0) -> None:
        """Try the request again after a while, unless it was tried often enough."""
        if job.attempts >= (
            MOST_ATTEMPTS if self.state.controller.has_answered else FIRST_ATTEMPTS
        ):
            self._give_up_request(job, f"{problem}, after {job.attempts} attempts")
            return
        chance = generator(job.attempts, job.request.id)
        backoff = min(BACKOFF_MOST, BACKOFF_FIRST * 2 ** (job.attempts - 1))
        due = time.monotonic() + max(wait, backoff * (0.5 + 0.5 * chance.random()))
        heapq.heappush(self.delayed, (due, next(self._order), job))

    def _give_up_request(self, job: PendingRequest, problem: str) -> None:
        """The request fails, unless the server answered nobody meanwhile: then it is down."""
        pace = self.state.controller
        if not pace.has_answered:
            self._stop_with_error(unreachable_server_error(self.state, problem))
        elif pace.last_answer_at >= job.first_sent_at:
            self._finish_request(
                Reply(job.request, error=problem, transient=True, attempts=job.attempts)
            )
        else:
            if pace.mark_down(time.monotonic()):
                self._log_server_down(problem)
            job.attempts = 0
            self.queue.append(job)

    def _log_server_down(self, why: str) -> None:
        root = self.state.client.endpoint.root
        LOG.warning("%s does not answer (%s); waiting until it is back", root, why)

    def _finish_request(self, reply: Reply) -> None:
        """A reply is there; it is kept before the caller gets it."""
        self.unstored.append(reply)
        self.finished += 1
        if self.storing_task is None:
            self.storing_task = asyncio.create_task(self._store_replies())

    async def _store_replies(self) -> None:
        """Keep what arrives, in lots, off the loop."""
        loop = asyncio.get_running_loop()
        keeper = self.state.client.loop_thread.storage_executor
        try:
            while self.unstored:
                lot, self.unstored = self.unstored, []
                await loop.run_in_executor(keeper, self.store, lot)
                self.stored.extend(lot)
                self._notify_caller()
                await self._gather_replies()
        except Exception as error:  # the caller must hear of it in its own thread
            self._stop_with_error(error)
        finally:
            self.storing_task = None
            self._notify_caller()

    async def _gather_replies(self) -> None:
        """Let replies gather for the next lot, unless none can come."""
        self.all_returned.clear()
        if self.tasks:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.all_returned.wait(), KEEP_EVERY)

    async def _cancel_requests(self) -> None:
        """The caller has left: cancel what flies, keep what has come."""
        self.failure = self.failure or GeneratorExit()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.timer is not None:
            self.timer.cancel()
        while self.storing_task is not None:
            await asyncio.wait({self.storing_task})

    def _stop_with_error(self, error: BaseException) -> None:
        """Nothing more can be asked; what is in flight may still land."""
        self.failure = self.failure or error
        self._notify_caller()

    def _notify_caller(self) -> None:
        with self.changed:
            self.changed.notify()

    def _server_message(self, fetched: HttpResponse) -> str:
        """The server's own words, without the key."""
        return self.state.client.key.redact_text(error_message(fetched.body))


def take_requests(source: Iterator[Request]) -> tuple[list[PendingRequest], bool]:
    """The next jobs, as many as come quickly, and whether there may be more."""
    jobs: list[PendingRequest] = []
    began = time.monotonic()
    for request in source:
        jobs.append(PendingRequest(request))
        if len(jobs) >= DRAWN_AT_ONCE or time.monotonic() - began > DRAWN_SECONDS:
            return jobs, True
    return jobs, False


def refusal_error(plane: DispatcherState, status: int, words: str) -> EngineError:
    """The error for a server that refuses to work for us."""
    root, model = plane.client.endpoint.root, plane.common_fields["model"]
    hints = {
        401: "Check the key that engine.key_env names.",
        402: "Check the account's balance.",
        403: "Check what the key may do.",
        404: f"Check engine.url, and engine.model ({model}).",
        429: "Check the account's balance.",
    }
    hint = hints.get(status, "Run `kdos doctor` on this configuration.")
    return EngineError(f"{root} must take our requests. It answered {status}: {words}. {hint}")


def incompatible_server_error(plane: DispatcherState, what: str) -> EngineError:
    """The error for a server of another kind."""
    return EngineError(
        f"{plane.client.endpoint.root} must be an OpenAI-compatible server; {what} instead of a "
        "chat completion. Check engine.url: most end in /v1."
    )


def unreachable_server_error(plane: DispatcherState, what: str) -> EngineError:
    """The error for a server that is not there."""
    return EngineError(
        f"{plane.client.endpoint.root} must be reachable. {what}. "
        "Check engine.url, and that the server runs."
    )
