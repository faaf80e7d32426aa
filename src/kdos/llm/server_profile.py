"""What is sent to a server, from the settings and from what it refused: decided here alone. No I/O, no clock.

Servers refuse parameters: by model, by the schema of an answer, with statuses of their own. A request that was
refused is asked again in other ways, first without what the refusal names, then without each of the other things;
what succeeds shows what was refused, and is remembered. Nothing is learned from a request that no way can help.
Our design.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any

import orjson

from kdos.config import EngineConfig
from kdos.tasks import Request

FINDINGS_PREFIX = "server "
"""Before a server's address, in the name under which the ledger keeps what was found out about it."""
TEXTS_PER_REQUEST = 64
LIMIT_FIELDS = ("max_tokens", "max_completion_tokens", "")
"""What servers call the most tokens of an answer; empty leaves it to the server."""
LATER_LIMIT_FIELD: dict[str, str] = dict(pairwise(LIMIT_FIELDS))
REFUSING_STATUS = frozenset({400, 422})
"""Statuses that say of a parameter that it is not taken."""
FORM_REFUSING_STATUS = frozenset({404, 501})
"""Statuses with which some servers refuse the form of the answer, when they do not say what they mean."""
FAILING_STATUS = frozenset({500, 503})
"""Statuses that mostly pass, and with which some servers refuse a form for ever."""
FAILURES_UNTIL_DOUBT = 2  # in a row, until a failure that does not pass is put down to the form
MANY_FAILURES_UNTIL_DOUBT = 4  # where the form was taken before, or failures have passed before
FIRST_FAILURES_UNTIL_DOUBT = 3  # of a server that has answered nothing: it may still be loading its model
PROMPTS_UNTIL_TRUST = 2  # so many asked for in a form and answered: it is taken for all
SCHEMAS_UNTIL_DEFAULT = 2  # so many refused, and none taken: no schema is tried any more
MAX_READ_CHARS = 4096  # of a refusal, in which names of parameters are looked for
TOO_LONG = re.compile(r"context|too long|too large|length|exceed", re.IGNORECASE)
"""Refusals that are about the text of the request, not about its parameters."""


class ResponseFormat(StrEnum):
    """How a server can be made to answer in JSON, best first; `prompt` forces nothing."""

    SCHEMA = "json_schema"
    OBJECT = "json_object"
    PROMPT = "prompt"

    @property
    def weaker(self) -> "ResponseFormat | None":
        """The next best."""
        return dict(pairwise(ResponseFormat)).get(self)


class Part(StrEnum):
    """What of a request's body can be sent otherwise, the likeliest to be refused first."""

    FORM = "form"
    SEED = "seed"
    LIMIT = "max_tokens"
    TEMPERATURE = "temperature"
    STREAM_OPTIONS = "stream_options"
    STREAM = "stream"
    SYSTEM = "system"


NAMES_OF_PARTS = {
    Part.FORM: re.compile(r"response.?format|json.?schema|json.?object|json.?mode|schema|structured|grammar|guided"),
    Part.SEED: re.compile(r"\bseed\b"),
    Part.LIMIT: re.compile(r"max_(?:completion_|output_|new_)?tokens"),
    Part.TEMPERATURE: re.compile(r"\btemperature\b"),
    Part.STREAM_OPTIONS: re.compile(r"stream_options|include_usage"),
    Part.STREAM: re.compile(r"stream(?!_options)"),
    Part.SYSTEM: re.compile(r"\bsystem\b|\broles? must"),
}


