"""A user's own questions in, seeds beside those found in a source out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from kdos.config import SourceConfig
from kdos.pool import Document, ErrorClass, Passage, Refusal, Seed
from kdos.seed.questions import open_questions

SeedRecord = Document | Passage | Seed | Refusal
ID_PREFIX = "given/"
"""Before the ids of own seeds, so that they are none of the source's."""


def read_own_questions(path: str | None, *, lang: str = "") -> list[SeedRecord]:
    """The questions of a table, as kind `qa` reads them; a row may name a document of the source instead of a passage.

    Raises:
        InputError: The table cannot be read, or has no question with an answer.
    """
    if path is None:
        return []
    found = open_questions(SourceConfig("qa", path, lang=lang), name_documents=True)
    return [replace(one, id=f"{ID_PREFIX}{one.id}") if isinstance(one, Seed) else one for one in found]


def join_own_questions(
    records: Iterable[tuple[str, SeedRecord]], own: Sequence[SeedRecord]
) -> Iterator[tuple[str, SeedRecord]]:
    """A source's records, each with its stage, and after them the user's own.

    A seed that names a document of the source gets the first passage of it that holds its answer.
    """
    named = {one.document for one in own if isinstance(one, Seed) and not one.passage}
    brought = {one.id for one in own if isinstance(one, Document | Passage)}
    passages: dict[str, list[Passage]] = {}
    for stage, record in records:
        if isinstance(record, Passage) and record.document in named:
            passages.setdefault(record.document, []).append(record)
        if isinstance(record, Document | Passage):
            brought.discard(record.id)  # the source has this very passage
        yield stage, record
    for one in own:
        if isinstance(one, Seed):
            yield "seed", _place_seed(one, passages)
        elif isinstance(one, Refusal) or one.id in brought:
            yield "seed", one


def _place_seed(seed: Seed, passages: dict[str, list[Passage]]) -> Seed | Refusal:
    """The seed with the passage of the document that it names, or why there is none."""
    if seed.passage or not seed.document:
        return seed
    if seed.document not in passages:
        detail = f"{seed.id} names {seed.document}, which the source does not hold"
        return Refusal("unknown_document", ErrorClass.FORMAT_MISMATCH, detail)
    for passage in passages[seed.document]:
        for answer in seed.answers:
            if (place := passage.text.find(answer)) >= 0:
                start = passage.start + place
                kept = {"domain": seed.domain or passage.domain, "lang": passage.lang}
                return replace(seed, passage=passage.id, start=start, end=start + len(answer), **kept)
    return Refusal("answer_not_found", ErrorClass.ANSWER, f"{seed.id}: no passage of {seed.document} holds an answer")
