"""What is taken out of text: a passage's seed questions, and the knowledge points of a question."""

from collections.abc import Mapping, Sequence

from kdos.pool import ErrorClass, Extraction, Passage, Refusal, Seed
from kdos.pool.quotes import find_quote_span, find_whole_span
from kdos.tasks.prompt import TEXT, a_list, an_object, list_passages, load_prompt, name_place
from kdos.tasks.request import Reply, Request

SEED_SCHEMA = an_object(seeds=a_list(an_object(question=TEXT, answer=TEXT, quote=TEXT)))
SEED_PROMPT = load_prompt("seed", SEED_SCHEMA)
EXTRACT_SCHEMA = an_object(topic_entities=a_list(TEXT), knowledge_points=a_list(TEXT), logic=TEXT)
EXTRACT_PROMPT = load_prompt("extract", EXTRACT_SCHEMA)


def ask_seeds(passage: Passage, *, per_passage: int) -> Request:
    """Ask for at most `per_passage` seed questions about one passage."""
    about = {"passage": passage.text, "language": passage.lang, "per_passage": per_passage}
    return Request(id=f"seed/{passage.id}", prompt=SEED_PROMPT, inputs=name_place(passage) | about)


def read_seeds(reply: Reply, passage: Passage) -> tuple[list[Seed], list[Refusal]]:
    """The seeds whose quote stands in the passage and holds the answer, and what is wrong with the others.

    Each of them costs an extraction: those beyond what was asked for are refused.
    """
    value = reply.value
    if isinstance(value, Refusal):
        return [], [value]
    read = [_read_seed(item, f"{passage.id}/{number}", passage) for number, item in enumerate(value["seeds"])]
    seeds, most = [one for one in read if isinstance(one, Seed)], reply.request.inputs["per_passage"]
    more = [Refusal("more_than_asked", ErrorClass.FORMAT_MISMATCH, seed.question) for seed in seeds[most:]]
    return seeds[:most], [one for one in read if isinstance(one, Refusal)] + more


def _read_seed(item: Mapping[str, str], name: str, passage: Passage) -> Seed | Refusal:
    quoted = find_quote_span(item["quote"], passage.text)
    if quoted is None:
        return Refusal("evidence_not_in_passage", ErrorClass.ANSWER, f"{passage.id}: {item['quote']}")
    sentence = passage.text[slice(*quoted)]
    answer = find_whole_span(item["answer"], sentence)
    if answer is None:
        reason = "answer_cut" if find_quote_span(item["answer"], sentence) else "answer_not_in_evidence"
        return Refusal(reason, ErrorClass.ANSWER, f"{passage.id}: {item['answer']}")
    start, end = (passage.start + quoted[0] + at for at in answer)
    return Seed(
        id=name,
        question=item["question"],
        answers=(" ".join(sentence[slice(*answer)].split()),),
        passage=passage.id,
        document=passage.document,
        domain=passage.domain,
        lang=passage.lang,
        start=start,
        end=end,
    )


def ask_extraction(
    name: str, *, question: str, answer: str, passages: Sequence[Passage], claimed: Sequence[str] = ()
) -> Request:
    """Ask which knowledge points a question holds; `claimed` are those its writer named."""
    inputs = {"question": question, "answer": answer, "claimed": list(claimed), "passages": list_passages(passages)}
    return Request(id=f"extract/{name}", prompt=EXTRACT_PROMPT, inputs=inputs)


def read_extraction(reply: Reply) -> Extraction | Refusal:
    """The extraction, or why there is none."""
    value = reply.value
    if isinstance(value, Refusal):
        return value
    return Extraction(
        topic_entities=tuple(value["topic_entities"]),
        knowledge_points=tuple(value["knowledge_points"]),
        logic=value["logic"],
    )
