"""Provider batch files: requests as JSONL at half the price, answered within a day.

The second mode of the `http` engine. Requests go in lots; each lot's batch is remembered before it
is waited for, so a run that is killed finds it again and pays nothing twice. A lot's replies are
kept in one piece.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, cast

import aiohttp
import orjson

from kdos.errors import EngineError
from kdos.llm.client import BrokenError, Fetched, UnreachableError
from kdos.llm.engine import Keep, OutOfTimeError
from kdos.llm.flight import OWN_FAULT, Plane, stopped
from kdos.llm.wire import (
    AGAIN,
    Form,
    WireError,
    body_of,
    excerpt,
    read_answer,
    usage_of,
    words_of,
)
from kdos.tasks import Reply, Request, digest

LOT = 10_000  # requests; providers take 50,000 or 200 MB
DISCOUNT = 0.5
POLL_FIRST, POLL_MOST = 1.0, 60.0  # seconds between two looks
MOST_ATTEMPTS = 3
PATIENCE = 300.0  # seconds without any answer of the server to a look
DONE = frozenset({"completed", "failed", "expired", "cancelled"})
COMPLETIONS = "/v1/chat/completions"


@dataclass(slots=True, eq=False)
class BatchFlight:
    """One `complete` by batch files; `until` is a time of `time.monotonic`."""

    plane: Plane
    keep: Keep
    until: float = float("inf")

    def replies(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, lot by lot."""
        source = iter(requests)
        while lot := list(islice(source, LOT)):
            yield from self.answered(lot)

    def answered(self, requests: list[Request]) -> Iterator[Reply]:
        """The replies of one lot; what a batch leaves out is asked again, a few times."""
        todo = {request.key: request for request in requests}
        for attempt in range(1, MOST_ATTEMPTS + 1):
            replies = self.one_batch(todo, last=attempt == MOST_ATTEMPTS)
            done = [replace(reply, attempts=attempt) for reply in replies]
            self.keep(done)
            yield from done
            for reply in done:
                del todo[reply.request.key]
            if not todo:
                return

    def one_batch(self, todo: dict[str, Request], *, last: bool) -> list[Reply]:
        """Submit, or find what was submitted; wait; read. `last` leaves no request out."""
        form = self.plane.form
        name = f"batch/{digest([form, sorted(todo)])[:32]}"
        number = self.plane.findings.get(name) or self.submit(list(todo.values()))
        self.plane.findings[name] = number
        batch = self.wait(number)
        lines = self.lines(batch, "output_file_id") + self.lines(batch, "error_file_id")
        self.plane.findings.pop(name, None)
        read = (self.read(line, todo, form=form, last=last) for line in lines)
        replies = [reply for reply in read if reply]
        if last:
            problem = f"the batch ended as {batch['status']} without an answer to it"
            answered = {reply.request.key for reply in replies}
            left = [request for key, request in todo.items() if key not in answered]
            replies += [Reply(request, error=problem, passing=True) for request in left]
        return replies

    def submit(self, requests: list[Request]) -> str:
        """Send the lot; gives the batch's name at the server."""
        plane = self.plane
        rows = [
            {
                "custom_id": request.key,
                "method": "POST",
                "url": COMPLETIONS,
                "body": orjson.Fragment(
                    body_of(request, plane.body, max_tokens=plane.max_tokens, form=plane.form)
                ),
            }
            for request in requests
        ]
        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        file = b"\n".join(map(orjson.dumps, rows))
        form.add_field("file", file, filename="kdos.jsonl", content_type="application/jsonl")
        uploaded = as_json(self.post("files", form, json_body=False), self.plane)
        asked = {
            "input_file_id": uploaded["id"],
            "endpoint": COMPLETIONS,
            "completion_window": "24h",
        }
        return str(as_json(self.post("batches", orjson.dumps(asked)), self.plane)["id"])

    def wait(self, number: str) -> dict[str, Any]:
        """Look at the batch until it has ended."""
        pause = POLL_FIRST
        while True:
            batch = as_json(self.get(f"batches/{number}"), self.plane)
            if batch.get("status") in DONE:
                return batch
            if time.monotonic() > self.until:
                raise OutOfTimeError("the time is spent")
            time.sleep(pause)
            pause = min(POLL_MOST, 1.5 * pause)

    def lines(self, batch: dict[str, Any], file: str) -> list[dict[str, Any]]:
        """The rows of one of the batch's files; none if there is no such file."""
        if not batch.get(file):
            return []
        raw = self.get(f"files/{batch[file]}/content")
        return [orjson.loads(line) for line in raw.splitlines() if line.strip()]

    def read(
        self, line: dict[str, Any], todo: dict[str, Request], *, form: Form, last: bool
    ) -> Reply | None:
        """The reply in one row; None where asking again may help."""
        plane = self.plane
        request = todo.get(line.get("custom_id", ""))
        if request is None:
            return None
        response: dict[str, Any] = line.get("response") or {}
        status, raw = response.get("status_code", 0), orjson.dumps(response.get("body"))
        if status == 200:
            try:
                return self.reply(request, raw, form=form)
            except WireError:
                return None
        words = plane.client.key.scrub(words_of(raw if response else orjson.dumps(line)))
        own = status in OWN_FAULT
        if own and request.prompt.schema and not plane.settled and form.weaker:
            plane.form = plane.findings["form"] = form.weaker
            return None
        if own or last:
            return Reply(request, error=f"HTTP {status}: {words}", passing=not own)
        return None

    def reply(self, request: Request, raw: bytes, *, form: Form) -> Reply:
        """The reply in the body of a completion."""
        plane = self.plane
        answer = read_answer(raw)
        if request.prompt.schema and not plane.settled:
            plane.settle(form)
        size = sum(len(message["content"]) for message in request.messages)
        usage = usage_of(answer, size, plane.prices)
        scrub = plane.client.key.scrub
        return Reply(
            request,
            text=scrub(answer.text),
            reasoning=scrub(answer.reasoning),
            finish=answer.finish,
            usage=replace(usage, cost_usd=DISCOUNT * usage.cost_usd),
        )

    def post(self, path: str, data: Any, *, json_body: bool = True) -> bytes:
        """Send once: what broke off may have been taken."""
        client = self.plane.client
        try:
            fetched = client.island.call(client.fetch("POST", path, data=data, json_body=json_body))
        except (BrokenError, UnreachableError) as error:
            raise EngineError(f"{client.endpoint.root} must take batches. {error}.") from error
        return self.body(fetched)

    def get(self, path: str) -> bytes:
        """Fetch, and wait for a server that is away for a while."""
        client, began, pause = self.plane.client, time.monotonic(), POLL_FIRST
        while True:
            try:
                fetched = client.island.call(client.fetch("GET", path))
                if fetched.status not in AGAIN and fetched.status < 500:
                    return self.body(fetched)
                problem = f"HTTP {fetched.status}"
            except (BrokenError, UnreachableError) as error:
                problem = str(error)
            if time.monotonic() - began > PATIENCE:
                raise EngineError(f"{client.endpoint.root} must tell of its batches. {problem}.")
            time.sleep(pause)
            pause = min(POLL_MOST, 1.5 * pause)

    def body(self, fetched: Fetched) -> bytes:
        """The body of a reply, or an error in the server's own words."""
        if fetched.status != 200:
            words = self.plane.client.key.scrub(words_of(fetched.raw))
            raise stopped(self.plane, fetched.status, words)
        return fetched.raw


def as_json(raw: bytes, plane: Plane) -> dict[str, Any]:
    """The JSON object that the server sent."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        value = None
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    raise EngineError(
        f"{plane.client.endpoint.root} must offer batches (engine.batch). It sent {excerpt(raw)}."
    )
