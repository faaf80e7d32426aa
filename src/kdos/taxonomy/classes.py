"""What texts are sorted into: classes, each with texts like its own; three taxonomies ship with kdos.

The names of `mmlu` and `cmmlu` are those of the benchmarks' subjects (Hendrycks et al., 2021; Li et al., 2023);
descriptions and examples are our own, written without sight of their questions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from kdos.package_data import read_package_text

BROAD = "broad"
SHIPPED = (BROAD, "mmlu", "cmmlu")
"""13 broad disciplines, the 57 subjects of MMLU and the 67 of CMMLU."""
LINES_ASKED, EXAMPLES_ASKED = 1, 3
"""Lines of a description that a model is shown, and examples in place of one that is not there."""


@dataclass(frozen=True, slots=True)
class TaxonomyClass:
    """A class of texts. `description` says what it holds, each line for itself, as in a second language.

    `examples` are questions or terms as its texts have them. `broad` is the broad discipline of a subject that ships.
    """

    name: str
    description: str = ""
    examples: tuple[str, ...] = ()
    broad: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """All that tells what its texts are like."""
        return self.name.replace("_", " "), *self.description.splitlines(), *self.examples

    @property
    def short_description(self) -> str:
        """What a model is told of it."""
        lines = self.description.splitlines()[:LINES_ASKED]
        return " ".join(lines) or "; ".join(self.examples[:EXAMPLES_ASKED])


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """Classes of different names; `subjects` are finer ones, each a part of the class that its `broad` names."""

    classes: tuple[TaxonomyClass, ...]
    subjects: tuple[TaxonomyClass, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes."""
        return tuple(one.name for one in self.classes)


@cache
def load_shipped(name: str) -> Taxonomy:
    """The taxonomy of one of the names in `SHIPPED`; the broad one knows the subjects of the other two."""
    if name != BROAD:
        return Taxonomy(_read_classes(name))
    subjects = (one for other in SHIPPED if other != BROAD for one in _read_classes(other))
    return Taxonomy(_read_classes(BROAD), tuple(subjects))


def _read_classes(name: str) -> tuple[TaxonomyClass, ...]:
    lines = read_package_text("kdos.taxonomy", f"{name}.jsonl").splitlines()
    rows: Iterator[dict[str, Any]] = map(orjson.loads, lines)
    return tuple(
        TaxonomyClass(row["name"], row["description"], tuple(row["examples"]), row.get("broad", "")) for row in rows
    )
