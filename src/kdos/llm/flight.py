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
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from kdos.chance import generator
from kdos.errors import EngineError
from kdos.llm.client import BrokenError, Client, Fetched, TimedOutError, UnreachableError
from kdos.llm.engine import Keep, OutOfTimeError
from kdos.llm.pace import Pace
from kdos.llm.wire import (
    AGAIN,
    Form,
    Prices,
    WireError,
    allowances,
    body_of,
    read_answer,
    retry_after,
    usage_of,
    words_of,
)
from kdos.tasks import Reply, Request

LOG = logging.getLogger("kdos.llm")
MOST_ATTEMPTS = 10
BACKOFF_FIRST, BACKOFF_MOST = 0.25, 30.0  # seconds
LONGEST_WAIT = 600.0  # seconds that a server may make us wait at once
KEEP_EVERY = 0.1  # seconds between two commits
DRAWN_AT_ONCE, DRAWN_SECONDS = 32, 0.005  # requests handed to the loop together
PATIENCE = 8.0  # seconds for a server that never answered yet
LOOK_UP = 0.5  # seconds after which the caller looks at the clock
OWN_FAULT = frozenset({400, 413, 422})
"""Statuses that can be the fault of one request alone."""


@dataclass(frozen=True, slots=True)
class Plane:
    """What all flights of an engine share. `body` goes into every request."""

    client: Client
    pace: Pace
    findings: MutableMapping[str, str]
    body: Mapping[str, Any]
    max_tokens: int
    prices: Prices | None

    @property
    def form(self) -> Form:
        """How the server is asked for JSON."""
        return Form(self.findings.get("form", Form.SCHEMA))


@dataclass(slots=True, eq=False)
class Job:
    """One request on its way."""

    request: Request
    attempts: int = 0
    size: int = 0
    problem: str = ""
    form: Form = Form.SCHEMA


