"""What gets a domain of its own: a document, or a question that has none; passages and seeds have their document's."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeGuard

from kdos.pool import Document, Passage, Refusal, Seed
from kdos.seed.own_questions import SeedRecord


def has_own_domain(record: SeedRecord) -> TypeGuard[Document | Seed]:
    """Whether its domain is found for itself, not taken from a document."""
    return isinstance(record, Document) or (isinstance(record, Seed) and not record.document)


def domain_key(record: Document | Passage | Seed) -> str:
    """The name that a record's domain goes by: its document's, or of a question without one its own."""
    if isinstance(record, Document):
        return f"document {record.id}"
    if isinstance(record, Passage) or record.document:
        return f"document {record.document}"
    return f"seed {record.id}"


def name_domains(
    records: Iterable[tuple[str, SeedRecord]], domains: Mapping[str, str]
) -> Iterator[tuple[str, SeedRecord]]:
    """Records, each with its stage, under their `domains`; empty where there is none of that name."""
    for stage, record in records:
        if isinstance(record, Refusal):
            yield stage, record
        else:
            yield stage, replace(record, domain=domains.get(domain_key(record), ""))
