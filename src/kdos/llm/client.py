"""One HTTP client for chat, embeddings and batches: pooled connections, failures by kind."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from kdos.errors import ConfigError
from kdos.llm.island import EventLoopThread
from kdos.llm.keys import ApiKey
from kdos.llm.wire import Endpoint

CONNECT_SECONDS = 15.0
LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A reply of the server: its status, headers (any case) and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ConnectionBrokenError(Exception):
    """The exchange broke off; the same request may succeed at once."""


class RequestTimeoutError(ConnectionBrokenError):
    """No whole reply came in time."""


class ServerUnreachableError(Exception):
    """There is no connection; `for_good` where trying again cannot help (TLS, no such host)."""

    def __init__(self, message: str, *, for_good: bool) -> None:
        super().__init__(message)
        self.for_good = for_good


class HttpClient:
    """A connection pool to one endpoint, on an island of its own. Close it when done."""

    def __init__(self, url: str, *, key: ApiKey, timeout: float, name: str = "kdos-llm") -> None:
        self.endpoint = Endpoint(url)
        self.key = key
        self.loop_thread = EventLoopThread(name)
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def send_request(
        self, method: str, path: str, *, data: Any = None, is_json: bool = True
    ) -> HttpResponse:
        """One exchange.

        Raises:
            BrokenError: It broke off or took too long.
            UnreachableError: No connection could be made.
        """
        headers = {"Content-Type": "application/json"} if is_json and data is not None else None
        try:
            async with self._open_session().request(
                method,
                self.endpoint.path_url(path),
                data=data,
                headers=headers,
                allow_redirects=False,
            ) as response:
                return HttpResponse(response.status, response.headers, await response.read())
        except TimeoutError as error:
            raise RequestTimeoutError(f"no reply in {self._timeout:g} s") from error
        except aiohttp.ClientSSLError as error:
            raise ServerUnreachableError(f"TLS failed: {error}", for_good=True) from error
        except aiohttp.ClientConnectorDNSError as error:
            raise ServerUnreachableError(f"no such host: {error.host}", for_good=True) from error
        except aiohttp.ClientConnectorError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            raise ServerUnreachableError(why, for_good=False) from error
        except (aiohttp.ClientError, ConnectionError, asyncio.IncompleteReadError) as error:
            raise ConnectionBrokenError(
                f"the connection broke off ({type(error).__name__})"
            ) from error

    def close(self) -> None:
        """Close the connections and end the island."""
        if not self.loop_thread.loop.is_closed():
            self.loop_thread.run_coroutine(self._close_session())
            self.loop_thread.close()

    def _open_session(self) -> aiohttp.ClientSession:
        """The session, made on the loop when it is first used."""
        if self._session is None:
            proxied = any(name.lower().endswith("_proxy") for name in os.environ)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
                timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=CONNECT_SECONDS),
                headers=self.key.authorization_headers(),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=proxied and urlsplit(self.endpoint.root).hostname not in LOCAL_HOSTS,
            )
        return self._session

    async def _close_session(self) -> None:
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # lets the transports notice


def check_server_url(url: str) -> None:
    """Raise `ConfigError` unless it is an address of a server."""
    parts = urlsplit(url)
    try:
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError(
            f"engine.url must be the address of a server, as in http://127.0.0.1:8000/v1. "
            f"Got {url!r}."
        )
    if parts.username or parts.password:
        raise ConfigError("engine.url must hold no key. Name its variable in engine.key_env.")
