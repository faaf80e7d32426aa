"""Provider batch files: requests as JSONL at half the price, answered within a day.

The second mode of the `http` engine. Requests go in chunks, each one batch. A batch's name at the
server is stored before it is waited for, so a run that is killed finds it again and pays nothing
twice. A batch's replies are stored in one piece.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, cast

import aiohttp
import orjson

from kdos.errors import EngineError
from kdos.llm.dispatcher import DispatcherState, refusal_error
from kdos.llm.engine import OutOfTimeError, StoreReplies
from kdos.llm.protocol import (
    REQUEST_FAULT_STATUS,
    ProtocolError,
    ResponseFormat,
    RetryPolicy,
    body_excerpt,
    is_retryable,
)
from kdos.llm.transport import ExchangeError, HttpResponse
from kdos.tasks import Reply, Request, json_digest

REQUESTS_PER_BATCH = 10_000  # providers take 50,000 or 200 MB
BATCH_PRICE_FACTOR = 0.5
POLLING = RetryPolicy(max_attempts=3, first_delay=1.0, max_delay=60.0, growth=1.5)
"""How often one request is put into a batch, and the delays between two looks at a batch."""

POLL_PATIENCE_SECONDS = 300.0  # without any answer of the server to a look
FINAL_BATCH_STATUS = frozenset({"completed", "failed", "expired", "cancelled"})
COMPLETIONS_PATH = "/v1/chat/completions"


@dataclass(slots=True, eq=False)
class BatchDispatcher:
    """One call of `complete` by batch files; `deadline` is a time of `time.monotonic`."""

    state: DispatcherState
    store: StoreReplies
    deadline: float = float("inf")

    def iterate_replies(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, batch by batch."""
        source = iter(requests)
        while chunk := list(islice(source, REQUESTS_PER_BATCH)):
            yield from self._answer_chunk(chunk)

    def _answer_chunk(self, requests: list[Request]) -> Iterator[Reply]:
        """The replies of one chunk; what a batch leaves out is asked again, a few times."""
        todo = {request.key: request for request in requests}
        for attempt in range(1, POLLING.max_attempts + 1):
            replies = self._run_batch(todo, last=attempt == POLLING.max_attempts)
            replies = [replace(reply, attempts=attempt) for reply in replies]
            self.store(replies)
            yield from replies
            for reply in replies:
                del todo[reply.request.key]
            if not todo:
                return

    def _run_batch(self, todo: dict[str, Request], *, last: bool) -> list[Reply]:
        """Submit, or find what was submitted; wait; read. `last` leaves no request out."""
        form, server_state = self.state.response_format, self.state.server_state
        # The name is a digest of what is asked, so that a later run finds the batch under way.
        name = f"batch/{json_digest([form, sorted(todo)])[:32]}"
        batch_id = server_state.get(name) or self._submit_batch(list(todo.values()))
        server_state[name] = batch_id
        batch = self._wait_for_batch(batch_id)
        rows = self._read_result_file(batch.get("output_file_id"))
        rows += self._read_result_file(batch.get("error_file_id"))
        server_state.pop(name, None)
        read = (self._read_result_row(row, todo, form=form, last=last) for row in rows)
        replies = [reply for reply in read if reply]
        if last:
            problem = f"the batch ended as {batch['status']} without an answer to it"
            answered = {reply.request.key for reply in replies}
            left = [request for key, request in todo.items() if key not in answered]
            replies += [Reply(request, error=problem, transient=True) for request in left]
        return replies

    def _submit_batch(self, requests: list[Request]) -> str:
        """Send a batch; gives its id at the server."""
        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        file = b"\n".join(map(self._batch_row, requests))
        form.add_field("file", file, filename="kdos.jsonl", content_type="application/jsonl")
        uploaded = self._parse_object(self._post_once("files", form))
        batch = {"input_file_id": uploaded["id"], "endpoint": COMPLETIONS_PATH}
        batch["completion_window"] = "24h"
        return str(self._parse_object(self._post_once("batches", orjson.dumps(batch)))["id"])

    def _batch_row(self, request: Request) -> bytes:
        body = orjson.Fragment(self.state.build_body(request, self.state.response_format))
        row = {"custom_id": request.key, "method": "POST", "url": COMPLETIONS_PATH, "body": body}
        return orjson.dumps(row)

    def _wait_for_batch(self, batch_id: str) -> dict[str, Any]:
        """Look at the batch until it has ended."""
        looks = 0
        while True:
            batch = self._parse_object(self._get_patiently(f"batches/{batch_id}"))
            if batch.get("status") in FINAL_BATCH_STATUS:
                return batch
            if time.monotonic() > self.deadline:
                raise OutOfTimeError("the time is spent")
            looks += 1
            time.sleep(POLLING.delay_after(looks))

    def _read_result_file(self, file_id: str | None) -> list[dict[str, Any]]:
        """The rows of one of the batch's files; none if there is no such file."""
        if not file_id:
            return []
        raw = self._get_patiently(f"files/{file_id}/content")
        return [orjson.loads(line) for line in raw.splitlines() if line.strip()]

    def _read_result_row(
        self, row: dict[str, Any], todo: dict[str, Request], *, form: ResponseFormat, last: bool
    ) -> Reply | None:
        """The reply in one row; None where asking again may help."""
        state = self.state
        request = todo.get(row.get("custom_id", ""))
        if request is None:
            return None
        response: dict[str, Any] = row.get("response") or {}
        status, raw = response.get("status_code", 0), orjson.dumps(response.get("body"))
        if status == 200:
            try:
                return self._read_completion(request, raw, form=form)
            except ProtocolError:
                return None
        request_fault = status in REQUEST_FAULT_STATUS
        may_be_form = request_fault and request.prompt.schema and not state.format_confirmed
        if may_be_form and form.weaker:
            # Remembered though not confirmed: the next batch, perhaps of another run, asks so.
            state.response_format = state.server_state["form"] = form.weaker
            return None
        if request_fault or last:
            message = state.client.server_message(raw if response else orjson.dumps(row))
            error = f"HTTP {status}: {message}"
            return Reply(request, error=error, transient=not request_fault)
        return None

    def _read_completion(self, request: Request, raw: bytes, *, form: ResponseFormat) -> Reply:
        """The reply in the body of a completion, at the price of batches."""
        size = sum(len(message["content"]) for message in request.messages)
        reply = self.state.read_reply(request, raw, form=form, request_bytes=size)
        cost = BATCH_PRICE_FACTOR * reply.usage.cost_usd
        return replace(reply, usage=replace(reply.usage, cost_usd=cost))

    def _post_once(self, path: str, data: bytes | aiohttp.FormData) -> bytes:
        """Send without retries: what broke off may have been taken, and would be paid twice."""
        client = self.state.client
        try:
            response = client.call_server("POST", path, data=data)
        except ExchangeError as error:
            raise EngineError(f"{client.root} must take batches. {error}.") from error
        return self._checked_body(response)

    def _get_patiently(self, path: str) -> bytes:
        """Fetch, and wait for a server that is away for a while."""
        client, began, attempts = self.state.client, time.monotonic(), 0
        while True:
            try:
                response = client.call_server("GET", path)
                if not is_retryable(response.status):
                    return self._checked_body(response)
                problem = f"HTTP {response.status}"
            except ExchangeError as error:
                problem = str(error)
            if time.monotonic() - began > POLL_PATIENCE_SECONDS:
                raise EngineError(f"{client.root} must tell of its batches. {problem}.")
            attempts += 1
            time.sleep(POLLING.delay_after(attempts))

    def _checked_body(self, response: HttpResponse) -> bytes:
        """The body of a reply, or an error with the server's own message."""
        if response.status != 200:
            raise refusal_error(self.state, response)
        return response.body

    def _parse_object(self, raw: bytes) -> dict[str, Any]:
        """The JSON object that the server sent."""
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError:
            value = None
        if isinstance(value, dict):
            return cast("dict[str, Any]", value)
        raise EngineError(
            f"{self.state.client.root} must offer batches (engine.batch). "
            f"It sent {body_excerpt(raw)}."
        )
