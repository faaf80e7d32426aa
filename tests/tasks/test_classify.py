"""Which class a model named, and what is made of a reply that names none."""

import orjson
import pytest

from kdos.pool import Refusal
from kdos.rules import RulesEngine
from kdos.tasks import Reply, ask_class, read_class
from kdos.tasks.classify import CLASSIFY_PROMPT
from kdos.tasks.reading import schema_problem
from kdos.taxonomy import TaxonomyClass

CLASSES = [
    TaxonomyClass("world_religions", "Beliefs, texts and rites.\n宗教。"),
    TaxonomyClass("Law", examples=("a court", "a judge", "a statute", "a fine")),
]
REQUEST = ask_class("document d", excerpt=["Title\nBegin", "end"], classes=CLASSES)


def reply_of(text):
    return Reply(REQUEST, text=text)


def test_a_request_holds_the_classes_in_short_and_the_pieces_of_the_text():
    assert REQUEST.id == "classify/document d"
    assert REQUEST.inputs == {
        "classes": [
            {"name": "world_religions", "description": "Beliefs, texts and rites."},
            {"name": "Law", "description": "a court; a judge; a statute"},
        ],
        "text": "Title\nBegin\n\n…\n\nend",
    }


@pytest.mark.parametrize(
    ("said", "name"), [("Law", "Law"), (" law ", "Law"), ("World Religions", "world_religions"), ("LAW", "Law")]
)
def test_a_name_may_be_spelled_in_any_case_with_spaces(said, name):
    assert read_class(reply_of(orjson.dumps({"class": said}).decode())) == name


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"class": "poetry"}', "unknown_class"),
        ('{"class": ""}', "unknown_class"),
        ('{"class": ["Law"]}', "unreadable"),
        ("Law, I think.", "unreadable"),
    ],
)
def test_a_reply_that_names_no_class_is_a_refusal(text, reason):
    found = read_class(reply_of(text))
    assert isinstance(found, Refusal)
    assert found.reason == reason


def test_a_failed_call_is_one_too():
    found = read_class(Reply(REQUEST, error="the server is down"))
    assert isinstance(found, Refusal)
    assert found.reason == "no_reply"


def test_the_built_in_engine_goes_by_words():
    asked = [
        ask_class(str(n), excerpt=[text], classes=CLASSES)
        for n, text in enumerate(["The court sat.", "Rites of spring, and beliefs", "nothing"])
    ]
    replies = list(RulesEngine().complete(asked))
    assert not any(schema_problem(orjson.loads(one.text), CLASSIFY_PROMPT.schema) for one in replies)
    found = [read_class(one) for one in replies]
    assert found[:2] == ["Law", "world_religions"]
    assert isinstance(found[2], Refusal)
