"""What is sent to a server, and what is made of its refusals: without a server."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from kdos.config import EngineConfig
from kdos.llm.server_profile import (
    FAILURES_UNTIL_DOUBT,
    BodyPlan,
    EmbeddingPlan,
    Refused,
    ResponseFormat,
    ServerProfile,
    Trial,
)
from kdos.tasks import FailedAttempt, Prompt, Request
from kdos.tasks.prompt import TEXT, an_object

PROMPT = Prompt(task="seed", text="Say the number.", schema=an_object(answer=TEXT))
OTHER = Prompt(task="judge", text="Judge it.", schema=an_object(verdict=TEXT))
PLAIN = Prompt(task="recall", text="Answer.", schema={})
REQUEST = Request(id="seed/1", prompt=PROMPT, inputs={"number": 1}, params={"top_p": 0.5})
JUDGE = Request(id="judge/1", prompt=OTHER, inputs={"number": 1}, params={"seed": 1})

Refuses = Callable[[dict[str, Any]], Refused | None]


def profile_of(**settings: Any) -> ServerProfile:
    return ServerProfile(EngineConfig(model="m", **{"max_tokens": 100, **settings}))


def body_of(profile: ServerProfile, request: Request, plan: BodyPlan | None = None) -> dict[str, Any]:
    return json.loads(profile.build_body(request, plan or profile.plan_for(request)))


def ask(profile: ServerProfile, request: Request, refuses: Refuses) -> tuple[int, Trial | None]:
    """Ask until it is answered or given up; how often, and the trial, which is over where nothing helped."""
    trial: Trial | None = None
    for sent in range(1, 100):
        plan = trial.plan if trial else profile.plan_for(request)
        refused = refuses(body_of(profile, request, plan))
        if refused is None:
            profile.learn_answer(request, plan, trial)
            return sent, trial
        following = profile.try_otherwise(request, plan, refused, trial)
        if following is None and (trial is not None or refused.status < 500):
            return sent, trial
        trial = following
    raise AssertionError("it must come to an end")


# -- what is sent


def test_a_request_carries_prompt_schema_inputs_and_settings() -> None:
    body = body_of(profile_of(), REQUEST)
    assert body["model"] == "m"
    assert (body["max_tokens"], body["top_p"], body["temperature"]) == (100, 0.5, 0.7)
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["answer"]
    system, user = body["messages"]
    assert system["content"].startswith("Say the number.")
    assert '"answer"' in system["content"]
    assert json.loads(user["content"].strip("`json\n")) == {"number": 1}


def test_the_form_is_asked_for_as_the_server_can() -> None:
    bodies = [body_of(profile_of(), REQUEST, BodyPlan(form)) for form in ResponseFormat]
    assert [body.get("response_format", {}).get("type") for body in bodies] == ["json_schema", "json_object", None]


def test_lengths_of_text_are_ours_to_check() -> None:
    form = body_of(profile_of(), REQUEST)["response_format"]["json_schema"]
    assert form["strict"] is True
    assert "minLength" not in json.dumps(form)


def test_a_second_attempt_shows_the_first_and_has_another_key() -> None:
    again = Request("seed/1", PROMPT, {"number": 1}, failed_attempt=FailedAttempt("", "it must be JSON"))
    plain = Request("seed/1", PROMPT, {"number": 1})
    roomy = Request("seed/1", PROMPT, {"number": 1}, max_tokens_factor=2)
    assert [message["role"] for message in again.messages][2:] == ["assistant", "user"]
    assert all(message["content"] for message in again.messages)
    assert "it must be JSON" in again.messages[-1]["content"]
    assert len({again.key, plain.key, roomy.key}) == 3
    assert body_of(profile_of(), roomy)["max_tokens"] == 200


@pytest.mark.parametrize(
    ("settings", "sent", "unsent"),
    [
        ({"form": "json_object"}, {"response_format": {"type": "json_object"}}, ()),
        ({"form": "prompt"}, {}, ("response_format",)),
        ({"omit": ["seed", "temperature", "response_format"]}, {}, ("seed", "temperature", "response_format")),
        ({"omit": ["max_tokens"]}, {}, ("max_tokens",)),
        ({"max_tokens_field": "max_completion_tokens"}, {"max_completion_tokens": 100}, ("max_tokens",)),
        ({"extra": {"max_completion_tokens": 7}}, {"max_completion_tokens": 7}, ("max_tokens",)),
        ({"extra": {"max_tokens": None}}, {}, ("max_tokens",)),
        ({"extra": {"response_format": {"type": "text"}}}, {"response_format": {"type": "text"}}, ()),
        ({"extra": {"top_k": 3}}, {"top_k": 3, "seed": 1}, ()),
    ],
)
def test_each_setting_is_sent_as_it_is_set(
    settings: dict[str, Any], sent: dict[str, Any], unsent: tuple[str, ...]
) -> None:
    body = body_of(profile_of(**settings), JUDGE)
    assert {name: body[name] for name in sent} == sent
    assert not body.keys() & set(unsent)


# -- what is learned


def refuse(name: str, *, status: int = 400, message: str = "") -> Refuses:
    """A server that refuses one parameter."""
    words = message or f"Unsupported parameter: '{name}'."
    return lambda body: Refused(status, words) if name in body else None


@pytest.mark.parametrize("name", ["max_tokens", "temperature", "seed", "response_format"])
@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("message", ["", "Bad request."])
def test_any_parameter_may_be_refused_named_or_not(name: str, status: int, message: str) -> None:
    profile = profile_of()
    server = refuse(name, status=status, message=message)
    ask(profile, JUDGE, server)
    body = body_of(profile, JUDGE)
    assert name not in body
    others = {"max_tokens", "temperature", "seed", "response_format"} - {name}
    assert others <= body.keys()  # nothing else was given up
    assert ask(profile, JUDGE, server) == (1, None)


def test_a_named_parameter_takes_one_more_request() -> None:
    def reasoner(body: dict[str, Any]) -> Refused | None:
        return refuse("max_tokens")(body) or refuse("temperature")(body)

    profile = profile_of()
    assert ask(profile, JUDGE, reasoner)[0] == 3
    assert body_of(profile, JUDGE)["max_completion_tokens"] == 100


@pytest.mark.parametrize("status", [400, 404, 422, 500, 501, 503])
@pytest.mark.parametrize("message", ["response_format is not supported", "It cannot be done."])
def test_a_schema_is_refused_for_one_prompt_alone_and_late(status: int, message: str) -> None:
    profile = profile_of()

    def server(body: dict[str, Any]) -> Refused | None:
        schema = json.dumps(body.get("response_format", {}).get("json_schema"))
        return Refused(status, message) if "verdict" in schema else None

    assert ask(profile, REQUEST, server) == (1, None)
    for _ in range(4):
        sent, _ = ask(profile, JUDGE, server)
        assert sent <= 1 + FAILURES_UNTIL_DOUBT
    assert sent == 1
    assert profile.plan_for(JUDGE).form is ResponseFormat.OBJECT
    assert profile.plan_for(REQUEST).form is ResponseFormat.SCHEMA


def test_a_prompt_waits_for_its_first_answer_until_two_others_had_theirs() -> None:
    third = Request("third", Prompt("extract", "Extract.", an_object(point=TEXT)), {})

    def is_open(profile: ServerProfile) -> bool:
        return any(name.startswith("form/") for name in profile.unconfirmed_parts(third, profile.plan_for(third)))

    profile = profile_of()
    for request in (REQUEST, JUDGE):
        assert is_open(profile)
        ask(profile, request, lambda _: None)
    assert not is_open(profile)
    # One that refuses a schema of several, or may have, is asked by one request first, as before.
    ask(profile, REQUEST, refuse("response_format"))
    assert is_open(profile)


def test_a_schema_that_was_taken_may_be_refused_later() -> None:
    profile = profile_of()
    assert ask(profile, REQUEST, lambda _: None) == (1, None)
    assert ask(profile, REQUEST, refuse("response_format", message="Bad request."))[0] == 3
    assert profile.plan_for(REQUEST).form is ResponseFormat.PROMPT


def test_where_no_schema_was_taken_no_more_are_tried() -> None:
    profile = profile_of()
    server = refuse("response_format")
    third = Request("third", Prompt("extract", "Extract.", an_object(point=TEXT)), {})
    assert [ask(profile, one, server)[0] for one in (REQUEST, JUDGE, third)] == [3, 3, 1]


def test_failures_that_pass_teach_nothing() -> None:
    profile, failures = profile_of(), iter([503, 0, 503, 503, 0, 0, 503, 0])

    def flaky(_: dict[str, Any]) -> Refused | None:
        status = next(failures)
        return Refused(status, "busy") if status else None

    for _ in range(4):
        ask(profile, REQUEST, flaky)
    assert profile.plan_for(REQUEST).form is ResponseFormat.SCHEMA


@pytest.mark.parametrize("message", ["this text is too long", "Bad request."])
def test_a_request_at_fault_teaches_nothing(message: str) -> None:
    profile = profile_of()
    assert ask(profile, JUDGE, lambda _: None) == (1, None)
    sent, _ = ask(profile, JUDGE, lambda _: Refused(400, message))
    assert sent <= 3
    assert body_of(profile, JUDGE) == body_of(profile_of(), JUDGE)


def test_a_text_too_long_for_the_model_does_not_unbound_the_others() -> None:
    profile, message = profile_of(), "max_tokens is too large: the context has 4096 tokens."
    assert ask(profile, JUDGE, lambda _: None) == (1, None)
    sent, trial = ask(profile, JUDGE, lambda body: Refused(400, message) if "tokens" in str(list(body)) else None)
    assert trial is not None
    assert (sent, trial.plan.limit_field) == (3, "")
    assert body_of(profile, JUDGE)["max_tokens"] == 100


def test_what_two_requests_find_out_at_once_is_both_kept() -> None:
    profile = profile_of()
    plan, refused = profile.plan_for(JUDGE), Refused(400, "'seed' is refused")
    of_seed = profile.try_otherwise(JUDGE, plan, refused, None)
    of_temperature = profile.try_otherwise(REQUEST, plan, Refused(400, "'temperature' is refused"), None)
    assert of_seed is not None
    assert of_temperature is not None
    said = [
        profile.learn_answer(JUDGE, of_seed.plan, of_seed),
        profile.learn_answer(REQUEST, of_temperature.plan, of_temperature),
    ]
    assert said == ["leaves out seed", "leaves out temperature"]
    assert not {"seed", "temperature"} & body_of(profile, JUDGE).keys()


def test_what_was_found_out_lasts_and_settings_go_before() -> None:
    profile = profile_of()
    ask(profile, JUDGE, refuse("seed"))
    ask(profile, REQUEST, refuse("max_tokens"))
    profile.key_header = "api-key"
    again = profile_of()
    again.read_text(profile.to_text())
    assert body_of(again, JUDGE) == body_of(profile, JUDGE)
    assert (again.key_header, again.confirmed) == ("api-key", profile.confirmed)
    set_otherwise = profile_of(max_tokens_field="max_tokens", form="prompt")
    set_otherwise.read_text(profile.to_text())
    assert {"max_tokens", "seed", "response_format"} & body_of(set_otherwise, JUDGE).keys() == {"max_tokens"}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"forms": {"a": "b"}}', "null", '{"forms": 1}'])
def test_a_text_that_is_no_finding_teaches_nothing(text: str) -> None:
    profile = profile_of()
    profile.read_text(text)
    assert body_of(profile, JUDGE) == body_of(profile_of(), JUDGE)
    assert EmbeddingPlan.from_text(text) == EmbeddingPlan()


def test_a_prompt_without_a_schema_asks_for_no_form() -> None:
    plain = Request("recall/1", PLAIN, {})
    profile = profile_of()
    assert "response_format" not in body_of(profile, plain)
    assert ask(profile, plain, lambda _: Refused(404, "no such model")) == (1, None)
