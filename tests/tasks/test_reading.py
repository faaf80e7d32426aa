"""Reading: JSON that fits, out of what models write; a refusal wherever two readings are left."""

import gzip
import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from kdos.pool import ErrorClass, Refusal
from kdos.tasks import Prompt, Reply, Request, reading
from kdos.tasks.json_repair import UnreadableError, _RepairParser, match_end, repair_json
from kdos.tasks.prompt import TEXT, a_list, an_object
from kdos.tasks.reading import read_value

BROKEN = Path(__file__).parents[2] / "../shared/data/json/broken_json.jsonl.gz"
SUITE = Path(__file__).parents[2] / "../shared/data/json/json_test_suite.jsonl.gz"
ANSWER = an_object(answer=TEXT)

# Without control characters before a letter, which is what a lone backslash reads as (see test_backslashes.py).
TEXTS = st.text().map(lambda text: re.sub("[\b\f\n\r\t](?=[A-Za-z])", "", text))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)

READ = {
    "as it is": '{"answer": "Paris"}',
    "in a fence": 'Here it is:\n```json\n{"answer": "Paris"}\n```\nAnything else?',
    "in a fence without an end": '```json\n{"answer": "Paris"}',
    "in prose": 'The answer [as asked] is {"answer": "Paris"}. I hope this helps!',
    "trailing comma": '{"answer": "Paris",}',
    "single quotes": "{'answer': 'Paris'}",
    "typographic quotes": "{“answer”: “Paris”}",
    "bare key": '{answer: "Paris"}',
    "bare words": "{answer: Paris}",
    "comments": '{"answer": /* the capital */ "Paris"} // done',
    "no closing brace": '{"answer": "Paris"',
    "no closing quote": '{"answer": "Paris}',
    "no opening quote": '{answer": Paris"}',
    "no colon": '{"answer" "Paris"}',
    "doubled quotes": '{""answer"": ""Paris""}',
    "too many braces": '{"answer": "Paris"}}}',
    "a key more": '{"answer": "Paris", "confidence": 0.9}',
    "another object": '{"thought": "France"}\n{"answer": "Paris"}',
    "the same twice": '{"answer": "Paris"}\n{"answer": "Paris"}',
    "joined strings": '{"answer": "Par" + "is"}',
    "escapes": r'{"answer": "P\u0061ris",}',
}
REFUSED = {
    "nothing": "",
    "prose": "I cannot answer this.",
    "a string": '"Paris"',
    "two answers": '{"answer": "Paris"} {"answer": "Lyon"}',
    "no answer": '{"city": "Paris"}',
    "an empty answer": '{"answer": ""}',
    "a missing value": '{"answer": }',
    "a number": '{"answer": 3}',
    "a list": '["Paris"]',
    "cut inside a sentence": '{"answer": "Paris, the capital of Fra',
    "cut inside a word": '{"answer": "Pari',
    "cut inside an escape": r'{"answer": "Pari\u0',
    "words that are lost": '{"answer": Paris, the capital}',
    "an end that is not marked": '{"answer": "Paris, France}',
    "stuck together": '{"answer": "Paris"}and more',
    "too deep": '{"answer": ' + "[" * 100_000,
}


@pytest.mark.parametrize("text", READ.values(), ids=READ)
def test_one_reading_is_read(text: str) -> None:
    assert read_value(text, ANSWER) == {"answer": "Paris"}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_none_or_several_readings_are_refused(text: str) -> None:
    value = read_value(text, ANSWER)
    assert isinstance(value, Refusal)
    assert (value.reason, value.error_class) == ("unreadable", ErrorClass.FORMAT_MISMATCH)
    assert value.detail


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"answer": "He said "yes", then left."}', 'He said "yes", then left.'),
        ('{"answer": "a 24" screen", }', 'a 24" screen'),
        ('{"answer": "two\nlines",}', "two\nlines"),
        (r'{"answer": "$\alpha$",}', r"$\alpha$"),
        ('{"answer": "see https://a.example/b",}', "see https://a.example/b"),
        ('{"answer": "not // a comment",}', "not // a comment"),
        ("{'answer': 'it\\'s'}", "it's"),
        ('{"answer": "```python\nx = {}\n```",}', "```python\nx = {}\n```"),
        ('{"answer": "北京",}', "北京"),
    ],
)
def test_what_is_inside_a_string_stays(text: str, answer: str) -> None:
    assert read_value(text, ANSWER) == {"answer": answer}


