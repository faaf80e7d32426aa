"""The checks that cost nothing: what a draft must satisfy before any judge is paid.

Each check takes a draft with what it needs and gives a refusal or None; they have an order, and the first failure is
the verdict. They flag obvious violations only: a draft that no rule plainly convicts goes on to the judge.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, combinations
from typing import TypeVar

from kdos.checks.answers import find_leaked_answer, is_quoted, locate_answer_evidence
from kdos.checks.known_questions import (
    BenchmarkIndex,
    KnownQuestions,
    answers_agree,
    differ_by_names,
    is_nearly_verbatim,
    normalise_answers,
    word_overlap,
)
from kdos.checks.refusals import make_refusal
from kdos.checks.sentence_checks import (
    detect_other_language,
    has_unspaced_letter,
    is_abstract_sentence,
    is_in_language,
)
from kdos.logic import Fault, Logic, ShapeCounts, find_faults, parse
from kdos.pool import Draft, Passage, Refusal, Seed
from kdos.pool.wording import fact_key, normalise_text, read_sentence_words

T = TypeVar("T")

MIN_KNOWLEDGE_POINTS, MAX_KNOWLEDGE_POINTS = 3, 5
"""KDoS, synthesis prompt: 3 to 5 knowledge points a sample."""
MIN_QUESTION, MAX_QUESTION = 8, 600
MAX_ANSWER = 160
MIN_KNOWLEDGE_POINT, MAX_KNOWLEDGE_POINT = 8, 500
"""Lengths in characters (our design)."""
COPIED_WORD_SHARE = 0.7
"""Share of a seed question's words, small ones aside, that make the draft a copy (our design)."""
CACHED_POINTS = 8192
"""Knowledge points of which is remembered what they say: they come in many drafts."""
MIN_SHAPED_SAMPLES = 100
"""Samples before shapes are compared (our design)."""

