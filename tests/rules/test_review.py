"""The review of drafts by the rules says what their judge and their extraction say apart."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.pool import Draft, Extraction, Passage, Refusal
from kdos.rules import RulesEngine
from kdos.tasks import (
    QUOTED_CRITERIA,
    Group,
    ask_drafts,
    ask_extraction,
    ask_judgement,
    ask_review,
    ask_seeds,
    read_drafts,
    read_extraction,
    read_judgement,
    read_review,
    read_seeds,
)

ENGINE = RulesEngine()
FACTS = (
    "`json.dumps` is a function of the module `json`.\n"
    "The signature of `json.dumps` has 11 parameters.\n"
    "The first parameter of `json.dumps` is `obj`.\n"
    "The parameter `skipkeys` of `json.dumps` has the default value `False`.\n"
    "The parameter `indent` of `json.dumps` has the default value `None`."
)
PROSE = (
    "Rollo, a Norse leader, swore fealty to King Charles III of West Francia in 911. "
    'In 1066, Duke William II of Normandy, called "the Conqueror" & king, won the Battle of Hastings. '
    "The Battle of Hastings was fought near Hastings in East Sussex. William II was born at Falaise in 1028. "
    "Rollo ruled Normandy from Rouen until 927."
)


def answered(request):
    return next(ENGINE.complete([request]))


def drafts_about(source: Passage) -> list[Draft]:
    seeds, _ = read_seeds(answered(ask_seeds(source, per_passage=4)), source)
    drafts: list[Draft] = []
    for number, seed in enumerate(seeds):
        request = ask_extraction(seed.id, question=seed.question, answer=seed.answers[0], passages=[source])
        extraction = read_extraction(answered(request))
        assert isinstance(extraction, Extraction)
        group = Group(f"g{number}", (seed,), (extraction.knowledge_points[:1],) * 2, (), 2, number)
        asked = ask_drafts(group, extractions={seed.id: extraction}, passages=[source])
        found = read_drafts(answered(asked), group)
        assert not isinstance(found, Refusal)
        drafts += found
    return drafts


def apart(draft: Draft, source: Passage):
    """What the two requests say that a review takes the place of."""
    judgement = read_judgement(answered(ask_judgement(draft, passages=[source])))
    request = ask_extraction(
        draft.id, question=draft.question, answer=draft.answer, passages=[source], claimed=draft.knowledge_points
    )
    return judgement, read_extraction(answered(request))


def check_alike(drafts, source):
    reviews = read_review(answered(ask_review(drafts, passages=[source], name="g")), drafts)
    for draft, review in zip(drafts, reviews, strict=True):
        judgement, extraction = apart(draft, source)
        if isinstance(extraction, Refusal):
            assert isinstance(review, Refusal)
            continue
        assert not isinstance(review, Refusal), review
        assert review.judgement.passed == judgement.passed
        assert all(review.judgement.quotes[name] == judgement.quotes[name] for name in QUOTED_CRITERIA)
        assert review.extraction == extraction


@pytest.mark.parametrize(("title", "text"), [("json", FACTS), ("Normans", PROSE)])
def test_it_is_what_judge_and_extraction_say(title, text):
    source = Passage("p#0", "p", title, "", "en", 0, len(text), text)
    drafts = drafts_about(source)
    assert len(drafts) >= 2
    # Some that are wrong: an answer from elsewhere, a claim that nothing says, a claim made twice, no logic.
    first = drafts[0]
    drafts += [
        replace(first, answer="seventeen elephants"),
        replace(first, knowledge_points=(*first.knowledge_points, "Pigs fly.")),
        replace(first, knowledge_points=(first.knowledge_points[0], *first.knowledge_points)),
        replace(first, logic="no diagram", distractors=(first.answer,)),
        replace(first, knowledge_points=()),
    ]
    check_alike(drafts, source)


@settings(max_examples=30, deadline=None)
@given(
    title=st.text(max_size=20),
    text=st.lists(st.one_of(st.text(max_size=80), st.sampled_from(FACTS.splitlines())), max_size=8).map("\n".join),
)
def test_it_is_so_of_any_text(title, text):
    source = Passage("p#0", "p", title, "", "en", 0, len(text), text)
    check_alike(drafts_about(source), source)


def test_its_reply_names_what_is_claimed():
    source = Passage("p#0", "p", "Normans", "", "en", 0, len(PROSE), PROSE)
    (draft, *_) = drafts_about(source)
    text = answered(ask_review([draft], passages=[source], name="g")).text
    assert '"knowledge_points":["KP' in text
    assert not any(point in text.partition('"topic_entities"')[2] for point in draft.knowledge_points)
