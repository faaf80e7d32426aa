"""HTTP to one server for synchronous callers: event loop on a thread, API key, connection pool."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp

from kdos.errors import ConfigError
from kdos.llm.protocol import error_message, find_api_root

Result = TypeVar("Result")

CONNECT_SECONDS = 15.0
LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
KEY_PLACEHOLDER = "[key]"
MIN_REDACTED_CHARS = 8  # a shorter key may be a word of the text


class EventLoopThread:
    """An event loop on a thread of its own: the only place where anything is asynchronous.

    `storage_executor` is a second thread, for work that would block the loop.
    """

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.storage_executor = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-storage")
        self._thread = threading.Thread(target=self._run_loop, name=name, daemon=True)
        self._thread.start()

    def run_coroutine(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine on the loop and wait for its result."""
        future: Future[Result] = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def call_soon(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function on the loop, without waiting."""
        self.loop.call_soon_threadsafe(function, *arguments)

    def close(self) -> None:
        """Cancel what still runs and end both threads."""
        if self.loop.is_closed():
            return
        self.run_coroutine(_cancel_other_tasks())
        self.call_soon(self.loop.stop)
        self._thread.join()
        self.storage_executor.shutdown()
        self.loop.close()

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


async def _cancel_other_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A secret that does not show in `repr`; `redact_text` takes it out of a text."""

    secret: str = field(default="", repr=False)

    def redact_text(self, text: str) -> str:
        """The text without the key: servers repeat it in their error messages."""
        redactable = len(self.secret) >= MIN_REDACTED_CHARS
        return text.replace(self.secret, KEY_PLACEHOLDER) if redactable else text


def find_api_key(name: str | None, environment: Mapping[str, str] = os.environ) -> ApiKey:
    """The key in the variable `name`, or in the file that `name`_FILE names; none without a name.

    Raises:
        ConfigError: Neither is set, or the file cannot be read.
    """
    if not name:
        return ApiKey()
    if secret := environment.get(name, "").strip():
        return ApiKey(secret)
    file = environment.get(f"{name}_FILE", "")
    if not file:
        raise ConfigError(
            f"engine.key_env names the environment variable that holds the key. {name} is not set. "
            f"Set it, or set {name}_FILE to a file that holds the key."
        )
    try:
        secret = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}_FILE must name a file that holds the key. {error}.") from error
    if not secret:
        raise ConfigError(f"{name}_FILE must name a file that holds the key. {file} is empty.")
    return ApiKey(secret)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A reply of the server: its status, headers (any case) and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ExchangeError(Exception):
    """No whole reply came: the connection broke off, and the same request may succeed at once."""

    permanent = False
    """Whether a retry cannot help."""


class RequestTimeoutError(ExchangeError):
    """No whole reply came in time."""


class ServerUnreachableError(ExchangeError):
    """No connection was made."""


class NoSuchServerError(ServerUnreachableError):
    """No connection can be made: TLS fails, or there is no such host."""

    permanent = True


class HttpClient:
    """A connection pool to one endpoint, with a loop thread of its own. Close it when done."""

    def __init__(self, url: str, *, key: ApiKey, timeout: float, name: str = "kdos-llm") -> None:
        self.root = find_api_root(url)
        self.key = key
        self.loop_thread = EventLoopThread(name)
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def send_request(
        self, method: str, path: str, *, data: bytes | aiohttp.FormData | None = None
    ) -> HttpResponse:
        """One exchange, without retries; `data` is JSON (bytes) or a form.

        Raises:
            ExchangeError: No whole reply came; its classes say why.
        """
        headers = {"Content-Type": "application/json"} if isinstance(data, bytes) else None
        url = f"{self.root}/{path}"
        try:
            async with self._open_session().request(
                method, url, data=data, headers=headers, allow_redirects=False
            ) as response:
                return HttpResponse(response.status, response.headers, await response.read())
        # aiohttp's errors inherit from one another: the order, special to general, matters.
        except TimeoutError as error:
            raise RequestTimeoutError(f"no reply in {self._timeout:g} s") from error
        except aiohttp.ClientSSLError as error:
            raise NoSuchServerError(f"TLS failed: {error}") from error
        except aiohttp.ClientConnectorDNSError as error:
            raise NoSuchServerError(f"no such host: {error.host}") from error
        except aiohttp.ClientConnectorError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            raise ServerUnreachableError(why) from error
        except (aiohttp.ClientError, ConnectionError, asyncio.IncompleteReadError) as error:
            what = f"the connection broke off ({type(error).__name__})"
            raise ExchangeError(what) from error

    def call_server(self, method: str, path: str, *, data: bytes | aiohttp.FormData | None = None) -> HttpResponse:
        """`send_request` for callers outside the loop."""
        return self.loop_thread.run_coroutine(self.send_request(method, path, data=data))

    def server_message(self, body: bytes) -> str:
        """The server's own message in the body of an error, without the key."""
        return self.key.redact_text(error_message(body))

    def close(self) -> None:
        """Close the connections and end the loop thread."""
        if not self.loop_thread.loop.is_closed():
            self.loop_thread.run_coroutine(self._close_session())
            self.loop_thread.close()

    def _open_session(self) -> aiohttp.ClientSession:
        # Made on first use, since aiohttp binds a session to the loop that runs it.
        if self._session is None:
            secret = self.key.secret
            proxied = any(name.lower().endswith("_proxy") for name in os.environ)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
                timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=CONNECT_SECONDS),
                headers={"Authorization": f"Bearer {secret}"} if secret else None,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=proxied and urlsplit(self.root).hostname not in LOCAL_HOSTS,
            )
        return self._session

    async def _close_session(self) -> None:
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # lets the transports notice


def check_server_url(url: str) -> None:
    """Raise `ConfigError` unless `url` is the address of a server and holds no key."""
    parts = urlsplit(url)
    try:
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError(f"engine.url must be the address of a server, as in http://127.0.0.1:8000/v1. Got {url!r}.")
    if parts.username or parts.password:
        raise ConfigError("engine.url must hold no key. Name its variable in engine.key_env.")