_FIRST_OPTION = re.compile(r"[Aa][)）.:：、]")
_OPTION = re.compile(r"(?:^|[\s(（])[(（]?([A-Ea-e])[)）.:：、]\s*(?=\S)")
# Words that an expression below cannot match without: looked for first, since most drafts hold none of them.
_CHOICE_CUES = ("following", "above", "options", "choices", "true or false", "以下", "下列")
_CHOICE = re.compile(
    r"\b(?:which|what|who|select|choose|pick)\b[^?.]{0,40}\b(?:of|from|among) the (?:following|"
    r"options|choices)\b|\bthe following (?:options|choices|statements)\b|\b(?:all|none) of the "
    r"above\b|(?:以下|下列)[^。？?]{0,12}(?:哪|选项|正确|错误)|\btrue or false\b"
)
_OPTION_ANSWER = re.compile(r"[(（]?[A-E][)）:：](?:\s|$)|[A-E]\.$|(?:option|choice|answer) [A-E]\b", re.IGNORECASE)
_DENIALS = ("not", "n't", "never", "no longer", "不", "未", "没")
_NEGATION = re.compile(r"n(?:(?<=\bn)(?:ot|ever|o longer)|'t)\b|[不未没]")
# Begins after no letter, digit or dot and ends before no letter: `i4` and `v.2` hold none.
_NUMBER = re.compile(r"\d(?<![\w.]\d)(?:[\d,.]*\d)?(?!\w)")
_ONE_VALUED = re.compile(
    r"\b(?:born|died|founded|established|built|completed|published|released|population|capital|"
    r"tall|high|long|deep|elevation|default|created|invented|discovered)\b|出生|逝世|去世|成立|人口|建于",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class DraftInContext:
    """A draft and what it is held against.

    `answers` is every form of its answer, `passages` those its evidence may cite, `seeds` those it was made from.
    """

    draft: Draft
    answers: Sequence[str]
    passages: Mapping[str, Passage]
    seeds: Sequence[Seed]
    lang: str = "en"


def check_drafts(
    cases: Sequence[DraftInContext],
    *,
    known: KnownQuestions,
    among: int | None = None,
    benchmarks: BenchmarkIndex | None = None,
) -> list[Refusal | None]:
    """The first thing that speaks against each draft, or None.

    `known` are the questions of the pool, of which the first `among` count, `benchmarks` the questions nobody may
    train on. Drafts are not held against each other: add one to `known` before the next is checked for that.
    """
    # The order is part of the result: the first failure is the verdict. What looks into an index comes last.
    checks: list[Callable[[DraftInContext], Refusal | None]] = [
        lambda case: check_lengths(case.draft),
        lambda case: check_knowledge_points(case.draft),
        lambda case: check_not_multiple_choice(case.draft),
        lambda case: check_answer_not_leaked(case.draft, case.answers),
        lambda case: check_concrete_instances(case.draft),
        lambda case: check_language(case.draft, case.lang),
        lambda case: check_logic(case.draft, parse(case.draft.logic)),
        lambda case: check_evidence(case.draft, case.passages),
        lambda case: check_not_seed_copy(case.draft, case.answers, case.seeds),
        lambda case: check_uncontaminated(case.draft, case.answers, benchmarks),
        lambda case: check_near_duplicate(case.draft, case.answers, known, among=among),
    ]
    return find_first_refusals(cases, checks)


def find_first_refusals(cases: Sequence[T], checks: Iterable[Callable[[T], Refusal | None]]) -> list[Refusal | None]:
    """The first refusal that the checks have for each case, or None."""
    # Check after check over all cases, not case after case: a check's code and tables are then at
    # hand for the next case. Made-up drafts a second: 3,315 case by case, 4,691 check by check.
    found: list[Refusal | None] = [None] * len(cases)
    standing = range(len(cases))
    for check in checks:
        for place in standing:
            found[place] = check(cases[place])
        standing = [place for place in standing if found[place] is None]
    return found


def answer_aliases(answer: str, seeds: Sequence[Seed]) -> tuple[str, ...]:
    """The answer, and every other form in which a seed with the same answer gives it."""
    wanted = normalise_text(answer)
    same = (seed.answers for seed in seeds if wanted in map(normalise_text, seed.answers))
    return tuple(dict.fromkeys([answer, *chain.from_iterable(same)]))


def check_lengths(draft: Draft) -> Refusal | None:
    """Question, answer and knowledge points are neither empty nor essays."""
    if not _minimum_length(draft.question, MIN_QUESTION) <= len(draft.question) <= MAX_QUESTION:
        return make_refusal("question_length", f"{len(draft.question)} characters")
    if not draft.answer.strip() or len(draft.answer) > MAX_ANSWER:
        return make_refusal("answer_length", f"{len(draft.answer)} characters")
    for point in draft.knowledge_points:
        if not _minimum_length(point, MIN_KNOWLEDGE_POINT) <= len(point) <= MAX_KNOWLEDGE_POINT:
            return make_refusal("knowledge_point_length", f"{len(point)} characters: {point[:80]}")
    return None


def _minimum_length(text: str, least: int) -> int:
    """The least length of a text: half as much where a letter is a syllable or a word."""
    return least // 2 if has_unspaced_letter(text) else least


def check_knowledge_points(draft: Draft) -> Refusal | None:
    """3 to 5 knowledge points, no two of them the same, no two against each other."""
    points = draft.knowledge_points
    if not MIN_KNOWLEDGE_POINTS <= len(points) <= MAX_KNOWLEDGE_POINTS:
        return make_refusal("knowledge_points_number", f"{len(points)} knowledge points")
    if len(set(map(fact_key, points))) < len(points):
        return make_refusal("knowledge_points_repeated", " | ".join(points))
    # Two statements contradict only where one holds a negation or both a number, so most pairs are never compared.
    text = "\n".join(points)
    denied = any(map(text.__contains__, _DENIALS)) and _NEGATION.search(text)
    compared = points if denied else [point for point in points if _NUMBER.search(point)]
    for one, other in combinations(compared, 2):
        if statements_contradict(one, other):
            return make_refusal("knowledge_points_contradict", f"{one} | {other}")
    return None


def statements_contradict(one: str, other: str) -> bool:
    """Is one the other's denial, or do they give one property of one thing two numbers?"""
    if _without_negation(one) == _without_negation(other) and (_NEGATION.search(one) or _NEGATION.search(other)):
        return True
    shared = _up_to_single_valued(one)
    if one == other or not shared or not other.startswith(shared):
        return False
    rests = [_NUMBER.sub("0", text.removeprefix(shared)) for text in (one, other)]
    return rests[0] == rests[1]


@lru_cache(maxsize=CACHED_POINTS)
def _without_negation(point: str) -> str:
    return normalise_text(_NEGATION.sub("", point))


@lru_cache(maxsize=CACHED_POINTS)
def _up_to_single_valued(point: str) -> str:
    """The knowledge point up to a property that has one value, or the empty string."""
    found = _ONE_VALUED.search(point)
    return point[: found.end()] if found else ""


def check_not_multiple_choice(draft: Draft) -> Refusal | None:
    """Question and answer, never multiple choice."""
    question = draft.question
    if _FIRST_OPTION.search(question):
        # Options come in order: a B before any A is an initial or a note, not a list.
        letters = [found.upper() for found in _OPTION.findall(question)]
        if "A" in letters and "B" in letters[letters.index("A") :]:
            return make_refusal("multiple_choice", "the question lists options")
    lowered = question.lower()
    if any(map(lowered.__contains__, _CHOICE_CUES)) and (found := _CHOICE.search(lowered)):
        return make_refusal("multiple_choice", found[0])
    if _OPTION_ANSWER.match(draft.answer):
        return make_refusal("multiple_choice", f"the answer is an option: {draft.answer}")
    return None


def check_answer_not_leaked(draft: Draft, answers: Sequence[str]) -> Refusal | None:
    """The answer does not stand in the question, in whatever dress."""
    leaked = find_leaked_answer(draft.question, answers)
    return make_refusal("answer_directly_in_question", leaked) if leaked else None


def check_concrete_instances(draft: Draft) -> Refusal | None:
    """Question and knowledge points are about concrete instances."""
    if is_abstract_sentence(draft.question, draft.topic_entities, asked_for=draft.answer):
        return make_refusal("abstract_question", draft.question)
    for point in draft.knowledge_points:
        if is_abstract_sentence(point, draft.topic_entities, asked_for=""):
            return make_refusal("abstract_knowledge_point", point)
    return None


def check_language(draft: Draft, lang: str) -> Refusal | None:
    """The question and its knowledge points are in the language of the source."""
    # A question that is plainly in the language settles it: more words cannot change the outcome.
    if is_in_language(draft.question, lang):
        return None
    text = " ".join([draft.question, *draft.knowledge_points])
    other = detect_other_language(draft.question, lang) or detect_other_language(text, lang)
    return make_refusal("wrong_language", f"{other}, not {lang}") if other else None


def check_logic(draft: Draft, logic: Logic | Fault) -> Refusal | None:
    """The Mermaid diagram can be read and leads from the knowledge points to the answer."""
    if isinstance(logic, Fault):
        where = f"line {logic.line}: " if logic.line else ""
        return make_refusal(logic.reason, where + logic.detail)
    found = find_faults(logic, knowledge_points=draft.knowledge_points, answer=draft.answer)
    return make_refusal(found[0].reason, found[0].detail) if found else None


def check_logic_shape(name: str, shapes: ShapeCounts, *, most: float) -> Refusal | None:
    """The shape of this name is not that of more than a share `most` of the pool's already.

    Nothing is refused for it before `MIN_SHAPED_SAMPLES` samples: early on every shape is frequent.
    """
    if most >= 1 or shapes.counts.total() < MIN_SHAPED_SAMPLES:
        return None
    share = shapes.share_of_shape(name)
    return make_refusal("same_shape_again", f"{share:.0%} of the pool") if share > most else None


def check_evidence(draft: Draft, passages: Mapping[str, Passage]) -> Refusal | None:
    """Each quote stands in the passage it names, and one of them holds the answer."""
    if not draft.evidence:
        return make_refusal("no_evidence")
    for piece in draft.evidence:
        if not is_quoted(piece, passages):
            return make_refusal("evidence_not_in_passage", f"{piece.passage}: {piece.quote}")
    if locate_answer_evidence(draft.evidence, draft.answer, passages) is None:
        return make_refusal("answer_not_in_evidence", draft.answer)
    return None


def check_not_seed_copy(draft: Draft, answers: Sequence[str], seeds: Sequence[Seed]) -> Refusal | None:
    """The question is not one of its own seeds again."""
    wording, ours = read_sentence_words(draft.question), normalise_answers(answers)
    for seed in seeds:
        source = read_sentence_words(seed.question)
        # A question about another name is a new one, however much of the phrasing it borrows.
        if differ_by_names(wording, source) or word_overlap(wording, source) < COPIED_WORD_SHARE:
            continue
        same = answers_agree(ours, normalise_answers(seed.answers))
        if same is not False or is_nearly_verbatim(wording, source):
            return make_refusal("copied_question", f"{seed.id}: {seed.question}")
    return None


def check_uncontaminated(draft: Draft, answers: Sequence[str], benchmarks: BenchmarkIndex | None) -> Refusal | None:
    """The question is none of a benchmark's."""
    found = benchmarks.find_match(draft.question, answers) if benchmarks else None
    return make_refusal("contaminated", f"{found.name}: {found.question}") if found else None


def check_near_duplicate(
    draft: Draft, answers: Sequence[str], known: KnownQuestions, *, among: int | None = None
) -> Refusal | None:
    """The question is not in the pool already, as it was when it knew `among` questions."""
    found = known.find_match(draft.question, answers, among=among)
    return make_refusal("near_duplicate", f"{found.name}: {found.question}") if found else None