@given(JSON.filter(lambda value: not isinstance(value, str)))
def test_json_is_read_as_it_is(value: Any) -> None:
    assert read_value(json.dumps(value, ensure_ascii=False), {}) == value


@given(st.dictionaries(st.text(max_size=80), JSON, min_size=1, max_size=4))
@example({"": '"', "\x1f" * 80: None})
def test_a_trailing_comma_changes_nothing(value: dict[str, Any]) -> None:
    text = json.dumps(value)
    assume("```" not in text)  # it would end the block
    assert repair_json(f"Sure!\n```json\n{text[:-1]},}}\n```") == [value]


@settings(max_examples=300)
@given(st.text(alphabet="{}[]()\",:'`/*#“”\\ \nabtrue1.-+e_…", max_size=300))
@example("/*" * 5000)
@example('["x" ' * 2000)
@example("{" * 5000)
@example("[1" + "0" * 6000)
def test_it_never_raises_and_never_hangs(text: str) -> None:
    started = time.process_time()
    read_value(text, {})
    assert time.process_time() - started < 20


# Space and comments as one pattern: slow where comments have no end, and obvious.
IGNORED = re.compile(r"(?:[\s\ufeff\u200b-\u200d\u2060]|/\*(?>.*?(?:\*/|\Z))|//[^\n]*+|#[^\n]*+)*+", re.DOTALL)
SEPARATORS = re.compile(rf"(?:{IGNORED.pattern}(?:,|\.\.\.|…))*+{IGNORED.pattern}", re.DOTALL)


@settings(max_examples=300)
@given(st.text(alphabet='/*#,.… \n\u200ba"', max_size=60))
def test_what_is_passed_over_is_what_one_pattern_matches(text: str) -> None:
    reader = _RepairParser(text)
    for at in range(len(text) + 1):
        reader.at = at
        assert reader.skip_ignored() == match_end(IGNORED, text, at)
        reader.at = at
        reader.skip_separators()
        assert reader.at == match_end(SEPARATORS, text, at)


def test_space_behind_a_comment_is_looked_at_once() -> None:
    reader = _RepairParser('"a"/*"/*"/**/    ,')
    assert [reader.ignored_end(at) for at in (3, 6, 9)] == [17, 17, 17]
    assert reader.ignored_ends == dict.fromkeys((3, 6, 9, 13), 17)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({}, "the reply.drafts is missing"),
        ({"drafts": 3}, "the reply.drafts must be of type array, not integer"),
        ({"drafts": []}, "the reply.drafts must have at least 1 items, not 0"),
        ({"drafts": [{"q": "a", "ok": True}, {"q": "", "ok": True}]}, "the reply.drafts[1].q must"),
        ({"drafts": [{"q": "a", "ok": 1}]}, "the reply.drafts[0].ok must be of type boolean"),
        ({"drafts": [{"q": "a", "ok": None}]}, "not null"),
    ],
)
def test_the_refusal_says_what_must_hold_and_where(value: Any, problem: str) -> None:
    schema = an_object(drafts=a_list(an_object(q=TEXT, ok={"type": "boolean"}), minItems=1))
    refusal = read_value(json.dumps(value), schema)
    assert isinstance(refusal, Refusal)
    assert problem in refusal.detail


