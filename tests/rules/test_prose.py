"""The rules engine on any text: sentences word for word, instances asked for in their place."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.checks import DraftInContext, KnownQuestions, answer_aliases, check_drafts, combine_judgements
from kdos.checks.answers import find_leaked_answer
from kdos.pool import Document, Draft, Extraction, Passage, Refusal, Seed
from kdos.pool.sentences import quotable_sentences
from kdos.rules import RulesEngine
from kdos.rules.drafting import seed_from_statements
from kdos.rules.instances import find_chinese_instances, find_instances, question_entities
from kdos.rules.passage_index import read_statements
from kdos.rules.questions import replace_instance
from kdos.seed.passages import cut_passages
from kdos.tasks import (
    Group,
    ask_drafts,
    ask_extraction,
    ask_judgement,
    ask_seeds,
    read_drafts,
    read_extraction,
    read_judgement,
    read_seeds,
)

CORPORA = Path(__file__).parents[2] / "../shared/data/corpora"
ENGINE = RulesEngine()
NORMANS = (
    "The Normans were the people who in the 10th and 11th centuries gave their name to Normandy. "
    "Rollo, a Norse leader, swore fealty to King Charles III of West Francia in 911. "
    "In 1066, Duke William II of Normandy conquered England at the Battle of Hastings. "
    "They adopted the culture of the country. "
    "Mr. J. R. Tolkien wrote about 3.5 per cent of it, i.e. of Normandy, in 1937."
)
NORMANDY = Passage("n#0", "n", "Normans", "", "en", 0, len(NORMANS), NORMANS)
CHINESE = "小灰头稚冠雉长56厘米。它于1999年5月3日在墨西哥发现。目前全世界约有500万只。《山海经》没有提到它。"


def check_one(
    draft: Draft, *, passages: Mapping[str, Passage], seeds: Sequence[Seed], known: KnownQuestions, lang: str = "en"
) -> Refusal | None:
    """The first thing that the free checks have against one draft."""
    context = DraftInContext(draft, answer_aliases(draft.answer, seeds), passages, seeds, lang)
    return check_drafts([context], known=known)[0]


def seeds_of(source: Passage, wanted: int = 6) -> list[Seed]:
    request = ask_seeds(source, per_passage=wanted)
    seeds, refusals = read_seeds(next(ENGINE.complete([request])), source)
    assert refusals == []
    return seeds


def extraction_of(seed: Seed, source: Passage) -> Extraction:
    request = ask_extraction(seed.id, question=seed.question, answer=seed.answers[0], passages=[source])
    found = read_extraction(next(ENGINE.complete([request])))
    assert not isinstance(found, Refusal), found
    return found


def drafts_of(seed: Seed, source: Passage, *, variant: int = 0) -> list[Draft]:
    extraction = extraction_of(seed, source)
    group = Group(f"{seed.id}-{variant}", (seed,), (extraction.knowledge_points[:1],) * 2, (), 2, variant)
    request = ask_drafts(group, extractions={seed.id: extraction}, passages=[source])
    found = read_drafts(next(ENGINE.complete([request])), group)
    assert not isinstance(found, Refusal), found
    return found


def test_sentences_survive_abbreviations_initials_and_decimals() -> None:
    assert quotable_sentences(NORMANS) == [
        "The Normans were the people who in the 10th and 11th centuries gave their name to Normandy.",
        "Rollo, a Norse leader, swore fealty to King Charles III of West Francia in 911.",
        "In 1066, Duke William II of Normandy conquered England at the Battle of Hastings.",
        "They adopted the culture of the country.",
        "Mr. J. R. Tolkien wrote about 3.5 per cent of it, i.e. of Normandy, in 1937.",
    ]


@given(st.text(max_size=400))
@settings(max_examples=100, deadline=None)
def test_sentences_stand_in_the_text_word_for_word(text: str) -> None:
    assert all(sentence in text for sentence in quotable_sentences(text))


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        (
            "The tower was finished on 31 March 1889 by Gustave Eiffel.",
            "The tower was finished on which date by Gustave Eiffel?",
            "31 March 1889",
        ),
        ("In 1066, the Normans conquered England.", "The Normans conquered England in which year?", "1066"),
        (
            "The forest holds about 390 billion trees of many kinds.",
            "The forest holds about how many trees of many kinds?",
            "390 billion",
        ),
        ("Some 60% of it lies in Brazil.", "Some what percentage of it lies in Brazil?", "60%"),
        ("It cost them $5 million in all.", "It cost them how much money in all?", "$5 million"),
        ("The poet Robert Burns was born here.", "Which poet was born here?", "Robert Burns"),
        (
            "She studied at the University of Oxford until then.",
            "She studied at which university until then?",
            "University of Oxford",
        ),
        ("Chopin composed the waltz in a night.", "Who composed the waltz in a night?", "Chopin"),
        ("They were painted by Vermeer in his youth.", "They were painted by whom or what in his youth?", "Vermeer"),
    ],
)
def test_an_instance_is_asked_for_by_words_of_its_kind(sentence: str, question: str, answer: str) -> None:
    asked = {replace_instance(sentence, each): each.text for each in find_instances(sentence)}
    assert asked.get(question) == answer


@pytest.mark.parametrize(
    "sentence",
    [
        "It is layer 2 of the protocol.",
        "On May 17 he left the city.",
        "From 10 to 20 people came along.",
        "There are 3.5 of them in Paris and 3.5 of them in Rome.",
        "He is 35-year-old and lives alone.",
    ],
)
def test_a_number_that_counts_nothing_is_not_asked_for(sentence: str) -> None:
    assert [each for each in find_instances(sentence) if each.kind == "count"] == []


def test_what_leans_on_the_title_has_it_before_it() -> None:
    statements = {each.sentence: each for each in read_statements(NORMANS, "Normans")}
    assert statements["In 1066, " + NORMANS.split("In 1066, ")[1].split(" They")[0]].point[:2] == "In"
    leaning = "They adopted the culture of the country."
    assert leaning not in statements, "nothing in it is concrete"
    others = read_statements("He adopted the culture of France in 1066.", "Rollo")
    assert [each.point for each in others] == ["Rollo: He adopted the culture of France in 1066."]
    assert others[0].instances == (), "who he is, only the title says"
    assert read_statements("He adopted the culture of France in 1066.", "") == ()


def test_seeds_stand_in_the_passage_and_give_nothing_away() -> None:
    seeds = seeds_of(NORMANDY)
    assert {seed.answers[0] for seed in seeds} >= {"1066", "911", "1937"}
    for seed in seeds:
        assert NORMANS[seed.start : seed.end] == seed.answers[0]
        assert not find_leaked_answer(seed.question, seed.answers)
        assert "Norman" in seed.question


def test_drafts_pass_the_free_checks_and_the_judge() -> None:
    known = KnownQuestions()
    passed = 0
    for seed in seeds_of(NORMANDY):
        for draft in [each for variant in range(8) for each in drafts_of(seed, NORMANDY, variant=variant)]:
            refusal = check_one(draft, passages={NORMANDY.id: NORMANDY}, seeds=[seed], known=known)
            assert refusal is None or refusal.reason in {"near_duplicate", "copied_question"}
            if refusal is None:
                known.add_question(draft.question, [draft.answer])
                passed += 1
            judgement = read_judgement(next(ENGINE.complete([ask_judgement(draft, passages=[NORMANDY])])))
            assert combine_judgements([judgement], passages=[NORMANDY]).refusal is None
            for point in draft.knowledge_points:
                assert point.removeprefix("Normans: ") in NORMANS
    assert passed >= 4


TESLA = (
    "Nikola Tesla was born in Smiljan in 1856. He moved to the United States in 1884. "
    "Tesla worked for Thomas Edison for a short time. Edison was an inventor from Ohio. "
    "In 1888, Tesla sold his patents to Westinghouse. It is here that the Danube is widest. "
    "Brazil grows coffee on some 27,000 square kilometres of land."
)


def test_a_clue_tells_of_a_name_or_of_the_title_that_the_question_is_about() -> None:
    source = Passage("t#0", "t", "Nikola Tesla", "", "en", 0, len(TESLA), TESLA)
    told = {each.sentence.split(" ")[0]: (each.subject, each.pronoun) for each in read_statements(TESLA, source.title)}
    assert told["He"] == ("Nikola Tesla", "who"), "the sentence before it tells of the title"
    assert told["Edison"] == ("Edison", "")
    assert told["It"] == ("", ""), "it stands for nothing"
    found: set[str] = set()
    for seed in seeds_of(source):
        for draft in [each for variant in range(6) for each in drafts_of(seed, source, variant=variant)]:
            asked, *clues = draft.knowledge_points
            assert not any("Brazil" in point or "Danube" in point for point in draft.knowledge_points)
            for clue in clues:
                assert ("Tesla" in clue and "Tesla" in draft.question) or ("Edison" in clue and "Edison" in asked)
            found.add(draft.question)
    assert any("Nikola Tesla, who moved to the United States in 1884" in question for question in found), found
    assert any(": “He moved to the United States in 1884”" in question for question in found), found


@pytest.mark.parametrize(
    "sentences",
    [
        [
            f"In {1801 + n} the iron works of {town} employed {90 + n} people."
            for n, town in enumerate(("Aden", "Bonn", "Cork"))
        ],
        [f"在{1801 + n}年，{town}的钢铁工厂雇用了{90 + n}人。" for n, town in enumerate(("上海", "天津", "武汉"))],
    ],
    ids=["English", "Chinese"],
)
def test_a_text_without_title_and_names_in_common_is_linked_by_what_it_calls_alike(sentences: list[str]) -> None:
    text = ("" if "钢" in sentences[0] else " ").join(sentences)
    source = Passage("w#0", "w", "", "", "zh" if "钢" in text else "en", 0, len(text), text)
    drafts = [draft for seed in seeds_of(source) for draft in drafts_of(seed, source)]
    assert drafts
    for draft in drafts:
        assert set(draft.knowledge_points) == set(sentences)


def test_chinese_is_cut_and_asked_about_in_chinese() -> None:
    assert quotable_sentences(CHINESE)[0] == "小灰头稚冠雉长56厘米。"
    instances = [each for s in quotable_sentences(CHINESE) for each in find_chinese_instances(s)]
    assert {(each.text, each.words) for each in instances} == {
        ("56厘米", "多少厘米"),
        ("1999年5月3日", "哪一天"),
        ("500万只", "多少只"),
        ("山海经", "哪部作品"),
    }
    source = Passage("z#0", "z", "小灰头稚冠雉", "", "zh", 0, len(CHINESE), CHINESE)
    seeds = seeds_of(source)
    assert [seed.answers[0] for seed in seeds][:2] == ["56厘米", "1999年5月3日"]
    assert all(seed.question.endswith("？") for seed in seeds)
    assert all("小灰头稚冠雉" in seed.question for seed in seeds)


@pytest.mark.parametrize(
    ("question", "entities"),
    [
        ("Where was Marie Curie born?", ["Marie Curie"]),
        ("Who wrote “The Old Man and the Sea”?", ["The Old Man and the Sea"]),
        ("In which year did the 1994 NBA Finals end?", ["1994 NBA Finals"]),
        ("What is the default value of `json.dumps`?", ["json.dumps"]),
        ("what is love?", []),
    ],
)
def test_topic_entities_are_the_names_in_the_question(question: str, entities: list[str]) -> None:
    assert question_entities(question) == entities


@settings(max_examples=40, deadline=None)
@given(
    st.text(max_size=30),
    st.lists(st.one_of(st.text(max_size=60), st.sampled_from(quotable_sentences(NORMANS))), max_size=8),
)
def test_no_text_makes_it_fall(title: str, parts: list[str]) -> None:
    text = " ".join(parts)
    source = Passage("x#0", "x", title, "", "en", 0, len(text), text)
    for seed in seeds_of(source):
        for draft in drafts_of(seed, source):
            assert draft.question


def articles(name: str) -> Iterator[Document]:
    path = CORPORA / name
    if not path.exists():
        pytest.skip(f"no {name} here")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            text = "\n\n".join(paragraph["text"] for paragraph in row["paragraphs"])
            yield Document(row["id"], row["title"], text, lang=row["lang"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["squad_articles.jsonl.gz", "cmrc2018_zh_articles.jsonl.gz"])
def test_real_articles_give_sound_samples(name: str) -> None:
    sources = list(islice((p for document in articles(name) for p in cut_passages(document)), 500))
    outcome: Counter[str] = Counter()
    known = KnownQuestions()
    for source in sources:
        for seed in seeds_of(source, 4):
            for draft in drafts_of(seed, source, variant=3):
                refusal = check_one(draft, passages={source.id: source}, seeds=[seed], known=known, lang=source.lang)
                outcome[refusal.reason if refusal else "sound"] += 1
                if refusal is None:
                    known.add_question(draft.question, [draft.answer])
    # A statement that shares no name with two others is not asked about.
    assert outcome["sound"] >= 300, outcome
    first_of_its_kind = outcome.total() - outcome["near_duplicate"]
    assert outcome["sound"] >= 0.97 * first_of_its_kind, outcome


@pytest.mark.parametrize(
    "sentence",
    [
        "The script is run by Node.js, which reserves SIGUSR1 for itself.",
        "The shop was bought by ABC O&O in a year of its own.",
        "A value of mode=620 and gid=5 makes it the default there.",
        "The hints use the Python 3.10 syntax and the HTTP/2 protocol.",
        "Assignment to BASH_ARGV0 causes the value to be assigned to $0 as well.",
        "The API is described in RFC 7932 and its names are resolved in DNS only.",
        "They sailed up the St. Lawrence River under the Treaty on the Functioning of the European Union.",
        "The estimate is 356 ± 47 tonnes of wood per hectare.",
        "Now GCC is not a requirement to build it.",
        "It returned to Fort St. Frédéric with the rest.",
    ],
)
def test_a_piece_of_a_longer_thing_is_no_instance(sentence):
    pieces = {"Node", "ABC O", "5", "620", "3.10", "2", "$0", "DNS", "7932", "47", "356", "Now GCC", "Fort St", "RFC"}
    found = {each.text.removeprefix("the ") for each in find_instances(sentence)}
    assert not found & (pieces | {"Lawrence River", "Functioning of the European Union", "Python"})


@pytest.mark.parametrize(
    "sentence",
    [
        "Update the refresh threshold from 20 seconds to 5 minutes for it (#1146).",
        "But there are 27 parts of it in the old museum of the town.",
        "C. Lonvick, S. Lehtinen, The Secure Shell Protocol, RFC 4250, January 2006.",
        "Set the limit to 45 lines before the first of them is read.",
    ],
)
def test_what_states_no_fact_is_not_asked_about(sentence):
    assert seed_from_statements(f"It stands here. {sentence}", "Arles", 3) == []


def test_a_list_of_years_is_not_asked_for_one_of_them():
    sentence = "Plague ravaged London in 1563, 1593, 1603 and 1625 and in the winter after."
    assert [each.text for each in find_instances(sentence) if each.kind == "year"] == []
