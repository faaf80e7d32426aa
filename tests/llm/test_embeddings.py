"""The embeddings endpoint as an embedder."""

from collections.abc import Callable

import numpy as np
import pytest
from aiohttp import web

from kdos.errors import EngineError
from kdos.llm.endpoint_embedder import EndpointEmbedder
from kdos.llm.mock_server import MockServer, hash_embedding, serve_app

Start = Callable[..., tuple[MockServer, str]]


def test_row_i_is_the_vector_of_text_i(start: Start) -> None:
    _, url = start()
    texts = [f"text number {number} of the tests" for number in range(500)]
    with EndpointEmbedder(url, "hashed") as embedder:
        vectors = embedder.embed(texts)
        assert embedder.name == "endpoint:hashed"
    assert vectors.dtype == np.float32
    assert vectors.shape == (500, 64)
    np.testing.assert_allclose(vectors, [hash_embedding(text) for text in texts], atol=1e-6)


def test_no_texts_are_no_vectors(start: Start) -> None:
    _, url = start()
    with EndpointEmbedder(url, "hashed") as embedder:
        assert len(embedder.embed([])) == 0


def test_rows_in_any_order_and_failures_that_pass() -> None:
    seen: list[int] = []

    async def embeddings(request: web.Request) -> web.Response:
        seen.append(1)
        if len(seen) == 1:
            return web.Response(status=429, headers={"Retry-After": "0.05"})
        texts = (await request.json())["input"]
        rows = [{"index": i, "embedding": [float(len(t))]} for i, t in enumerate(texts)]
        return web.json_response({"data": rows[::-1]})

    app = web.Application()
    app.router.add_post("/v1/embeddings", embeddings)
    with serve_app(app) as url, EndpointEmbedder(url, "m") as embedder:
        assert embedder.embed(["a", "bb", "ccc"]).tolist() == [[1.0], [2.0], [3.0]]
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, '{"error": {"message": "no such model"}}', "no such model"),
        (200, "<html>hello</html>", "a web page"),
        (200, '{"data": []}', "data"),
        (200, '{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]}', "different"),
    ],
)
def test_a_server_that_does_not_embed_is_quoted(status: int, body: str, words: str) -> None:
    async def embeddings(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    app = web.Application()
    app.router.add_post("/v1/embeddings", embeddings)
    with serve_app(app) as url, EndpointEmbedder(url, "m") as embedder, pytest.raises(EngineError, match=words):
        embedder.embed(["a", "b"])
