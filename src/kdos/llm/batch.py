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
from kdos.llm.client import ConnectionBrokenError, HttpResponse, ServerUnreachableError
from kdos.llm.engine import OutOfTimeError, StoreReplies
from kdos.llm.flight import REQUEST_FAULT_STATUS, DispatcherState, refusal_error
from kdos.llm.wire import (
    RETRYABLE_STATUS,
    ProtocolError,
    ResponseFormat,
    body_excerpt,
    build_chat_body,
    error_message,
    measure_usage,
    parse_completion,
)
from kdos.tasks import Reply, Request, json_digest

REQUESTS_PER_BATCH = 10_000  # requests; providers take 50,000 or 200 MB
BATCH_PRICE_FACTOR = 0.5
POLL_FIRST, POLL_MOST = 1.0, 60.0  # seconds between two looks
MAX_BATCH_ATTEMPTS = 3
POLL_PATIENCE_SECONDS = 300.0  # seconds without any answer of the server to a look
FINAL_BATCH_STATUS = frozenset({"completed", "failed", "expired", "cancelled"})
COMPLETIONS_PATH = "/v1/chat/completions"


@dataclass(slots=True, eq=False)
class BatchDispatcher:
    """One `complete` by batch files; `until` is a time of `time.monotonic`."""

    state: DispatcherState
    store: StoreReplies
    deadline: float = float("inf")

    def iterate_replies(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, lot by lot."""
        source = iter(requests)
        while lot := list(islice(source, REQUESTS_PER_BATCH)):
            yield from self.answer_chunk(lot)

    def answer_chunk(self, requests: list[Request]) -> Iterator[Reply]:
        """The replies of one lot; what a batch leaves out is asked again, a few times."""
        todo = {request.key: request for request in requests}
        for attempt in range(1, MAX_BATCH_ATTEMPTS + 1):
            replies = self.run_batch(todo, last=attempt == MAX_BATCH_ATTEMPTS)
            done = [replace(reply, attempts=attempt) for reply in replies]
            self.store(done)
            yield from done
            for reply in done:
                del todo[reply.request.key]
            if not todo:
                return

    def run_batch(self, todo: dict[str, Request], *, last: bool) -> list[Reply]:
        """Submit, or find what was submitted; wait; read. `last` leaves no request out."""
        form = self.state.response_format
        name = f"batch/{json_digest([form, sorted(todo)])[:32]}"
        number = self.state.server_state.get(name) or self.submit_batch(list(todo.values()))
        self.state.server_state[name] = number
        batch = self.wait_for_batch(number)
        lines = self.read_result_file(batch, "output_file_id") + self.read_result_file(
            batch, "error_file_id"
        )
        self.state.server_state.pop(name, None)
        read = (self.read_result_row(line, todo, form=form, last=last) for line in lines)
        replies = [reply for reply in read if reply]
        if last:
            problem = f"the batch ended as {batch['status']} without an answer to it"
            answered = {reply.request.key for reply in replies}
            left = [request for key, request in todo.items() if key not in answered]
            replies += [Reply(request, error=problem, transient=True) for request in left]
        return replies

    def submit_batch(self, requests: list[Request]) -> str:
        """Send the lot; gives the batch's name at the server."""
        plane = self.state
        rows = [
            {
                "custom_id": request.key,
                "method": "POST",
                "url": COMPLETIONS_PATH,
                "body": orjson.Fragment(
                    build_chat_body(
                        request,
                        plane.common_fields,
                        max_tokens=plane.max_tokens,
                        response_format=plane.response_format,
                    )
                ),
            }
            for request in requests
        ]
        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        file = b"\n".join(map(orjson.dumps, rows))
        form.add_field("file", file, filename="kdos.jsonl", content_type="application/jsonl")
        uploaded = parse_object(self.post_once("files", form, json_body=False), self.state)
        asked = {
            "input_file_id": uploaded["id"],
            "endpoint": COMPLETIONS_PATH,
            "completion_window": "24h",
        }
        return str(parse_object(self.post_once("batches", orjson.dumps(asked)), self.state)["id"])

    def wait_for_batch(self, number: str) -> dict[str, Any]:
        """Look at the batch until it has ended."""
        pause = POLL_FIRST
        while True:
            batch = parse_object(self.get_patiently(f"batches/{number}"), self.state)
            if batch.get("status") in FINAL_BATCH_STATUS:
                return batch
            if time.monotonic() > self.deadline:
                raise OutOfTimeError("the time is spent")
            time.sleep(pause)
            pause = min(POLL_MOST, 1.5 * pause)

    def read_result_file(self, batch: dict[str, Any], file: str) -> list[dict[str, Any]]:
        """The rows of one of the batch's files; none if there is no such file."""
        if not batch.get(file):
            return []
        raw = self.get_patiently(f"files/{batch[file]}/content")
        return [orjson.loads(line) for line in raw.splitlines() if line.strip()]

    def read_result_row(
        self, line: dict[str, Any], todo: dict[str, Request], *, form: ResponseFormat, last: bool
    ) -> Reply | None:
        """The reply in one row; None where asking again may help."""
        plane = self.state
        request = todo.get(line.get("custom_id", ""))
        if request is None:
            return None
        response: dict[str, Any] = line.get("response") or {}
        status, raw = response.get("status_code", 0), orjson.dumps(response.get("body"))
        if status == 200:
            try:
                return self.read_completion(request, raw, form=form)
            except ProtocolError:
                return None
        words = plane.client.key.redact_text(error_message(raw if response else orjson.dumps(line)))
        own = status in REQUEST_FAULT_STATUS
        if own and request.prompt.schema and not plane.format_confirmed and form.weaker:
            plane.response_format = plane.server_state["form"] = form.weaker
            return None
        if own or last:
            return Reply(request, error=f"HTTP {status}: {words}", transient=not own)
        return None

    def read_completion(self, request: Request, raw: bytes, *, form: ResponseFormat) -> Reply:
        """The reply in the body of a completion."""
        plane = self.state
        answer = parse_completion(raw)
        if request.prompt.schema and not plane.format_confirmed:
            plane.confirm_format(form)
        size = sum(len(message["content"]) for message in request.messages)
        usage = measure_usage(answer, size, plane.prices)
        scrub = plane.client.key.redact_text
        return Reply(
            request,
            text=scrub(answer.text),
            reasoning=scrub(answer.reasoning),
            finish=answer.finish,
            usage=replace(usage, cost_usd=BATCH_PRICE_FACTOR * usage.cost_usd),
        )

    def post_once(self, path: str, data: Any, *, json_body: bool = True) -> bytes:
        """Send once: what broke off may have been taken."""
        client = self.state.client
        try:
            fetched = client.loop_thread.run_coroutine(
                client.send_request("POST", path, data=data, is_json=json_body)
            )
        except (ConnectionBrokenError, ServerUnreachableError) as error:
            raise EngineError(f"{client.endpoint.root} must take batches. {error}.") from error
        return self.checked_body(fetched)

    def get_patiently(self, path: str) -> bytes:
        """Fetch, and wait for a server that is away for a while."""
        client, began, pause = self.state.client, time.monotonic(), POLL_FIRST
        while True:
            try:
                fetched = client.loop_thread.run_coroutine(client.send_request("GET", path))
                if fetched.status not in RETRYABLE_STATUS and fetched.status < 500:
                    return self.checked_body(fetched)
                problem = f"HTTP {fetched.status}"
            except (ConnectionBrokenError, ServerUnreachableError) as error:
                problem = str(error)
            if time.monotonic() - began > POLL_PATIENCE_SECONDS:
                raise EngineError(f"{client.endpoint.root} must tell of its batches. {problem}.")
            time.sleep(pause)
            pause = min(POLL_MOST, 1.5 * pause)

    def checked_body(self, fetched: HttpResponse) -> bytes:
        """The body of a reply, or an error in the server's own words."""
        if fetched.status != 200:
            words = self.state.client.key.redact_text(error_message(fetched.body))
            raise refusal_error(self.state, fetched.status, words)
        return fetched.body


def parse_object(raw: bytes, plane: DispatcherState) -> dict[str, Any]:
    """The JSON object that the server sent."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        value = None
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    raise EngineError(
        f"{plane.client.endpoint.root} must offer batches (engine.batch). "
        f"It sent {body_excerpt(raw)}."
    )
