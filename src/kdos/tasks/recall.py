"""Question in, answer from memory out: closed book, as plain text."""

from collections.abc import Sequence
from dataclasses import dataclass

from kdos.pool import Refusal
from kdos.tasks.prompt import load_prompt
from kdos.tasks.reading import no_reply_refusal
from kdos.tasks.request import Reply, Request

RECALL_PROMPT = load_prompt("recall", {})
"""No schema: a reply is the answer itself, so that small models are not asked for JSON."""


@dataclass(frozen=True)
class QuestionRequest(Request):
    """A question put as a chat: instructions, solved examples as earlier turns, the question."""

    @property
    def messages(self) -> list[dict[str, str]]:
        """The chat that is sent."""
        turns = [
            {"role": role, "content": example[part]}
            for example in self.inputs["examples"]
            for role, part in (("user", "question"), ("assistant", "answer"))
        ]
        question = {"role": "user", "content": self.inputs["question"]}
        return [{"role": "system", "content": self.prompt.text}, *turns, question]


def ask_recall(name: str, *, question: str, examples: Sequence[tuple[str, str]] = ()) -> Request:
    """Ask one question; `examples` are (question, answer) pairs shown before it."""
    shown = [{"question": asked, "answer": given} for asked, given in examples]
    inputs = {"question": question, "examples": shown}
    return QuestionRequest(f"recall/{name}", RECALL_PROMPT, inputs, {"temperature": 0.0})


def read_recall(reply: Reply) -> str | Refusal:
    """The answer, or why there is none."""
    return no_reply_refusal(reply.error) if reply.error else reply.text.strip()