@dataclass(frozen=True, slots=True)
class BodyPlan:
    """How a request is put: the form of its answer, and what else of its body a server may refuse.

    `limit_field` is one of `LIMIT_FIELDS`; what `omit` names is not sent; `system_role` false puts the prompt into
    the user's first message.
    """

    form: ResponseFormat = ResponseFormat.SCHEMA
    limit_field: str = LIMIT_FIELDS[0]
    omit: frozenset[str] = frozenset()
    stream: bool = False
    system_role: bool = True

    def without(self, part: Part) -> "BodyPlan | None":
        """The plan with this part sent in the next other way; None where there is none."""
        match part:
            case Part.FORM:
                return replace(self, form=self.form.weaker) if self.form.weaker else None
            case Part.LIMIT:
                following = LATER_LIMIT_FIELD.get(self.limit_field)
                return None if following is None else replace(self, limit_field=following)
            case Part.STREAM:
                return None if self.stream else replace(self, stream=True)
            case Part.SYSTEM:
                return replace(self, system_role=False) if self.system_role else None
            case _:
                return None if part in self.omit else replace(self, omit=self.omit | {part})

    def describe_change(self, other: "BodyPlan") -> str:
        """What `other` does in another way, in words."""
        changes = [f"asks for JSON by {other.form}"] if other.form != self.form else []
        if other.limit_field != self.limit_field:
            changes.append(f"bounds answers by {other.limit_field}" if other.limit_field else "bounds no answer")
        changes += [f"leaves out {name}" for name in sorted(other.omit - self.omit)]
        changes += ["asks for streams"] if other.stream != self.stream else []
        changes += ["puts the prompt into the user's message"] if other.system_role != self.system_role else []
        return ", ".join(changes)


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal: its HTTP status and body, and both in a few words; how often the request was sent; whether the
    server has answered any."""

    status: int
    message: str
    words: str = ""
    attempts: int = 1
    has_answered: bool = True


@dataclass(slots=True)
class Trial:
    """The ways in which one refused request is put, one after the other: `plan` is the one that it is put in now.

    `doubted` are the parts that the first refusal may be about. `anchor` is where single changes begin: the plan
    with what refusals named sent otherwise. `is_over` once there is no other way: `plan` is the first again.
    """

    first: BodyPlan
    refused: Refused
    doubted: list[Part]
    plan: BodyPlan = field(init=False)
    anchor: BodyPlan = field(init=False)
    tried: set[BodyPlan] = field(init=False)
    by_failures: bool = False
    is_over: bool = False

    def __post_init__(self) -> None:
        self.plan = self.anchor = self.first
        self.tried = {self.first}

    def advance(self, named: list[Part]) -> bool:
        """Go on to the next way, given what the last refusal names; False where there is none."""
        for part in named:
            if (other := self.plan.without(part)) and other not in self.tried:
                self.plan = self.anchor = other
                self.tried.add(other)
                return True
        for other in _other_plans(self.anchor, self.doubted):
            if other not in self.tried:
                self.plan = other
                self.tried.add(other)
                return True
        self.plan, self.is_over = self.first, True
        return False


@dataclass(slots=True)
class ServerProfile:
    """What one server takes, of one model: settings, what was found out, and how to put a request.

    `forms` holds the form that each prompt (by its hash) is asked in, once found out; `confirmed` the parts that
    were sent in an answered request. `key_header` is the header in which it took the key, empty if not known.
    `suspected` are forms that failed for good once, `failures` count those in a row, `failures_pass` if any did pass.
    `is_saved` until more is found out.
    """

    config: EngineConfig
    plan: BodyPlan = field(init=False)
    forms: dict[str, ResponseFormat] = field(default_factory=dict[str, ResponseFormat])
    confirmed: set[str] = field(default_factory=set[str])
    key_header: str = ""
    suspected: set[str] = field(default_factory=set[str])
    failures: Counter[str] = field(default_factory=Counter[str])
    failures_pass: bool = False
    is_saved: bool = False
    _unsent: frozenset[str] = field(init=False)
    _bounds_answers: bool = field(init=False)
    _parts: dict[tuple[str, tuple[str, ...]], tuple[BodyPlan, Mapping[Part, str]]] = field(
        default_factory=dict[tuple[str, tuple[str, ...]], tuple[BodyPlan, Mapping[Part, str]]]
    )

    def __post_init__(self) -> None:
        config = self.config
        form = "prompt" if "response_format" in config.omit else config.form or "json_schema"
        limit = config.max_tokens_field or LIMIT_FIELDS[0]
        limit = "" if limit in config.omit else limit
        self.plan = BodyPlan(ResponseFormat(form), limit, frozenset(config.omit))
        self._unsent = frozenset(name for name, value in config.extra.items() if value is None)
        self._bounds_answers = any(config.extra.get(name) for name in LIMIT_FIELDS)

    # -- what is sent

    def plan_for(self, request: Request) -> BodyPlan:
        """How the request is to be put, as far as is known."""
        form = self.forms.get(request.prompt.hash) or self._default_form()
        return self.plan if form == self.plan.form else replace(self.plan, form=form)

    def _default_form(self) -> ResponseFormat:
        """The form of a prompt that was not asked yet: the best, unless nothing like it was ever taken."""
        found = sorted(self.forms.values(), key=list(ResponseFormat).index)
        none_taken = len(found) >= SCHEMAS_UNTIL_DEFAULT and found[0] != self.plan.form
        return found[0] if none_taken else self.plan.form

    def build_body(self, request: Request, plan: BodyPlan) -> bytes:
        """The body of a chat completion for the request. A name of `extra` whose value is null is not sent."""
        config, extra = self.config, self.config.extra
        body: dict[str, Any] = {"model": config.model, "temperature": config.temperature, **extra}
        body["messages"] = request.messages if plan.system_role else join_system_role(request.messages)
        if plan.limit_field and not self._bounds_answers:
            body[plan.limit_field] = config.max_tokens * request.max_tokens_factor
        if plan.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        body |= request.params
        if request.prompt.schema and "response_format" not in extra:
            body |= _form_fields(plan.form, request)
        for name in plan.omit | self._unsent:
            body.pop(name, None)
        return orjson.dumps(body)

    def changeable_parts(self, request: Request, plan: BodyPlan) -> Mapping[Part, str]:
        """The parts of this body that can be sent otherwise, each with the name under which it is confirmed."""
        # Kept: all requests of a prompt are alike, and working it out takes as long as writing the body. Not by plan,
        # whose hash takes half as long: it seldom changes.
        key = (request.prompt.hash, tuple(request.params))
        kept = self._parts.get(key)
        if kept is None or not (kept[0] is plan or kept[0] == plan):
            kept = self._parts[key] = plan, self._find_changeable_parts(request, plan)
        return kept[1]

    def _find_changeable_parts(self, request: Request, plan: BodyPlan) -> dict[Part, str]:
        sent = {"temperature": "", **request.params}
        if plan.stream:
            sent["stream_options"] = ""
        parts = {part: str(part) for part in Part if part in sent and part not in plan.omit}
        if request.prompt.schema and plan.form.weaker and "response_format" not in self.config.extra:
            parts[Part.FORM] = f"form/{request.prompt.hash}/{plan.form}"
        if plan.limit_field and not self._bounds_answers:
            parts[Part.LIMIT] = plan.limit_field
        parts |= {} if plan.stream else {Part.STREAM: "whole"}
        parts |= {Part.SYSTEM: "system"} if plan.system_role else {}
        return {part: parts[part] for part in Part if part in parts and part not in self.config.extra}

    def unconfirmed_parts(self, request: Request, plan: BodyPlan) -> set[str]:
        """What of this body the server was never seen to take, nor is likely to."""
        parts = self.changeable_parts(request, plan)
        unknown = set(parts.values()) - self.confirmed
        # To wait for the first answer of each prompt leaves a server idle that takes them all: a form that it has
        # taken for several prompts, and refused for none, is asked for at once. Should it be refused now, that costs
        # a refusal for each request that is out.
        return unknown - {parts.get(Part.FORM)} if unknown and self._takes_form(plan.form) else unknown

    def _takes_form(self, form: ResponseFormat) -> bool:
        taken = list(self.forms.values())
        return len(taken) >= PROMPTS_UNTIL_TRUST and set(taken) == {form} and not self.suspected

    # -- what is learned

    def try_otherwise(self, request: Request, plan: BodyPlan, refused: Refused, trial: Trial | None) -> Trial | None:
        """The trial that puts a request, refused in the way of `plan`, in another way; None where none may help."""
        parts = self.changeable_parts(request, plan)
        if refused.status not in REFUSING_STATUS | FORM_REFUSING_STATUS | FAILING_STATUS:
            return None
        named = _named_parts(refused.message, parts)
        if trial is None:
            doubted = self._doubted_parts(refused, parts)
            if not named and not doubted:
                return None
            trial = Trial(plan, refused, doubted, by_failures=refused.status in FAILING_STATUS and not named)
        return None if trial.is_over or not trial.advance(named) else trial

    def _doubted_parts(self, refused: Refused, parts: Mapping[Part, str]) -> list[Part]:
        """The parts that a refusal may be about though it does not name them."""
        form = parts.get(Part.FORM)
        if refused.status in REFUSING_STATUS:
            if TOO_LONG.search(refused.message):
                return []
            return [part for part, name in parts.items() if name not in self.confirmed] or (
                [Part.FORM] if form else []
            )
        if form is None or (refused.status in FAILING_STATUS and not self._is_failing_for_good(form, refused)):
            return []
        return [Part.FORM]

    def _is_failing_for_good(self, form: str, refused: Refused) -> bool:
        """Whether failures that mostly pass are to be put down to the form; counts this one."""
        self.failures[form] += 1
        if form in self.confirmed:
            return refused.attempts >= MANY_FAILURES_UNTIL_DOUBT
        if not refused.has_answered:
            return self.failures[form] >= FIRST_FAILURES_UNTIL_DOUBT
        if form in self.suspected:
            return True
        needed = MANY_FAILURES_UNTIL_DOUBT if self.failures_pass else FAILURES_UNTIL_DOUBT
        return self.failures[form] >= needed

    def learn_answer(self, request: Request, plan: BodyPlan, trial: Trial | None) -> str:
        """Note that the server answered a request put so; what is done otherwise from now on, in words."""
        parts = self.changeable_parts(request, plan)
        if trial is None or trial.first == plan:
            self.failures_pass |= self.failures.pop(parts.get(Part.FORM, ""), 0) > 0
            self.suspected.discard(parts.get(Part.FORM, ""))
            self._confirm(request, plan, parts)
            return ""
        refused = self.changeable_parts(request, trial.first)
        if trial.by_failures and refused[Part.FORM] not in self.suspected:
            # Failures pass: one answer shows nothing, and the next request is put in the first way again.
            self.suspected.add(refused[Part.FORM])
            return ""
        if trial.first.limit_field != plan.limit_field and refused[Part.LIMIT] in self.confirmed:
            plan = replace(plan, limit_field=trial.first.limit_field)  # it was this request's text that was too long
        said = self.adopt(request, plan, instead_of=trial.first)
        self._confirm(request, plan, self.changeable_parts(request, plan))
        return said

    def adopt(self, request: Request, plan: BodyPlan, *, instead_of: BodyPlan) -> str:
        """Put requests like this one so from now on; what that changes, in words.

        Only what differs from the way `instead_of` is taken over: others may have learned something meanwhile.
        """
        before = self.plan_for(request)
        self.plan = replace(
            self.plan,
            omit=self.plan.omit | plan.omit,
            limit_field=self.plan.limit_field if plan.limit_field == instead_of.limit_field else plan.limit_field,
            stream=self.plan.stream or plan.stream,
            system_role=self.plan.system_role and plan.system_role,
        )
        if request.prompt.schema and plan.form != instead_of.form:
            self.forms[request.prompt.hash] = plan.form
        self.is_saved = False
        return before.describe_change(self.plan_for(request))

    def _confirm(self, request: Request, plan: BodyPlan, parts: Mapping[Part, str]) -> None:
        self.is_saved &= self.confirmed.issuperset(parts.values())
        self.confirmed.update(parts.values())
        if request.prompt.schema:
            self.is_saved &= request.prompt.hash in self.forms
            self.forms.setdefault(request.prompt.hash, plan.form)

    # -- what lasts

    def to_text(self) -> str:
        """What was found out, for the ledger."""
        found = {
            "forms": self.forms,
            "confirmed": sorted(self.confirmed),
            "limit_field": self.plan.limit_field,
            "omit": sorted(self.plan.omit),
            "stream": self.plan.stream,
            "system_role": self.plan.system_role,
            "key_header": self.key_header,
        }
        return orjson.dumps(found).decode()

    def read_text(self, text: str) -> None:
        """Take what `to_text` gave; what the settings say goes before. A text that is none teaches nothing."""
        try:
            found: dict[str, Any] = orjson.loads(text)
            forms = {str(name): ResponseFormat(form) for name, form in found["forms"].items()}
            limit, omit = str(found["limit_field"]), frozenset(map(str, found["omit"]))
            confirmed, key_header = set(map(str, found["confirmed"])), str(found["key_header"])
            stream, system_role = bool(found["stream"]), bool(found["system_role"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        start = self.plan
        if self.config.max_tokens_field or limit not in LIMIT_FIELDS:
            limit = start.limit_field
        self.plan = BodyPlan(start.form, limit, start.omit | omit, stream, system_role)
        order = list(ResponseFormat)
        self.forms = {name: form for name, form in forms.items() if order.index(form) >= order.index(start.form)}
        self.confirmed, self.key_header, self.is_saved = confirmed, key_header, True


def _named_parts(message: str, parts: Mapping[Part, str]) -> list[Part]:
    """Those of the parts that a refusal names, in the order in which it does."""
    text = message[:MAX_READ_CHARS].lower()
    places = {part: found.start() for part in parts if (found := NAMES_OF_PARTS[part].search(text))}
    return sorted(places, key=lambda part: places[part])


def _other_plans(anchor: BodyPlan, parts: list[Part]) -> Iterator[BodyPlan]:
    """The plan with each part in each other way, one part at a time, then with all of them in their last way."""
    last = anchor
    for part in parts:
        plan: BodyPlan | None = anchor
        while plan := plan.without(part):
            yield plan
        while other := last.without(part):
            last = other
    yield last


def _form_fields(form: ResponseFormat, request: Request) -> dict[str, Any]:
    """The part of a body that forces the answer into its form."""
    if form is ResponseFormat.SCHEMA:
        schema = {"name": request.task, "schema": request.prompt.forced_schema, "strict": True}
        return {"response_format": {"type": form, "json_schema": schema}}
    return {} if form is ResponseFormat.PROMPT else {"response_format": {"type": form}}


def join_system_role(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """The messages with the system's put before the user's first: some templates know no system."""
    if len(messages) < 2 or messages[0]["role"] != "system":
        return messages
    first = f"{messages[0]['content']}\n\n{messages[1]['content']}"
    return [{"role": "user", "content": first}, *messages[2:]]


@dataclass(frozen=True, slots=True)
class EmbeddingPlan:
    """How texts are put to an embeddings endpoint: how many in one request, and whether numbers are asked for.

    `key_header` is the header in which it took the key, empty if not known.
    """

    texts: int = TEXTS_PER_REQUEST
    encoding: bool = True
    key_header: str = ""

    def build_body(self, model: str, texts: list[str]) -> bytes:
        """The body of a request for the vectors of texts."""
        body = {"model": model, "input": texts}
        return orjson.dumps(body | {"encoding_format": "float"} if self.encoding else body)

    def without(self, n_texts: int, message: str) -> "EmbeddingPlan | None":
        """The next way to put so many texts after a refusal; None where there is none."""
        if self.encoding and (n_texts == 1 or "encoding" in message):
            return replace(self, encoding=False)
        return replace(self, texts=n_texts // 2) if n_texts > 1 else None

    def narrowed(self, other: "EmbeddingPlan") -> "EmbeddingPlan":
        """What both plans ask for."""
        return replace(self, texts=min(self.texts, other.texts), encoding=self.encoding and other.encoding)

    def describe(self) -> str:
        """What is done, in words."""
        return f"sends {self.texts} texts at once" + ("" if self.encoding else " and no encoding_format")

    def to_text(self) -> str:
        """What was found out, for the ledger."""
        return orjson.dumps([self.texts, self.encoding, self.key_header]).decode()

    @classmethod
    def from_text(cls, text: str) -> "EmbeddingPlan":
        """What `to_text` gave; the usual way from a text that is none."""
        try:
            texts, encoding, key_header = orjson.loads(text)
            return cls(min(max(1, int(texts)), TEXTS_PER_REQUEST), bool(encoding), str(key_header))
        except (ValueError, TypeError):
            return cls()
