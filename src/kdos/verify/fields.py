"""Which field of a table holds what."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from kdos.errors import UsageError
from kdos.rows import resolve_field

NEEDED_PARTS = ("question", "answers")


@dataclass(frozen=True, slots=True)
class TableFields:
    """The field of each part; empty where the table has none."""

    question: str
    answers: str
    passage: str = ""
    knowledge_points: str = ""
    topic_entities: str = ""
    logic: str = ""
    distractors: str = ""
    lang: str = ""
    id: str = ""

    @property
    def columns(self) -> list[str]:
        """The fields that are there, each once."""
        return list(dict.fromkeys(filter(None, asdict(self).values())))


def resolve_fields(names: Sequence[str], given: Mapping[str, str]) -> TableFields:
    """The fields the user gave, and for the other parts those with a usual name.

    Raises:
        UsageError: No field holds the question or the answers.
    """
    found = {
        part.name: given.get(part.name) or resolve_field(part.name, names)
        for part in fields(TableFields)
    }
    for part in NEEDED_PARTS:
        if not found[part]:
            raise UsageError(
                f"a field must hold the {part}. There are: {', '.join(names)}. Give --{part} FIELD."
            )
    return TableFields(**found)
