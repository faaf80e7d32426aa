"""HTTP to one server for synchronous callers: event loop on a thread, API key, proxy, connection pool, limits.

What comes from the server passes through `HttpClient.send_request` alone: it is bounded in bytes and time, unpacked,
and the key is taken out of it, before anyone reads, logs or keeps it.
"""

import asyncio
import ipaddress
import json
import logging
import os
import threading
import time
import zlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote, urlencode, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp

from kdos.config import EngineConfig
from kdos.errors import ConfigError
from kdos.llm.limits import LONG_WAIT_SECONDS, MAX_EXCERPT_CHARS, MAX_PACKED_MEMBERS, MAX_REPLY_BYTES
from kdos.llm.protocol import RetryPolicy, find_api_root, read_retry_after
from kdos.llm.reply_reader import read_error_message
from kdos.llm.scrubber import Scrubber

LOG = logging.getLogger("kdos.llm")
Result = TypeVar("Result")

CONNECT_SECONDS = 15.0
LONGEST_SHOWN_NAME = 40
"""Characters of the longest variable name that a message shows."""
ACCEPTED_PACKING = "gzip, deflate"
KEY_HEADERS = ("Authorization", "api-key", "x-api-key")
"""The headers in which servers take a key, the usual one first; each is tried where the ones before are refused."""
KEY_REFUSING_STATUS = frozenset({401, 403})


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
    """A secret that does not show in `repr`."""

    secret: str = field(default="", repr=False)


def find_api_key(
    name: str | None, environment: Mapping[str, str] = os.environ, *, setting: str = "engine.key_env"
) -> ApiKey:
    """The key in the variable `name`, or in the file that `name`_FILE names; none without a name.

    `setting` is what names the variable.

    Raises:
        ConfigError: Neither is set, the file cannot be read, or the key is no line of printable characters.
    """
    if not name:
        return ApiKey()
    if secret := environment.get(name, "").strip():
        return _checked_key(secret, name)
    file = environment.get(f"{name}_FILE", "")
    if not file:
        raise ConfigError(
            f"{setting} names the environment variable that holds the key. {_shown_name(name)} is not set. "
            "Set it, or set the variable of that name and _FILE to a file that holds the key."
        )
    try:
        secret = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}_FILE must name a file that holds the key. {error}.") from error
    if not secret:
        raise ConfigError(f"{name}_FILE must name a file that holds the key. {file} is empty.")
    return _checked_key(secret, f"{name}_FILE")


def _shown_name(name: str) -> str:
    """A variable's name; not where it may be the key, given by mistake in place of a name."""
    return name if name.isupper() and len(name) < LONGEST_SHOWN_NAME else "What it names"


def _checked_key(secret: str, name: str) -> ApiKey:
    if not (secret.isascii() and secret.isprintable()):
        raise ConfigError(f"The key in {name} must be one line of printable ASCII characters: it goes into a header.")
    return ApiKey(secret)


@dataclass(frozen=True, slots=True)
class Access:
    """What goes with every request to a server beside its body: key, headers, query. Values do not show in `repr`.

    `key_header` is the header of the key, empty if that is to be found out; `secrets` are the values of headers and
    query that nobody may see.
    """

    key: ApiKey = ApiKey()
    key_header: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    query: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