@dataclass(slots=True, eq=False)
class Flight:
    """One `complete` on its way; `until` is a time of `time.monotonic`."""

    plane: Plane
    keep: Keep
    until: float = float("inf")
    # the loop's
    queue: deque[Job] = field(default_factory=deque[Job])
    delayed: list[tuple[float, int, Job]] = field(default_factory=list[tuple[float, int, Job]])
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    arrived: list[Reply] = field(default_factory=list[Reply])
    keeping: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    began: float = field(default_factory=time.monotonic)
    # shared
    changed: threading.Condition = field(default_factory=threading.Condition)
    kept: deque[Reply] = field(default_factory=deque[Reply])
    finished: int = 0
    failure: BaseException | None = None
    hungry: bool = False
    _order: Iterator[int] = field(default_factory=count)

    # -- the caller's side

    def replies(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request."""
        source = iter(requests)
        drawn, given, more = 0, 0, True
        room = 2 * self.plane.pace.most
        island = self.plane.client.island
        try:
            while True:
                while more and drawn - self.finished < room and self.failure is None:
                    jobs, more = draw(source)
                    drawn += len(jobs)
                    self.hungry = False
                    island.soon(self._add, jobs)
                while self.kept:
                    given += 1
                    yield self.kept.popleft()
                if self.failure and self._idle():
                    raise self.failure
                if given == drawn and not more:
                    return
                self._wait(hungry=more)
                if island.loop.is_closed():
                    raise EngineError("The engine must stay open until every reply has come.")
        finally:
            if given < drawn and not island.loop.is_closed():
                island.call(self._abandon())

    def _wait(self, *, hungry: bool) -> None:
        """Until there is something to give out, or to draw; looks at the clock now and then."""
        with self.changed:
            if not self.kept and not (hungry and self.hungry):
                self.changed.wait(LOOK_UP)
        if time.monotonic() > self.until:
            self.plane.client.island.soon(self._fail, OutOfTimeError("the time is spent"))

    def _idle(self) -> bool:
        """Whether nothing is in flight and everything that came was kept and given out."""
        return not self.tasks and not self.arrived and self.keeping is None and not self.kept

    # -- the loop's side

    def _add(self, jobs: list[Job]) -> None:
        self.queue.extend(jobs)
        self._pump()

    def _pump(self) -> None:
        """Start what may start now; look again when the next may."""
        pace, now = self.plane.pace, time.monotonic()
        while self.delayed and self.delayed[0][0] <= now:
            self.queue.appendleft(heapq.heappop(self.delayed)[2])
        room = pace.room(now) if self.failure is None else 0
        for _ in range(min(room, len(self.queue))):
            pace.flying += 1
            task = asyncio.create_task(self._fly(self.queue.popleft()))
            self.tasks.add(task)
            task.add_done_callback(self._down)
        if len(self.queue) < max(1, pace.most // 2) and not self.hungry:
            self.hungry = True
            self._notify()
        self._set_timer(now)

    def _set_timer(self, now: float) -> None:
        """Pump again when the gate opens or a delayed request is due."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        times = [self.delayed[0][0]] if self.delayed else []
        if self.queue and self.plane.pace.closed_until > now:
            times.append(self.plane.pace.closed_until)
        if times and self.failure is None:
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(max(0.0, min(times) - now) + 0.001, self._pump)

    async def _fly(self, job: Job) -> None:
        """One attempt at one request."""
        plane = self.plane
        job.attempts += 1
        job.form = plane.form
        started = time.monotonic()
        try:
            body = body_of(job.request, plane.body, max_tokens=plane.max_tokens, form=job.form)
            job.size = len(body)
            fetched = await plane.client.fetch("POST", "chat/completions", data=body)
        except UnreachableError as error:
            self._not_reached(job, error)
        except BrokenError as error:
            if isinstance(error, TimedOutError):
                plane.pace.turned_away(time.monotonic())
            self._again(job, str(error))
        else:
            self._landed(job, fetched, time.monotonic() - started)

    def _down(self, task: asyncio.Task[None]) -> None:
        """An attempt is over; an error of ours in it ends everything."""
        self.plane.pace.flying -= 1
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._fail(error)
        self._pump()
        if self.failure:
            self._notify()

    def _landed(self, job: Job, fetched: Fetched, latency: float) -> None:
        """What a whole reply of the server means for its request."""
        pace, now = self.plane.pace, time.monotonic()
        if limits := allowances(fetched.headers):
            pace.told(limits, now)
        if fetched.status == 200:
            self._answered(job, fetched, latency)
        elif fetched.status in AGAIN or fetched.status >= 500:
            words = self._words(fetched)
            if fetched.status == 429 and b"insufficient_quota" in fetched.raw:
                self._fail(stopped(self.plane, fetched.status, words))
                return
            if fetched.status in {429, 503}:
                pace.turned_away(now)
            asked = min(retry_after(fetched.headers, now=time.time()), LONGEST_WAIT)
            self._again(job, f"HTTP {fetched.status}: {words}", wait=asked)
        else:
            self._refused(job, fetched)

    def _answered(self, job: Job, fetched: Fetched, latency: float) -> None:
        """The request has its answer."""
        plane = self.plane
        try:
            answer = read_answer(fetched.raw)
        except WireError as error:
            if not plane.pace.proven:
                self._fail(not_compatible(plane, str(error)))
            else:
                self._again(job, str(error))
            return
        plane.findings["form"] = job.form
        if plane.pace.answered(latency, time.monotonic()):
            LOG.warning("%s answers again", plane.client.endpoint.root)
        scrub = plane.client.key.scrub
        self._finish(
            Reply(
                job.request,
                text=scrub(answer.text),
                reasoning=scrub(answer.reasoning),
                finish=answer.finish,
                usage=usage_of(answer, job.size, plane.prices),
                latency=latency,
                attempts=job.attempts,
            )
        )

    def _refused(self, job: Job, fetched: Fetched) -> None:
        """The server will not have it: the form of the answer, this request, or all of them."""
        plane, words = self.plane, self._words(fetched)
        lower = {Form.SCHEMA: Form.OBJECT, Form.OBJECT: Form.NONE}.get(job.form)
        own = fetched.status in OWN_FAULT
        if (own or fetched.status == 501) and lower and not plane.pace.proven:
            plane.findings["form"] = lower
            job.problem = job.problem or f"HTTP {fetched.status}: {words}"
            self.queue.appendleft(job)
        elif own and plane.pace.proven:
            self._finish(
                Reply(
                    job.request,
                    error=f"HTTP {fetched.status}: {words}",
                    attempts=job.attempts,
                )
            )
        else:
            self._fail(stopped(plane, fetched.status, words))

    def _not_reached(self, job: Job, error: UnreachableError) -> None:
        """No connection: fatal where it never can be, else a pause until the server is back."""
        plane, now = self.plane, time.monotonic()
        new = not plane.pace.proven
        went_down = plane.pace.failed_to_connect(now)
        if new and (error.for_good or now - self.began > PATIENCE):
            self._fail(unreachable(plane, str(error)))
        else:
            if went_down:
                LOG.warning(
                    "%s cannot be reached (%s); waiting until it is back",
                    plane.client.endpoint.root,
                    error,
                )
            job.attempts -= 1
            self.queue.appendleft(job)
            if plane.pace.down_since is None:
                plane.pace.closed_until = now + BACKOFF_FIRST

    def _again(self, job: Job, problem: str, *, wait: float = 0.0) -> None:
        """Try the request again after a while, unless it was tried often enough."""
        if job.attempts >= MOST_ATTEMPTS:
            self._give_up_on(job, f"{problem}, after {job.attempts} attempts")
            return
        chance = generator(job.attempts, job.request.id)
        backoff = min(BACKOFF_MOST, BACKOFF_FIRST * 2 ** (job.attempts - 1))
        due = time.monotonic() + max(wait, backoff * (0.5 + 0.5 * chance.random()))
        heapq.heappush(self.delayed, (due, next(self._order), job))

    def _give_up_on(self, job: Job, problem: str) -> None:
        """End a request without an answer; the next run asks it again."""
        self._finish(Reply(job.request, error=problem, passing=True, attempts=job.attempts))

    def _finish(self, reply: Reply) -> None:
        """A reply is there; it is kept before the caller gets it."""
        self.arrived.append(reply)
        self.finished += 1
        if self.keeping is None:
            self.keeping = asyncio.create_task(self._keep_all())

    async def _keep_all(self) -> None:
        """Keep what arrives, in lots, off the loop."""
        loop = asyncio.get_running_loop()
        keeper = self.plane.client.island.keeper
        try:
            while self.arrived:
                lot, self.arrived = self.arrived, []
                await loop.run_in_executor(keeper, self.keep, lot)
                self.kept.extend(lot)
                self._notify()
                await asyncio.sleep(KEEP_EVERY)
        except Exception as error:  # the caller must hear of it in its own thread
            self._fail(error)
        finally:
            self.keeping = None
            self._notify()

    async def _abandon(self) -> None:
        """The caller has left: cancel what flies, keep what has come."""
        self.failure = self.failure or GeneratorExit()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.timer is not None:
            self.timer.cancel()
        while self.keeping is not None:
            await asyncio.wait({self.keeping})

    def _fail(self, error: BaseException) -> None:
        """Nothing more can be asked; what is in flight may still land."""
        self.failure = self.failure or error
        self._notify()

    def _notify(self) -> None:
        with self.changed:
            self.changed.notify()

    def _words(self, fetched: Fetched) -> str:
        """The server's own words, without the key."""
        return self.plane.client.key.scrub(words_of(fetched.raw))


def draw(source: Iterator[Request]) -> tuple[list[Job], bool]:
    """The next jobs, as many as come quickly, and whether there may be more."""
    jobs: list[Job] = []
    began = time.monotonic()
    for request in source:
        jobs.append(Job(request))
        if len(jobs) >= DRAWN_AT_ONCE or time.monotonic() - began > DRAWN_SECONDS:
            return jobs, True
    return jobs, False


def stopped(plane: Plane, status: int, words: str) -> EngineError:
    """The error for a server that refuses to work for us."""
    root, model = plane.client.endpoint.root, plane.body["model"]
    hints = {
        401: "Check the key that engine.key_env names.",
        402: "Check the account's balance.",
        403: "Check what the key may do.",
        404: f"Check engine.url, and engine.model ({model}).",
        429: "Check the account's balance.",
    }
    hint = hints.get(status, "Run `kdos doctor` on this configuration.")
    return EngineError(f"{root} must take our requests. It answered {status}: {words}. {hint}")


def not_compatible(plane: Plane, what: str) -> EngineError:
    """The error for a server of another kind."""
    return EngineError(
        f"{plane.client.endpoint.root} must be an OpenAI-compatible server; {what} instead of a "
        "chat completion. Check engine.url: most end in /v1."
    )


def unreachable(plane: Plane, what: str) -> EngineError:
    """The error for a server that is not there."""
    return EngineError(
        f"{plane.client.endpoint.root} must be reachable. {what}. "
        "Check engine.url, and that the server runs."
    )
