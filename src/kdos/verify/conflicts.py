"""Rows that answer one question in two ways: found before any is judged, so that neither counts as the right one."""

from collections.abc import Iterable, Mapping, Sequence

from kdos.chance import key_bits
from kdos.checks import check_answer_stated, check_fields_filled
from kdos.checks.known_questions import answers_agree, normalise_answers
from kdos.pool.wording import fact_key
from kdos.rows import QuestionRow
from kdos.scoring import is_correct_answer

ARTICLES = frozenset(["a", "an", "the"])
Conflicts = Mapping[int, str]
"""By a question's key: both rows and what they answer."""


def find_conflicts(items: Iterable[QuestionRow]) -> Conflicts:
    """The questions whose rows disagree, with two of these rows and their answers.

    Rows without an answer contradict nothing. Questions are one where their words and their passages are the same.
    """
    first: dict[int, tuple[str, tuple[str, ...]]] = {}
    found: dict[int, str] = {}
    for item in items:
        if check_fields_filled(item.draft) or check_answer_stated(item.draft):
            continue
        key = question_key(item)
        name, answers = first.setdefault(key, (item.draft.id, item.answers))
        if key not in found and not _agree(answers, item.answers, item.draft.question):
            found[key] = f"{name}: {answers[0]} | {item.draft.id}: {item.answers[0]}"
    return found


def question_key(item: QuestionRow) -> int:
    """What two rows share that ask the same of the same passage: 128 bits."""
    plain = fact_key(item.draft.question.casefold().rstrip(" ?!."))
    words = [word for word in plain.split() if word not in ARTICLES]
    return key_bits(0, " ".join(words), item.passage.text if item.passage else "")


def _agree(ours: Sequence[str], theirs: Sequence[str], question: str) -> bool:
    if ours == theirs or answers_agree(normalise_answers(ours), normalise_answers(theirs)):
        return True
    pairs = ((ours, theirs), (theirs, ours))
    return any(is_correct_answer(one, others, question=question) for some, others in pairs for one in some)