def find_access(config: EngineConfig) -> Access:
    """What a configuration sends with every request.

    Raises:
        ConfigError: A variable is not set, or what it holds cannot go into a header.
    """
    secrets: list[str] = []

    def find_values(values: Mapping[str, Any], where: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in values.items():
            if isinstance(value, str):
                found[name] = value
            else:
                found[name] = find_api_key(value["env"], setting=f"{where}.{name}").secret
                secrets.append(found[name])
        return found

    headers, query = find_values(config.headers, "engine.headers"), find_values(config.query, "engine.query")
    return Access(find_api_key(config.key_env), config.key_header, headers, query, tuple(secrets))


class HttpResponse(NamedTuple):
    """A reply of the server: its status, headers (any case) and body, the body without the key.

    Headers are read for numbers alone; none is ever shown or kept, but for where a server has moved to.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class ExchangeError(Exception):
    """No whole reply came: the connection broke off, and the same request may succeed at once."""

    permanent = False
    """Whether a retry cannot help."""


class RequestTimeoutError(ExchangeError):
    """No whole reply came in time."""


class UnreadableBodyError(ExchangeError):
    """A reply came that is too large, or packed in a way that cannot be unpacked."""


class ServerUnreachableError(ExchangeError):
    """No connection was made."""


class NoSuchServerError(ServerUnreachableError):
    """No connection can be made: TLS fails, there is no such host, or the proxy refuses."""

    permanent = True


class HttpClient:
    """A connection pool to one endpoint, on a loop thread of its own unless it is given one. Close it when done.

    Raises:
        ConfigError: The proxy that the environment names cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        access: Access,
        timeout: float,
        name: str = "kdos-llm",
        loop_thread: EventLoopThread | None = None,
    ) -> None:
        self.root = find_api_root(url)
        self.key_header = access.key_header
        self._access = access
        own = urlencode(access.query)
        self._query = "&".join(part for part in (urlsplit(url).query, own) if part)
        self._proxy = find_proxy(self.root)
        self._scrubber = Scrubber((access.key.secret, *access.secrets, self._proxy.password))
        self.scrub_text = self._scrubber.scrub_text
        self.loop_thread = loop_thread or EventLoopThread(name)
        self._owns_loop = loop_thread is None
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._wait_said_until = 0.0

    async def send_request(
        self, method: str, path: str, *, data: bytes | aiohttp.FormData | None = None, max_bytes: int = MAX_REPLY_BYTES
    ) -> HttpResponse:
        """One exchange, without retries; `data` is JSON (bytes) or a form, `max_bytes` bounds the unpacked body.

        Raises:
            ExchangeError: No whole reply came; its classes say why.
        """
        known, key = self.key_header, self._access.key.secret
        response = await self._exchange(method, path, data, max_bytes, known or self.likely_key_headers[0])
        if known or not key or response.status not in KEY_REFUSING_STATUS or isinstance(data, aiohttp.FormData):
            return response
        for header in self.likely_key_headers[1:]:
            other = await self._exchange(method, path, data, max_bytes, header)
            if other.status not in KEY_REFUSING_STATUS:
                LOG.warning("%s takes the key in the header %s (engine.key_header)", self.root, header)
                self.key_header = header
                return other
        return response

    @property
    def likely_key_headers(self) -> Sequence[str]:
        """The headers that the key may be wanted in, the likeliest first: Azure's addresses have a version."""
        return (*KEY_HEADERS[1:], KEY_HEADERS[0]) if "version=" in self._query else KEY_HEADERS

    async def _exchange(
        self, method: str, path: str, data: bytes | aiohttp.FormData | None, max_bytes: int, key_header: str
    ) -> HttpResponse:
        """One exchange, with the key in this header."""
        headers = {"Content-Type": "application/json"} if isinstance(data, bytes) else {}
        if secret := self._access.key.secret:
            headers[key_header] = f"Bearer {secret}" if key_header.lower() == "authorization" else secret
        joint = "&" if "?" in path else "?"
        url = f"{self.root}/{path}{joint}{self._query}" if self._query else f"{self.root}/{path}"
        try:
            response = await self._open_session().request(
                method, url, data=data, headers=headers, allow_redirects=False, proxy=self._proxy.address
            )
            body = unpack_body(await _read_bounded(response, max_bytes), response.headers, max_bytes)
            if 300 <= response.status < 400:  # not followed: the key is for this address alone
                target = response.headers.get("Location", "").partition("?")[0]
                body = f"it has moved to {target[:MAX_EXCERPT_CHARS]}".encode(errors="replace")
            return HttpResponse(response.status, response.headers, self._scrubber.scrub_bytes(_encode_as_utf8(body)))
        except ExchangeError:
            raise
        except Exception as error:
            meaning = self._explain_exchange(error)
            if meaning is None:
                raise
            raise meaning from error

    def _explain_exchange(self, error: Exception) -> ExchangeError | None:
        """What an error of the client's says of the server; None where it is none of the server's doing."""
        # aiohttp's errors inherit from one another: the order, special to general, matters.
        match error:
            case TimeoutError():
                return RequestTimeoutError(f"no whole reply in {self._timeout:g} s")
            case aiohttp.ClientSSLError():
                return NoSuchServerError(self.scrub_text(f"TLS failed: {error}"))
            case aiohttp.ClientHttpProxyError():
                return NoSuchServerError(f"the proxy refuses with HTTP {error.status}")
            case aiohttp.ClientConnectorDNSError():
                return NoSuchServerError(f"no such host: {error.host}")
            case aiohttp.ClientConnectorError():
                return ServerUnreachableError(os.strerror(error.errno) if error.errno else self.scrub_text(str(error)))
            # ValueErrors are aiohttp's on headers and chunks that are no HTTP.
            case aiohttp.ClientError() | ConnectionError() | asyncio.IncompleteReadError() | ValueError():
                return ExchangeError(f"the connection broke off ({type(error).__name__})")
            case _:
                return None

    def call_server(
        self, method: str, path: str, *, data: bytes | aiohttp.FormData | None = None, max_bytes: int = MAX_REPLY_BYTES
    ) -> HttpResponse:
        """`send_request` for callers outside the loop."""
        return self.loop_thread.run_coroutine(self.send_request(method, path, data=data, max_bytes=max_bytes))

    def delay_before_retry(
        self, policy: RetryPolicy, attempt: int, *, headers: Mapping[str, str] | None = None, chance: float = 1.0
    ) -> float:
        """Seconds to wait after the `attempt`-th attempt, which the server answered with `headers`, if at all.

        All who try again ask here: what a server asks for is honoured, capped, and said when it is long.
        """
        asked = read_retry_after(headers, now=time.time()) if headers else 0.0
        delay = policy.delay_after(attempt, asked=asked, chance=chance)
        if asked:
            self.announce_wait(delay)
        return delay

    def announce_wait(self, seconds: float) -> None:
        """Say that the server makes us wait, if that is long and was not said yet."""
        until = time.monotonic() + seconds
        if seconds >= LONG_WAIT_SECONDS and until > self._wait_said_until + LONG_WAIT_SECONDS:
            self._wait_said_until = until
            LOG.warning("%s makes us wait %.0f s: its rate limit is used up", self.root, seconds)

    def server_message(self, body: bytes) -> str:
        """The server's own message in the body of an error."""
        return read_error_message(body)

    def close(self) -> None:
        """Close the connections and end the loop thread, if it is its own."""
        if not self.loop_thread.loop.is_closed():
            self.loop_thread.run_coroutine(self._close_session())
            if self._owns_loop:
                self.loop_thread.close()

    def _open_session(self) -> aiohttp.ClientSession:
        # Made on first use, since aiohttp binds a session to the loop that runs it.
        if self._session is None:
            headers = {"Accept-Encoding": ACCEPTED_PACKING, **self._access.headers}
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
                timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=CONNECT_SECONDS),
                headers=headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # `unpack_body` does it, within a limit
            )
        return self._session

    async def _close_session(self) -> None:
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # lets the transports notice


