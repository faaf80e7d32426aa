"""A small task of our own, and mock servers for it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from kdos.config import EngineConfig
from kdos.llm import HttpEngine, ScriptedEngine
from kdos.llm.mock_server import InjectedFaults, MockServer, serve_app
from kdos.tasks import Prompt, Request
from kdos.tasks.prompt import TEXT, an_object

PROMPT = Prompt(task="seed", text="Say the number twice.", schema=an_object(answer=TEXT))


Ask = Callable[[int], Request]


@pytest.fixture
def ask_for() -> Ask:
    """The request for a number."""
    return lambda number: Request(id=f"seed/{number}", prompt=PROMPT, inputs={"number": number})


def twice(request: Request) -> dict[str, str]:
    number = request.inputs["number"]
    return {"answer": f"{number} and {number} again, as it was asked for"}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


Start = Callable[..., tuple[MockServer, str]]


@pytest.fixture
def start(stack: ExitStack) -> Start:
    """Start a mock server; gives it and its address."""

    def start(faults: InjectedFaults | None = None, *, key: str = "") -> tuple[MockServer, str]:
        server = MockServer(ScriptedEngine(twice), [PROMPT], faults=faults, key=key)
        return server, stack.enter_context(serve_app(server.build_app()))

    return start


Connect = Callable[..., HttpEngine]


@pytest.fixture
def connect(stack: ExitStack) -> Connect:
    """An engine on an address, closed at the end."""

    def connect(url: str, **settings: object) -> HttpEngine:
        made = EngineConfig(url=url, model="scripted", **settings)  # pyright: ignore[reportArgumentType]
        return stack.enter_context(HttpEngine(made))

    return connect
