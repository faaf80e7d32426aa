"""Passage in, seed questions out."""

from kdos.pool import ErrorClass, Passage, Refusal, Seed
from kdos.tasks.prompt import TEXT, a_list, an_object, load_prompt
from kdos.tasks.reading import read_reply
from kdos.tasks.request import Reply, Request

SEED_SCHEMA = an_object(seeds=a_list(an_object(question=TEXT, answer=TEXT, quote=TEXT)))
SEED_PROMPT = load_prompt("seed", SEED_SCHEMA)


def ask_seeds(passage: Passage, *, per_passage: int) -> Request:
    """Ask for at most `per_passage` seed questions about one passage."""
    inputs = {
        "title": passage.title,
        "passage": passage.text,
        "language": passage.lang,
        "per_passage": per_passage,
    }
    return Request(id=f"seed/{passage.id}", prompt=SEED_PROMPT, inputs=inputs)


def read_seeds(reply: Reply, passage: Passage) -> tuple[list[Seed], list[Refusal]]:
    """The seeds whose answer stands in the passage, and what is wrong with the others."""
    value = read_reply(reply, SEED_SCHEMA)
    if isinstance(value, Refusal):
        return [], [value]
    seeds: list[Seed] = []
    refusals: list[Refusal] = []
    for number, item in enumerate(value["seeds"]):
        where = locate_answer(item["answer"], item["quote"], passage.text)
        if where is None:
            detail = f"{item['answer']!r} is not in the quoted sentence of {passage.id}"
            refusals.append(Refusal("answer_not_found", ErrorClass.ANSWER, detail))
            continue
        seeds.append(
            Seed(
                id=f"{passage.id}/{number}",
                question=item["question"],
                answers=(item["answer"],),
                passage=passage.id,
                document=passage.document,
                domain=passage.domain,
                lang=passage.lang,
                start=passage.start + where,
                end=passage.start + where + len(item["answer"]),
            )
        )
    return seeds, refusals


def locate_answer(answer: str, quote: str, text: str) -> int | None:
    """Offset in `text` of the answer inside the quote, both word for word, or None."""
    at = text.find(quote)
    inside = quote.find(answer)
    return None if at < 0 or inside < 0 else at + inside
