"""The hostile server itself: every fault can be met, and the same requests meet the same faults."""

import http.client
import json
import socket
from urllib.parse import urlsplit

import pytest
from hostile_server import (
    BATCH_ROW_FAULTS,
    CHAT_FAULTS,
    EMBEDDING_FAULTS,
    HostileServer,
    drop_field,
    pack_zeros,
    set_field,
    spoil_batch_file,
)

from kdos.chance import keyed_generator
from kdos.llm import ScriptedEngine
from kdos.llm.mock_server import serve_app
from kdos.tasks import Prompt
from kdos.tasks.prompt import TEXT, an_object

PROMPT = Prompt(task="seed", text="Say the number.", schema=an_object(answer=TEXT))
CHAT = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]}).encode()
EMBED = json.dumps({"model": "m", "input": ["one", "two"]}).encode()


def hostile(**settings: object) -> HostileServer:
    engine = ScriptedEngine(lambda _: {"answer": "1"})
    return HostileServer(engine, [PROMPT], endless_bytes=2**20, slow_seconds=0.0, **settings)  # pyright: ignore


def exchange(url: str, path: str, body: bytes) -> bytes:
    """What the server sends to one request, headers included, until it closes or a second is over."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), 1) as connection:
        lines = [f"POST /v1/{path} HTTP/1.1", "Host: a", "Connection: close", f"Content-Length: {len(body)}"]
        lines += ["Authorization: Bearer sk-CANARY0123456789", "", ""]
        connection.sendall("\r\n".join(lines).encode() + body)
        received = b""
        try:
            while block := connection.recv(2**16):
                received += block
        except (TimeoutError, ConnectionError):
            pass
        return received


@pytest.mark.parametrize("fault", [fault for fault in (*CHAT_FAULTS, *EMBEDDING_FAULTS) if fault != "hang"])
def test_every_fault_is_met_and_leaves_the_server_well(fault: str) -> None:
    embedding = fault in EMBEDDING_FAULTS
    server = hostile(share=1.0, faults=[fault], most_times=1)
    path, body = ("embeddings", EMBED) if embedding else ("chat/completions", CHAT)
    with serve_app(server.build_app()) as url:
        met, well = exchange(url, path, body), exchange(url, path, body)
    assert server.met == {fault: 1}
    assert b"200 OK" in well
    assert met != well


def test_the_same_requests_meet_the_same_faults_in_any_order() -> None:
    bodies = [json.dumps({"messages": [], "n": number}).encode() for number in range(40)]

    def faults(order: list[bytes]) -> dict[bytes, list[str]]:
        server = hostile(random_seed=5)
        drawn: dict[bytes, list[str]] = {body: [] for body in bodies}
        for body in order * 2:
            drawn[body].append(server._draw("chat", "/v1/chat/completions", body)[0])
        return drawn

    assert faults(bodies) == faults(bodies[::-1])
    assert len({fault for drawn in faults(bodies).values() for fault in drawn}) > 5


@pytest.mark.parametrize("fault", BATCH_ROW_FAULTS)
def test_rows_of_batches_are_spoilt(fault: str) -> None:
    row = {"custom_id": "a", "response": {"status_code": 200, "body": {"choices": [{"message": {"content": "x"}}]}}}
    good = b"\n".join(json.dumps(row | {"custom_id": str(n)}).encode() for n in range(50))
    spoilt = spoil_batch_file(good, fault, "sk-CANARY0123456789", keyed_generator(0, fault))
    assert spoilt != good
    assert sum(line in good.splitlines() for line in spoilt.splitlines()) > 10


def test_fields_are_set_and_dropped_anywhere() -> None:
    assert set_field({}, ("a", 0, "b"), 5) == {"a": [{"b": 5}]}
    assert drop_field({"a": [{"b": 5, "c": 6}]}, ("a", 0, "b")) == {"a": [{"c": 6}]}
    assert len(pack_zeros(2**22)) < 2**14


def test_an_unlisted_path_is_served_as_ever() -> None:
    with serve_app(hostile(share=1.0).build_app()) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        connection.request("GET", "/count")
        assert connection.getresponse().status == 200
        connection.close()