async def _read_bounded(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """The body as it travelled; the connection is closed where it is longer than `max_bytes`, or not read to its end.

    At its end aiohttp has released the connection: to leave a context would release it once more.
    """
    pieces: list[bytes] = []
    size = 0
    try:
        while not response.content.at_eof():
            pieces.append(await response.content.readany())
            size += len(pieces[-1])
            if size > max_bytes:
                raise UnreadableBodyError(f"it sent more than {max_bytes / 2**20:g} MiB")
    except BaseException:
        response.close()
        raise
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def unpack_body(raw: bytes, headers: Mapping[str, str], max_bytes: int) -> bytes:
    """A body without its gzip or deflate packing, at most `max_bytes` long.

    Raises:
        UnreadableBodyError: It is longer, damaged, or packed in another way.
    """
    packing = headers.get("Content-Encoding", "").strip().lower()
    if packing in {"", "identity"} or not raw:
        return raw
    if packing not in {"gzip", "x-gzip", "deflate"}:
        raise UnreadableBodyError(f"it packed its reply as {packing[:40]!r}, not as {ACCEPTED_PACKING}")
    try:
        return _inflate(raw, max_bytes, is_raw=packing == "deflate" and raw[0] & 0xF != zlib.DEFLATED)
    except zlib.error as error:
        raise UnreadableBodyError(f"it sent a reply whose {packing} packing is damaged") from error


def _encode_as_utf8(body: bytes) -> bytes:
    """A body in UTF-8, in which secrets are looked for; Python's module reads UTF-16 and UTF-32 too."""
    if body[:2].isascii() and b"\0" not in body[:2]:  # as nearly all do: the rest is not looked at then
        return body
    encoding = json.detect_encoding(body)
    return body if encoding.startswith("utf-8") else body.decode(encoding, errors="replace").encode(errors="replace")


def _inflate(raw: bytes, max_bytes: int, *, is_raw: bool) -> bytes:
    pieces: list[bytes] = []
    left = max_bytes
    for _ in range(MAX_PACKED_MEMBERS):
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS if is_raw else zlib.MAX_WBITS | 32)
        piece = unpacker.decompress(raw, left + 1)
        left -= len(piece)
        if left < 0:
            raise UnreadableBodyError(f"it sent more than {max_bytes / 2**20:g} MiB, packed")
        pieces.append(piece)
        if not unpacker.eof:
            raise zlib.error("cut")
        raw = unpacker.unused_data
        if not raw:
            return b"".join(pieces)
    raise zlib.error("too many members")


