"""What we ask of a model: records in, requests out; replies in, records out."""

from kdos.tasks.choose import LETTERS, ask_choice, match_choice_text, read_choice, show_choices
from kdos.tasks.classify import ask_class, read_class
from kdos.tasks.extract import ask_extraction, ask_seeds, read_extraction, read_seeds
from kdos.tasks.judge import (
    CHECKS,
    CRITERIA,
    QUOTED_CRITERIA,
    Grade,
    Judgement,
    ask_answer,
    ask_grade,
    ask_judgement,
    ask_recall,
    judgement_refusal,
    read_answer,
    read_grade,
    read_judgement,
    read_recall,
)
from kdos.tasks.prompt import Prompt, json_digest
from kdos.tasks.request import (
    ORDER_WINDOW,
    Ask,
    Exchange,
    FailedAttempt,
    OpenExchange,
    Reply,
    Request,
    Usage,
    ask_through,
    pair_replies_in_order,
)
from kdos.tasks.review import Review, ask_review, read_review
from kdos.tasks.synthesize import (
    SYNTHESIZE_PROMPT,
    Group,
    ask_drafts,
    ask_redraft,
    match_use_group,
    read_drafts,
    retry_group,
)

__all__ = [
    "CHECKS", "CRITERIA", "LETTERS", "ORDER_WINDOW", "QUOTED_CRITERIA", "SYNTHESIZE_PROMPT", "Ask", "Exchange",
    "FailedAttempt", "Grade", "Group", "Judgement", "OpenExchange", "Prompt", "Reply", "Request", "Review", "Usage",
    "ask_answer", "ask_choice", "ask_class", "ask_drafts", "ask_extraction", "ask_grade", "ask_judgement",
    "ask_recall", "ask_redraft", "ask_review", "ask_seeds", "ask_through", "json_digest", "judgement_refusal",
    "match_choice_text", "match_use_group", "pair_replies_in_order", "read_answer", "read_choice", "read_class",
    "read_drafts", "read_extraction", "read_grade", "read_judgement", "read_recall", "read_review", "read_seeds",
    "retry_group", "show_choices",
]  # fmt: skip
