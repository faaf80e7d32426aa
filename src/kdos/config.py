"""The configuration of a run: every default once, every unknown key an error."""

import dataclasses
import difflib
import re
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from kdos.errors import ConfigError, UsageError
from kdos.logic import LEVELS
from kdos.targets import check_target

VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SECRET_NAME = re.compile(
    r"(?:x[-_])?(?:api[-_]?key|key|authorization|(?:access|auth|bearer)?[-_]?token|secret|password)", re.IGNORECASE
)
"""What a value that is a key is called."""
KEY_IN_TEXT = re.compile(r"(?<![A-Za-z0-9])(?:sk|pk|rk|hf|gsk|xai|pplx|nvapi|AIza)[-_][\w-]{8,}|\bBearer \S{8,}")
"""How the keys of the common services begin."""
HARMLESS_QUERY = re.compile(
    r"(?:[\w-]{0,32}version|deployment|model|region|location|project)=[\w.:-]{1,64}", re.IGNORECASE
)
"""A part of an address's query that holds no key."""
SECRET_WORD = re.compile(r"key|token|secret|auth(?!or)|passw|\bsig|credential|cookie", re.IGNORECASE)
"""In the name of a header, or of a part of a query, whose value is secret."""
SENT_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]{1,128}", re.ASCII)
"""The name of a header (RFC 9110, section 5.6.2)."""
FRAMING_HEADERS = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that say how a request is sent: with one of a user's own no server understands it."""


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """Where documents or questions come from.

    `path` is a file, a folder, a pattern (``docs/**/*.pdf``), a list of these or, for `hf`, a data set, of which
    `name` is the configuration. `text`, `id`, `title`, `domain`, `question`, `answers` and `passage` name fields of a
    table; where one is empty the field of its usual name is taken, if there is one. `lang` is the code of
    the language; empty takes the field ``lang``, else what the text shows. `limit` 0 takes everything.
    """

    kind: Literal["pydocs", "files", "text", "wikipedia", "qa", "hf"]
    path: str | list[str] = ""
    name: str = ""
    split: str = "train"
    text: str = ""
    id: str = ""
    title: str = ""
    domain: str = ""
    lang: str = ""
    licence: str = ""
    question: str = ""
    answers: str = ""
    passage: str = ""
    limit: int = 0


