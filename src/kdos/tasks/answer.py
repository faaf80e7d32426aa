"""Question in, an answer out that was given without seeing ours: for self-consistency."""

from collections.abc import Sequence

from kdos.pool import Draft, Passage, Refusal
from kdos.tasks.prompt import an_object, load_prompt
from kdos.tasks.reading import no_reply_refusal, read_json
from kdos.tasks.request import Reply, Request

ANSWER_SCHEMA = an_object(answer={"type": "string"})
ANSWER_PROMPT = load_prompt("answer", ANSWER_SCHEMA)
ATTEMPT_TEMPERATURE = 0.7
"""Attempts must be able to differ: agreement between equal attempts proves nothing."""


def ask_answer(draft: Draft, *, passages: Sequence[Passage], attempt: int) -> Request:
    """Ask the draft's question once more; `attempt` makes each asking a request of its own."""
    inputs = {
        "question": draft.question,
        "passages": [{"id": p.id, "title": p.title, "text": p.text} for p in passages],
    }
    params = {"temperature": ATTEMPT_TEMPERATURE, "seed": attempt}
    return Request(
        id=f"answer/{draft.id}/{attempt}", prompt=ANSWER_PROMPT, inputs=inputs, params=params
    )


def read_answer(reply: Reply) -> str | Refusal:
    """The answer, empty where the model says it does not know; or why there is none."""
    value = no_reply_refusal(reply.error) if reply.error else read_json(reply.text, ANSWER_SCHEMA)
    return value if isinstance(value, Refusal) else value["answer"]
