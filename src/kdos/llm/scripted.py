"""An engine made from a function: for tests and rehearsals, in this process and free."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from kdos.tasks import Reply, Request


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that gets no answer, and why; `passing` if it may get one another day."""

    reason: str
    transient: bool = False


Answer = str | Mapping[str, Any] | Failure


class ScriptedEngine:
    """Answers each request with `answer(request)`: a text, JSON, a failure or a whole reply."""

    def __init__(
        self, answer: Callable[[Request], Answer | Reply], *, name: str = "scripted"
    ) -> None:
        self.name = name
        self.fingerprint = f"scripted/{name}"
        self.asked = 0
        self._answer = answer

    def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, in the order of the requests."""
        for request in requests:
            self.asked += 1
            yield build_reply(request, self._answer(request))


def build_reply(request: Request, answer: Answer | Reply) -> Reply:
    """What the script answered, as the reply to `request`."""
    match answer:
        case Reply():
            return answer
        case Failure(reason, passing):
            return Reply(request, error=reason, transient=passing)
        case str():
            return Reply(request, text=answer)
        case _:
            return Reply(request, text=orjson.dumps(answer).decode())
