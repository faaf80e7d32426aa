"""One server that answers requests: how it is asked, what was found out about it, and what is said of it."""

import logging
from collections.abc import MutableMapping
from dataclasses import dataclass, field

from kdos.config import EngineConfig
from kdos.errors import EngineError
from kdos.llm.concurrency import AIMDController
from kdos.llm.limits import MAX_DOWN_SECONDS
from kdos.llm.protocol import estimate_tokens, measure_usage, price_tokens
from kdos.llm.reply_reader import Completion, read_error_message
from kdos.llm.server_profile import FINDINGS_PREFIX, BodyPlan, ServerProfile, Trial
from kdos.llm.transport import HttpClient, HttpResponse
from kdos.tasks import Reply, Request, Usage

LOG = logging.getLogger("kdos.llm")


@dataclass(slots=True, eq=False)
class Endpoint:
    """A server, with what all exchanges of an engine know of it. `profile` decides how it is asked."""

    config: EngineConfig
    client: HttpClient
    controller: AIMDController
    server_state: MutableMapping[str, str]
    profile: ServerProfile = field(init=False)
    odd_usage_said: bool = False

    def __post_init__(self) -> None:
        self.profile = ServerProfile(self.config)

    @property
    def root(self) -> str:
        """Its address, as it is shown."""
        return self.client.root

    @property
    def is_down(self) -> bool:
        """Whether it answers nobody: it is probed now and then."""
        return self.controller.down_since is not None

    def use_server_state(self, server_state: MutableMapping[str, str]) -> None:
        """Begin with what earlier runs found out about the server."""
        self.server_state = server_state
        if self.profile.confirmed:
            self.save_findings()
        elif found := server_state.get(self.findings_name):
            self.profile.read_text(found)
            self.client.key_header = self.client.key_header or self.profile.key_header

    @property
    def findings_name(self) -> str:
        """Where the ledger keeps what was found out: by server, for another one may stand at another address."""
        return f"{FINDINGS_PREFIX}{self.root}"

    def save_findings(self) -> None:
        """Put what was found out into the ledger."""
        self.profile.key_header = self.client.key_header
        self.server_state[self.findings_name] = self.profile.to_text()
        self.profile.is_saved = True

    def learn_answer(self, request: Request, plan: BodyPlan, trial: Trial | None) -> None:
        """Note that a request put so was answered; say what is done otherwise from now on."""
        self.announce_change(request, self.profile.learn_answer(request, plan, trial), trial)
        if not self.profile.is_saved:
            self.save_findings()

    def announce_change(self, request: Request, change: str, trial: Trial | None) -> None:
        """Say what is done otherwise from now on, if anything, and what the server said."""
        if change and trial:
            words = trial.refused.words
            LOG.warning("%s refused a request for %s (HTTP %s); kdos %s", self.root, request.task, words, change)

    def build_reply(
        self, request: Request, answer: Completion, *, request_bytes: int, latency: float = 0.0, attempts: int = 1
    ) -> Reply:
        """The reply that a completion is; `latency` is in seconds."""
        if answer.odd_usage and not self.odd_usage_said:
            self.odd_usage_said = True
            LOG.warning("%s counts tokens in a way that cannot be; they are estimated from texts", self.root)
        # Once more: the pieces of a stream or of a list of parts, each too short to be known for part of a secret, may
        # be one where they are joined.
        scrub = self.client.scrub_text
        return Reply(
            request,
            text=scrub(answer.text),
            reasoning=scrub(answer.reasoning),
            finish=scrub(answer.finish),
            usage=measure_usage(answer, request_bytes, self.config.prices),
            latency=latency,
            attempts=attempts,
        )

    def estimate_usage(self, *, request_bytes: int, reply_bytes: int = 0) -> Usage:
        """What an attempt may have cost whose answer did not come, or cannot be read."""
        return price_tokens(self.config.prices, estimate_tokens(request_bytes), estimate_tokens(reply_bytes))


def refusal_error(endpoint: Endpoint, response: HttpResponse, trial: Trial | None = None) -> EngineError:
    """The error for a server that refuses to work for us, in whatever way it was asked in a trial."""
    root, model, status = endpoint.root, endpoint.config.model, response.status
    said = trial.refused.words if trial else words_of(response)
    status = trial.refused.status if trial else status
    hints = {
        401: "Check the key that engine.key_env names, and engine.key_header.",
        402: "Check the account's balance.",
        403: "Check what the key may do.",
        404: f"Check engine.url, and engine.model ({model}).",
        429: "Check the account's balance.",
    }
    hint = hints.get(status, "Run `kdos doctor` on this configuration.")
    if 300 <= status < 400:
        hint = "Set engine.url to where it is now."
    return EngineError(f"{root} must take our requests. It answered {said}. {hint}")


def words_of(response: HttpResponse) -> str:
    """The status of a reply that is no answer, and the server's own message."""
    return f"{response.status}: {read_error_message(response.body)}"


def unreachable_error(endpoint: Endpoint, what: str) -> EngineError:
    """The error for a server that no connection reaches, though none has worked yet."""
    return EngineError(f"{endpoint.root} must be reachable. {what}. Check engine.url, and that the server runs.")


def foreign_server_error(endpoint: Endpoint, problem: str) -> EngineError:
    """The error for a server that sends no chat completions."""
    return EngineError(
        f"{endpoint.root} must be an OpenAI-compatible server; {problem} instead of a "
        "chat completion. Check engine.url: most end in /v1."
    )


def long_silence_error(endpoint: Endpoint, problem: str) -> EngineError:
    """The error for servers that worked and have answered nobody for too long."""
    return EngineError(
        f"{endpoint.root} must be reachable. It has answered nothing for {MAX_DOWN_SECONDS / 60:.0f} minutes "
        f"({problem}). The same command goes on once it is back."
    )
