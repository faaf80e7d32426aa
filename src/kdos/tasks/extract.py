"""Question with answer in; topic entities, knowledge points and logic out."""

from collections.abc import Sequence

from kdos.pool import Extraction, Passage, Refusal
from kdos.tasks.prompt import TEXT, a_list, an_object, list_passages, load_prompt
from kdos.tasks.reading import read_reply
from kdos.tasks.request import Reply, Request

EXTRACT_SCHEMA = an_object(topic_entities=a_list(TEXT), knowledge_points=a_list(TEXT), logic=TEXT)
EXTRACT_PROMPT = load_prompt("extract", EXTRACT_SCHEMA)


def ask_extraction(
    name: str,
    *,
    question: str,
    answer: str,
    passages: Sequence[Passage],
    claimed: Sequence[str] = (),
) -> Request:
    """Ask which knowledge points a question holds; `claimed` are those its writer named."""
    inputs = {
        "question": question,
        "answer": answer,
        "claimed": list(claimed),
        "passages": list_passages(passages),
    }
    return Request(id=f"extract/{name}", prompt=EXTRACT_PROMPT, inputs=inputs)


def read_extraction(reply: Reply) -> Extraction | Refusal:
    """The extraction, or why there is none."""
    value = read_reply(reply, EXTRACT_SCHEMA)
    if isinstance(value, Refusal):
        return value
    return Extraction(
        topic_entities=tuple(value["topic_entities"]),
        knowledge_points=tuple(value["knowledge_points"]),
        logic=value["logic"],
    )
