"""What we ask of a model: records in, requests out; replies in, records out."""

from kdos.tasks.answer import ask_answer, read_answer
from kdos.tasks.extract import ask_extraction, read_extraction
from kdos.tasks.grade import Grade, ask_grade, read_grade
from kdos.tasks.judge import (
    CHECKS,
    CRITERIA,
    PROVEN,
    Judgement,
    ask_judgement,
    failure,
    read_judgement,
)
from kdos.tasks.order import WINDOW, in_order
from kdos.tasks.recall import ask_recall, read_recall
from kdos.tasks.request import Ask, Attempt, Prompt, Reply, Request, Usage, digest
from kdos.tasks.seed import ask_seeds, read_seeds
from kdos.tasks.synthesize import PROMPT as SYNTHESIZE
from kdos.tasks.synthesize import Group, ask_again, ask_drafts, once_more, read_drafts

__all__ = [
    "CHECKS",
    "CRITERIA",
    "PROVEN",
    "SYNTHESIZE",
    "WINDOW",
    "Ask",
    "Attempt",
    "Grade",
    "Group",
    "Judgement",
    "Prompt",
    "Reply",
    "Request",
    "Usage",
    "ask_again",
    "ask_answer",
    "ask_drafts",
    "ask_extraction",
    "ask_grade",
    "ask_judgement",
    "ask_recall",
    "ask_seeds",
    "digest",
    "failure",
    "in_order",
    "once_more",
    "read_answer",
    "read_drafts",
    "read_extraction",
    "read_grade",
    "read_judgement",
    "read_recall",
    "read_seeds",
]
