"""A source sorted by a taxonomy before anything is made of it: every document's class, and how many each has."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice

from kdos.config import Config
from kdos.embed import Embedder, embed_what_is_read
from kdos.errors import ConfigError
from kdos.pool import Document, ErrorClass, Refusal, Seed, Tally
from kdos.run.taxonomy import read_taxonomy
from kdos.seed import read_own_questions
from kdos.seed.domains import domain_key, has_own_domain
from kdos.seed.questions import open_questions
from kdos.seed.sources import open_source
from kdos.tasks import Ask, ask_class, pair_replies_in_order, read_class
from kdos.taxonomy import ClassFinder, Taxonomy, cut_excerpt
from kdos.terminal import Progress, print_status

BLOCK = 256
"""Documents whose excerpts are held, and embedded, together."""
SHOWN_CLASSES = 8
NOTHING_KNOWN = "no_known_word"
"""Why a text has no class where no model was asked: no embedder and no word speaks for one."""
Excerpt = tuple[str, list[str]]
"""A document's key (`domain_key`), and the pieces of it that are read."""
Sorted = tuple[str, str | Refusal]
"""A document's key, and its class or why it has none."""


@dataclass(slots=True)
class Domains:
    """The class of every document by `domain_key`, empty where it has none; `tally` counts those, with the reason."""

    of: dict[str, str] = field(default_factory=dict[str, str])
    tally: Tally = field(default_factory=Tally)
    sizes: Counter[str] = field(default_factory=Counter[str])

    def add(self, key: str, found: str | Refusal) -> None:
        """Note what one document was found to be."""
        if isinstance(found, Refusal):
            self.tally.refused[found.reason] += 1
        else:
            self.tally.accepted += 1
            self.sizes[found] += 1
        self.of[key] = "" if isinstance(found, Refusal) else found

    @property
    def sentence(self) -> str:
        """How the documents spread over the classes."""
        top = [f"{name} {count:,}" for name, count in self.sizes.most_common(SHOWN_CLASSES)]
        more = f", {len(self.sizes) - SHOWN_CLASSES} more" if len(self.sizes) > SHOWN_CLASSES else ""
        none = [f"{count:,} have none ({reason})" for reason, count in self.tally.refused.most_common()]
        spread = "; ".join(filter(None, [", ".join(top) + more, *none]))
        return f"disciplines of {self.tally.received:,} documents: {spread}"


def sort_source(config: Config, *, ask: Ask, embedder: Embedder | None, progress: Progress) -> Domains | None:
    """The classes of a source's documents, and of questions without one; None where no taxonomy is named.

    Excerpts are held a block at a time, and of the rest one class a document. Without an embedder (`embed: lexical`
    learns only later) shared words find it alone.

    Raises:
        ConfigError: A discipline that has a share was found in no document.
    """
    taxonomy = read_taxonomy(config)
    if config.taxonomy is None or taxonomy is None:
        return None
    found = Domains()
    with progress.stage("disciplines"):
        texts = _read_texts(config)
        by_model = config.taxonomy.by == "model"
        for key, name in _ask_model(texts, taxonomy, ask) if by_model else _find_nearest(texts, taxonomy, embedder):
            found.add(key, name)
            progress.update(found.tally.received)
    for name, share in config.disciplines.items():
        if share and not found.sizes[name]:
            raise ConfigError(
                f"`disciplines.{name}` must be found in the source. Nothing in it was sorted into that: "
                f"{found.sentence}. Leave it out, or add documents of it."
            )
    print_status(found.sentence)
    return found


def _read_texts(config: Config) -> Iterator[Excerpt]:
    """What gets a class of its own, the user's questions after the source's."""
    records = open_questions(config.source) if config.source.kind == "qa" else open_source(config.source)
    known: set[str] = set()
    for record in chain(records, read_own_questions(config.seeds, lang=config.source.lang)):
        if has_own_domain(record) and (key := domain_key(record)) not in known:
            known.add(key)
            yield key, _cut_excerpt(record)


def _cut_excerpt(record: Document | Seed) -> list[str]:
    if isinstance(record, Document):
        return cut_excerpt(record.text, title=record.title)
    return cut_excerpt("\n".join([record.question, *record.answers]))


def _find_nearest(texts: Iterator[Excerpt], taxonomy: Taxonomy, embedder: Embedder | None) -> Iterator[Sorted]:
    finder = ClassFinder(taxonomy, partial(embed_what_is_read, embedder) if embedder else None)
    while block := list(islice(texts, BLOCK)):
        names = finder.find([excerpt for _, excerpt in block])
        for (key, _), name in zip(block, names, strict=True):
            yield key, name or Refusal(NOTHING_KNOWN, ErrorClass.KNOWLEDGE_GAP)


def _ask_model(texts: Iterable[Excerpt], taxonomy: Taxonomy, ask: Ask) -> Iterator[Sorted]:
    """The class that the model names of each text, in their order."""
    asked = ((key, ask_class(key, excerpt=excerpt, classes=taxonomy.classes)) for key, excerpt in texts)
    for key, reply in pair_replies_in_order(asked, ask=ask):
        if reply is not None:
            yield key, read_class(reply)