@dataclass(frozen=True, slots=True)
class PriceConfig:
    """What a token costs, in USD for a million tokens."""

    prompt: float = 0.0
    completion: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Who answers. `key_env` names the environment variable that holds the key.

    `urls`, in place of `url`, are servers of one model that share the requests; `concurrency` is that of each.
    `batch` sends batch files; `embed_url` is the server of `embed: endpoint:MODEL` where it is not
    `url`; `extra` goes into every request as it is, and a name whose value is null is not sent.
    What a server refuses is found out; it can be said beforehand: `form` of the answers, `omit` names of
    parameters, `max_tokens_field`, `key_header`. `headers` and `query` go with every request: texts, or
    ``{env: VARIABLE}`` for what is secret.
    """

    kind: Literal["rules", "http"] = "rules"
    url: str = ""
    model: str = ""
    key_env: str | None = None
    concurrency: int = 64
    timeout: float = 300.0
    temperature: float = 0.7
    max_tokens: int = 4096
    prices: PriceConfig | None = None
    batch: bool = False
    embed_url: str = ""
    extra: dict[str, Any] = field(default_factory=dict[str, Any])
    form: Literal["json_schema", "json_object", "prompt", ""] = ""
    omit: list[str] = field(default_factory=list[str])
    max_tokens_field: Literal["max_tokens", "max_completion_tokens", ""] = ""
    key_header: str = ""
    headers: dict[str, Any] = field(default_factory=dict[str, Any])
    query: dict[str, Any] = field(default_factory=dict[str, Any])
    urls: list[str] = field(default_factory=list[str])

    @property
    def addresses(self) -> list[str]:
        """Where the servers are: `urls`, or `url` alone."""
        return self.urls or [self.url]

    @property
    def total_concurrency(self) -> int:
        """The most requests in flight, of all servers together."""
        return self.concurrency * len(self.addresses)

    def __post_init__(self) -> None:
        for name, values in (("headers", self.headers), ("query", self.query)):
            _check_sent_values(values, where=f"engine.{name}")
        if self.key_header and not SENT_NAME.fullmatch(self.key_header):
            raise ConfigError(
                "engine.key_header must be the name of a header, as in api-key. What it holds is no such name."
            )
        if framing := FRAMING_HEADERS & {name.lower() for name in (*self.headers, self.key_header)}:
            raise ConfigError(
                "engine.headers and engine.key_header must leave out what HTTP itself sets. "
                f"Got {', '.join(sorted(framing))}. Take it out."
            )
        if kept := {"model", "messages"} & set(self.omit):
            raise ConfigError(f"engine.omit must name what a request can do without. Got {', '.join(sorted(kept))}.")
        for key, url in (("url", self.url), ("embed_url", self.embed_url)):
            if url:
                check_server_url(url, where=f"engine.{key}")
        self._check_urls()
        if self.key_env is not None and self.key_env and not VARIABLE_NAME.fullmatch(self.key_env):
            raise ConfigError(
                "engine.key_env must be the name of an environment variable, as in OPENAI_API_KEY, not the key. "
                "What it holds is no such name, and is not shown here."
            )
        if (name := _name_of_secret(self.extra)) is not None:
            raise ConfigError(
                f"engine.extra must hold no key: it is written into the run. `{name}` looks like one. "
                "Name the variable that holds the key instead (key_env)."
            )

    def _check_urls(self) -> None:
        """Raise `ConfigError` unless `urls` are different addresses, and nothing else is set that needs one server."""
        for number, url in enumerate(self.urls):
            check_server_url(url, where=f"engine.urls[{number}]")
        if self.url and self.urls:
            raise ConfigError("`engine` must have `url` or `urls`, not both. Put all addresses into `urls`.")
        if len({url.rstrip("/") for url in self.urls}) < len(self.urls):
            raise ConfigError("engine.urls must be different addresses. One of them stands there twice. Take it out.")
        if self.batch and len(self.urls) > 1:
            raise ConfigError(
                f"engine.batch must have one server, for a batch goes to one. engine.urls has {len(self.urls)}. "
                "Give one of them as engine.url, or leave engine.batch out."
            )


@dataclass(frozen=True, slots=True)
class SpaceConfig:
    """The space that density is measured in (`docs/density.md`); few knowledge points get fewer cells and less k.

    `placebo` has the source's knowledge points change places at random once they are measured: what a run gains then
    owes nothing to where knowledge lies (`kdos sweep` compares with it).
    """

    dim: int = 64
    cells: int | None = None
    k: int = 10
    placebo: bool = False


@dataclass(frozen=True, slots=True)
class SeedConfig:
    """How documents are cut and how many questions a passage is asked for."""

    passage_chars: int = 1200
    per_passage: int = 6


@dataclass(frozen=True, slots=True)
class SynthesizeConfig:
    """The loop: how drafts are asked for and which are kept.

    `accept: all` keeps every sound draft; together with `picker: scatter` that is the blind run
    that others do. `mend` asks once more for a draft with a fault of its writing.
    `judges` see each draft, 0 for none; `attempts` answer its question unseen, and what they do not
    agree with falls. `enhance` has drafts that came out easier than they were asked for written again, one level
    up, where their own level is full (`Config.difficulty`). `same_shape` is the share of the pool that one shape of
    logic may have. `window` is the most picks in flight (`Config.window`).
    """

    accept: Literal["pace", "strict", "all"] = "pace"
    drafts_per_call: int = 2
    window: int | None = None
    slack: float = 0.2
    mend: bool = True
    judges: int = 1
    attempts: int = 0
    enhance: bool = True
    same_shape: float = 1.0


@dataclass(frozen=True, slots=True)
class TaxonomyConfig:
    """Classes that documents are sorted into: each one's `domain` is the class that it is found to belong to.

    `classes` is broad, mmlu, cmmlu or a FILE of a user's own. `by` says who finds it: `embedding` (the embedder of the
    run and shared words) or `model`, which is asked once a document.
    """

    classes: str
    by: Literal["embedding", "model"] = "embedding"


@dataclass(frozen=True, slots=True)
class BudgetConfig:
    """What may be made and spent at most; without `samples` the amount follows the content of the source."""

    samples: int | None = None
    calls: int | None = None
    tokens: int | None = None
    usd: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """A whole run. `target` is the dial; the rest has defaults that are meant to be left alone.

    `exposures` is how often a knowledge point may usefully appear. `facts` is how many knowledge points the run is
    about, chosen as the target wants them, whole passages first; without it, all that the source holds.
    `benchmarks` are files of questions that nobody may train on, or names that `kdos evaluate`
    knows: no sample is one of theirs.
    `prompts` is a folder with the user's versions of prompts, `examples` a file of samples that the drafter is shown,
    `seeds` a file of questions that are seeds beside those found in the source.
    `picker` says where drafts start: at knowledge points that are missing (`steer`), on paths through linked seeds
    (`walk`), on paths that begin where steering would (`walk-from-steer`), or anywhere (`scatter`). `taxonomy`, as in
    ``taxonomy: broad``, gives documents their domains in place of the source's own. `disciplines` gives domains their
    share of the target; the others keep their proportions in what is left.
    `difficulty` gives the levels D1 to D5 their shares of the samples, in each discipline.
    """

    source: SourceConfig
    engine: EngineConfig = field(default_factory=EngineConfig)
    embed: str = "static"
    target: str = "natural"
    exposures: int = 1
    facts: int | None = None
    benchmarks: list[str] = field(default_factory=list[str])
    prompts: str | None = None
    examples: str | None = None
    seeds: str | None = None
    picker: Literal["steer", "walk", "walk-from-steer", "scatter"] = "steer"
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    space: SpaceConfig = field(default_factory=SpaceConfig)
    seed: SeedConfig = field(default_factory=SeedConfig)
    synthesize: SynthesizeConfig = field(default_factory=SynthesizeConfig)
    taxonomy: TaxonomyConfig | None = None
    disciplines: dict[str, Any] = field(default_factory=dict[str, Any])
    difficulty: dict[str, Any] = field(default_factory=dict[str, Any])
    random_seed: int = 0
    workers: int = 1

    @property
    def window(self) -> int:
        """The most picks that are in flight together: a pick knows nothing of those before it that are."""
        if self.synthesize.window is not None:
            return self.synthesize.window
        if self.engine.batch:
            return BATCH_WINDOW
        return max(LEAST_DEFAULT_WINDOW, WINDOW_OF_CONCURRENCY * self.engine.total_concurrency)

    def to_dict(self) -> dict[str, Any]:
        """The configuration with every default written out."""
        settled = dataclasses.replace(self, synthesize=dataclasses.replace(self.synthesize, window=self.window))
        return dataclasses.asdict(settled)


LEAST_DEFAULT_WINDOW, WINDOW_OF_CONCURRENCY = 1024, 8
"""Picks in flight, and for each request that a server takes at once: with fewer, all would wait for the slowest reply.
The least default is that of every engine, so that what a run makes does not depend on how its model is reached."""
BATCH_WINDOW = 16_384
"""A batch file takes hours whatever it holds."""
SHARES_TOLERANCE = 0.001
"""How far from 1 shares may sum: 0.333 three times is meant to be all."""
SHOWN_CHARS = 40
MOST_WHOLE = 2**63 - 1
"""The largest whole number that arrays and JSON hold."""
MOST_EXPOSURES = 1_000_000
"""More than any model is shown a fact; a source's exposures stay countable with it."""
POSITIVE_KEYS = (
    "workers",
    "budget.samples",
    "exposures",
    "facts",
    "space.dim",
    "space.cells",
    "space.k",
    "seed.passage_chars",
    "seed.per_passage",
    "synthesize.drafts_per_call",
    "synthesize.window",
    "engine.concurrency",
)
NON_NEGATIVE_KEYS = (
    "budget.calls",
    "budget.tokens",
    "budget.usd",
    "budget.seconds",
    "synthesize.slack",
    "synthesize.judges",
    "synthesize.attempts",
)