def test_other_keywords() -> None:
    schema = {
        "type": "object",
        "properties": {
            "level": {"enum": ["easy", "hard"]},
            "year": {"type": ["integer", "null"]},
            "either": {"anyOf": [{"type": "string", "maxLength": 2}, {"type": "number"}]},
        },
        "required": ["level"],
    }
    assert read_value('{"level": "easy", "year": null, "either": 2.5}', schema)
    for wrong in ('"level": "medium"', '"level": "easy", "year": true', '"level": "easy", "either": "abc"'):
        assert isinstance(read_value(f"{{{wrong}}}", schema), Refusal)


def test_a_keyword_that_is_not_checked_is_an_error() -> None:
    with pytest.raises(ValueError, match="pattern"):
        read_value("{}", {"type": "string", "pattern": "a+"})


def test_a_missing_value_is_empty_only_where_the_schema_has_one_empty_value() -> None:
    assert read_value('{"a": }', {"properties": {"a": {"type": "string"}}}) == {"a": ""}
    assert read_value('{"a": }', {"properties": {"a": {"type": "null"}}}) == {"a": None}
    assert isinstance(read_value('{"a": }', {}), Refusal)


def test_not_readable_says_where() -> None:
    with pytest.raises(UnreadableError, match="at character 7"):
        repair_json('{"a": b{c')


# -- the strings of three libraries' own tests, when they are at hand


def schema_of(value: Any, *, names: bool) -> dict[str, Any]:
    """The narrowest schema of our subset that `value` fits; `names`: its strings are an enum's."""
    if isinstance(value, dict):
        pairs = {key: schema_of(item, names=names) for key, item in value.items()}
        return an_object(**pairs)
    if isinstance(value, list):
        kinds = reading.distinct_values(schema_of(item, names=names) for item in value)
        item = {} if not kinds else kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
        return a_list(item)
    if isinstance(value, str) and names:
        return {"enum": ["ONE", "TWO", "THREE", "One", "Two"]}
    kind = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return {"type": kind[type(value)]}


def broken() -> list[dict[str, Any]]:
    if not BROKEN.exists():
        pytest.skip("no broken JSON at hand")
    with gzip.open(BROKEN, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_no_wrong_value_is_accepted_on_any_broken_string() -> None:
    counts: Counter[tuple[str, str]] = Counter()
    wrong: list[tuple[str, Any]] = []
    for row in broken():
        named = "Enum" in row.get("typed_as", "") or "Literal" in row.get("typed_as", "")
        schema = {} if row.get("unrepairable") else schema_of(row["value"], names=named)
        value = read_value(row["raw"], schema)
        origin = row["origin"].split(":")[0]
        if isinstance(value, Refusal):
            counts[origin, "refused"] += 1
        elif row.get("unrepairable") or value != row["value"]:
            wrong.append((row["raw"], value))
        else:
            counts[origin, "read"] += 1
    assert wrong == []
    assert counts["mangiucugna/json_repair", "read"] >= 106
    assert counts["josdejong/jsonrepair", "read"] >= 139
    assert counts["BoundaryML/baml", "read"] >= 16


def test_no_schema_at_all_accepts_nothing_wrong_of_the_two_untyped_origins() -> None:
    for row in broken():
        value = read_value(row["raw"], {})
        if "baml" not in row["origin"] and not isinstance(value, Refusal):
            assert value == row["value"], row["raw"]


def test_valid_json_of_the_test_suite_is_read() -> None:
    if not SUITE.exists():
        pytest.skip("no JSON test suite at hand")
    with gzip.open(SUITE, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if "text" not in row:
                continue
            value = read_value(row["text"], {})
            if row["expectation"] == "valid" and not isinstance(row["value"], str):
                assert value == row["value"], row["id"]


def test_a_reply_without_an_answer_has_its_error_for_a_value() -> None:
    asked = Request("seed/1", Prompt("seed", "Say it.", ANSWER), {})
    value = Reply(asked, error="HTTP 500").value
    assert isinstance(value, Refusal)
    assert (value.reason, value.detail) == ("no_reply", "HTTP 500")
    assert Reply(asked, text='{"answer": "Paris"}').value == {"answer": "Paris"}