@dataclass(frozen=True, slots=True)
class Proxy:
    """The proxy on the way to a server, its login in its address; no address is none."""

    address: str | None = field(default=None, repr=False)
    password: str = field(default="", repr=False)


def find_proxy(root: str) -> Proxy:
    """The proxy that the environment names for a server: `http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`.

    A login stands in the variable; `.netrc` is not looked at, for keys come from the environment alone.

    Raises:
        ConfigError: It is no address of an HTTP proxy.
    """
    parts, proxies = urlsplit(root), getproxies_environment()
    address = proxies.get(parts.scheme) or proxies.get("all") or ""
    if not address or is_loopback_host(parts.hostname or "") or proxy_bypass(parts.netloc):
        return Proxy()
    proxy = urlsplit(address if "://" in address else f"http://{address}")
    try:
        usable = proxy.scheme in {"http", "https"} and bool(proxy.hostname) and (proxy.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            f"{parts.scheme}_proxy must be the address of an HTTP proxy, as in http://proxy:3128. "
            f"What the environment names is none. Mend it, or add {parts.hostname} to no_proxy."
        )
    return Proxy(proxy.geturl(), unquote(proxy.password or ""))


def is_loopback_host(host: str) -> bool:
    """Whether a host of an address is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def warn_of_plain_key(url: str, access: Access) -> None:
    """Say it when a key will travel unencrypted to another machine."""
    parts = urlsplit(url)
    if (access.key.secret or access.secrets) and parts.scheme == "http" and not is_loopback_host(parts.hostname or ""):
        LOG.warning(
            "the key goes over plain http:// to %s, readable to anyone on the way; use https:// if it can",
            parts.hostname,
        )