def read_config(value: object) -> Config:
    """The configuration in a mapping, as YAML gives it.

    Raises:
        ConfigError: An unknown key, a missing one, or a value of the wrong type or range.
    """
    config = _read_dataclass(Config, value, at="")
    _check_least(config.to_dict(), POSITIVE_KEYS, least=1)
    _check_least(config.to_dict(), NON_NEGATIVE_KEYS, least=0)
    if config.exposures > MOST_EXPOSURES:
        raise ConfigError(f"`exposures` must be at most {MOST_EXPOSURES:,}. Got {config.exposures}.")
    settings = config.synthesize
    if settings.attempts and config.engine.kind == "rules":
        raise ConfigError(
            "`synthesize.attempts` must have a model to answer: rules knows what it asked. "
            "Give an engine of kind http, or 0 attempts."
        )
    _check_target_name(config.target)
    _check_disciplines(config.disciplines)
    _check_difficulty(config.difficulty)
    if config.engine.kind == "http" and not (config.engine.addresses[0] and config.engine.model):
        raise ConfigError(
            "`engine` of kind http needs `url` and `model`, as in {kind: http, url: http://127.0.0.1:8000/v1, "
            "model: NAME}; or `urls`, where there are several servers."
        )
    return config


def _name_of_secret(values: Mapping[str, Any]) -> str | None:
    """The first name, at any depth, whose value is a secret by its name or its look; None where there is none."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            if (found := _name_of_secret(value)) is not None:
                return found
        elif isinstance(value, str) and (SECRET_NAME.fullmatch(name) or KEY_IN_TEXT.search(value)):
            return name
    return None


def _check_least(resolved: Mapping[str, Any], keys: Sequence[str], *, least: int) -> None:
    for key in keys:
        number: Any = resolved
        for part in key.split("."):
            number = number[part]
        # What is no number is less than nothing.
        if number is not None and not number >= least:
            raise ConfigError(f"`{key}` must be at least {least}. Got {number}.")


def _check_sent_values(values: Mapping[str, Any], *, where: str) -> None:
    """Raise `ConfigError` unless all are texts that are no key, or name the variable that holds one."""
    for name, value in values.items():
        if not SENT_NAME.fullmatch(name) or KEY_IN_TEXT.search(name):
            raise ConfigError(f"{where} must have names of letters, digits and dashes. One of them is none.")
        if not _is_sent_value(name, value):
            raise ConfigError(
                f"{where}.{name} must be one line of text that is no key, or name the variable that holds the key, "
                "as in {env: A_KEY}. What it holds is neither, and is not shown here."
            )


def _is_sent_value(name: str, value: object) -> bool:
    """Whether a value is a text that is no key, by its name or its look, or names a variable."""
    if isinstance(value, Mapping):
        pairs = typing.cast("Mapping[str, Any]", value)
        return set(pairs) == {"env"} and isinstance(pairs["env"], str) and bool(VARIABLE_NAME.fullmatch(pairs["env"]))
    if not isinstance(value, str) or not (value.isascii() and value.isprintable()):
        return False
    return not (SECRET_WORD.search(name) or KEY_IN_TEXT.search(value))


def check_server_url(url: str, *, where: str) -> None:
    """Raise `ConfigError` unless `url` is the address of a server that holds no key; `where` it was given.

    An address that may hold one is not shown.
    """
    address, _, query = url.partition("?")
    harmless = all(HARMLESS_QUERY.fullmatch(part) for part in query.split("&")) if query else True
    if set(url) & set("@#;") or "?" in query or not harmless or KEY_IN_TEXT.search(url):
        raise ConfigError(
            f"{where} must hold no key and no password: nothing before an @, nothing after a ; or a #, and after a ? "
            "no more than a version, as in ?api-version=1. Name the variable that holds the key instead "
            "(engine.key_env, or engine.query with {env: A_KEY})."
        )
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise ConfigError(
            f"{where} must be the address of a server, as in http://127.0.0.1:8000/v1. "
            "What stands after its last : is no port."
        ) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0 or not url.isprintable() or " " in url:
        raise ConfigError(f"{where} must be the address of a server, as in http://127.0.0.1:8000/v1. Got {url!r}.")


def _check_target_name(name: str) -> None:
    try:
        check_target(name)
    except UsageError as error:
        raise ConfigError(str(error)) from error


def _check_shares(shares: Mapping[str, Any], *, at: str) -> None:
    for name, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ConfigError(f"`{at}.{name}` must be a share in [0, 1]. Got {share!r}.")


def _check_difficulty(shares: Mapping[str, Any]) -> None:
    for name in shares:
        if name not in LEVELS:
            raise ConfigError(f"`difficulty` must give shares to levels, {', '.join(LEVELS)}. Got {name!r}.")
    _check_shares(shares, at="difficulty")
    if shares and abs(sum(shares.values()) - 1) > SHARES_TOLERANCE:
        raise ConfigError(
            f"`difficulty` must sum to 1: it has the shares of all samples. Got {sum(shares.values()):g}."
        )


def _check_disciplines(shares: Mapping[str, Any]) -> None:
    _check_shares(shares, at="disciplines")
    if sum(shares.values()) > 1:
        raise ConfigError(
            f"`disciplines` must sum to 1 at most. Got {sum(shares.values()):g}. "
            "They are shares of the target; what is left goes to the domains that are not named."
        )


def _read_dataclass(kind: type[Any], value: object, *, at: str) -> Any:
    """An instance of the dataclass `kind` from a mapping; `at` is the dotted place for messages."""
    where = f"`{at}`" if at else "the configuration"
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must be a mapping of keys to values. Got {_shown_value(value)}.")
    hints = get_type_hints(kind)
    for key in value:
        if key not in hints:
            raise ConfigError(f"{where} has no key `{key}`. {_suggest_key(str(key), list(hints))}")
    required = [
        f.name
        for f in dataclasses.fields(kind)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    for key in required:
        if key not in value:
            raise ConfigError(f"{where} needs the key `{key}`.")
    prefix = f"{at}." if at else ""
    return kind(**{k: _convert_value(hints[k], v, at=f"{prefix}{k}") for k, v in value.items()})


def _convert_value(hint: Any, value: object, *, at: str) -> Any:
    """`value` as the type `hint` says, or a ConfigError that names the place."""
    if get_origin(hint) in (types.UnionType, typing.Union):
        if value is None and type(None) in get_args(hint):
            return None
        options = [option for option in get_args(hint) if option is not type(None)]
        hint = next((option for option in options if isinstance(value, get_origin(option) or option)), options[0])
    if hint is TaxonomyConfig and isinstance(value, str):
        value = {"classes": value}  # all that most runs say of it
    if dataclasses.is_dataclass(hint):
        return _read_dataclass(typing.cast(type[Any], hint), value, at=at)
    if get_origin(hint) is Literal:
        if value in get_args(hint):
            return value
        names = ", ".join(map(str, get_args(hint)))
        raise ConfigError(f"`{at}` must be one of {names}. Got {_shown_value(value)}.")
    if get_origin(hint) is list:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigError(f"`{at}` must be a list of texts. Got {_shown_value(value)}.")
        return value
    if get_origin(hint) is dict:
        hint = dict
    if hint in (int, float):
        return _convert_number(hint, value, at=at)
    if not isinstance(value, hint):
        raise ConfigError(f"`{at}` must be of type {hint.__name__}. Got {_shown_value(value)}.")
    return value


def _convert_number(hint: type[int] | type[float], value: object, *, at: str) -> int | float:
    """`value` as a whole number that arrays and JSON hold, or as a finite one."""
    if isinstance(value, bool) or not isinstance(value, int if hint is int else int | float):
        raise ConfigError(f"`{at}` must be of type {hint.__name__}. Got {_shown_value(value)}.")
    if not abs(value) <= (MOST_WHOLE if hint is int else sys.float_info.max):
        wanted = "a whole number of at most 63 bits" if hint is int else "a finite number"
        raise ConfigError(f"`{at}` must be {wanted}. Got {_shown_value(value)[:SHOWN_CHARS]}.")
    return hint(value)


def _shown_value(value: object) -> str:
    """A value as it was given, unless it may hold an address with a password."""
    shown = repr(value)
    return "an address" if "://" in shown and set(shown) & set("@?#") else shown


def _suggest_key(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"Did you mean `{close[0]}`?" if close else f"Its keys are {', '.join(known)}."
