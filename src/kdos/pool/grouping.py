"""Which knowledge points say the same, in the same words or others: precision first (our design).

Two knowledge points merge where the same names, numbers and code stand in both, no word speaks for another
relation or another value, and what is left over stands in one of them alone; then their vectors must be close. A
table of relation words says which verbs and nouns stand for one relation.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from kdos.arrays import Float32Array, Int64Array
from kdos.pool.wording import WIDE_LETTERS, SentenceWords, fact_key, normalise_text, read_sentence_words, stem_word

LEAST_COSINE = 0.85
"""Least cosine of two vectors where one sentence says a word more."""
_CODE = re.compile(r"(?<!`)`++([^`]++)`++")
_POSSESSIVE = re.compile(r"(?<=[\w)])['’]s\b")
_PLAIN = re.compile(r"(?:[^\W\d_]+['/])*[^\W\d_]+|(?:[^\W\d_]\.)+[^\W\d_]?")
"""A word without digits or signs, two of them with a stroke between, or initials."""
_TURNING_WORDS = """
not no never without neither nor none cannot except unless only former formerly all any some every each both
before after over under he him his she her they them their
first second third fourth fifth sixth seventh eighth ninth tenth last
two three four five six seven eight nine ten hundred thousand million billion
nicht kein keine keinen keiner nie niet geen pas jamais aucun aucune sin nunca não nem senza не нет без
"""
_TURNING = frozenset(_TURNING_WORDS.split())
"""Words by which one fact differs from another in the same words: no, all, former, she, third."""
ADDED_WORDS = 2
"""Most words that one sentence may say more: what says more than that says another fact."""
_WIDE = re.compile(f"[{WIDE_LETTERS}]")
_ARTICLES = frozenset(("a", "an", "the"))
# Rarest words of a knowledge point under which, each with its marks, it is looked for.
ANCHOR_WORDS = 3
# Groups looked at under one word: bounds the time where a word stands everywhere.
GROUPS_PER_ANCHOR = 512

_RELATIONS = """
born birth birthplace
died death dead passed away
married spouse wife husband wed
child son daughter
parent father mother
sibling brother sister
founded founder founding established formed
owned owner own owns belongs
headquarters headquartered based
located location lies situated stands found finds takes
wrote written author writer penned
written language
created creator creation
created origin originates comes
performed performer sang sung singer
genre plays performs makes music
plays position field
produced producer produces manufacturer manufactured made
directed director
composed composer
designed designer architect
invented inventor
discovered discoverer
published publisher
released release
built built construction constructed
opened opening inaugurated
closed closing
occupation profession works work trade job career
educated studied attended alumnus student education
label record represented
famous known notable work
employed employer employee works
capital
country borders
citizen citizenship nationality
won award received prize
elected election
succeeded successor followed
preceded predecessor
population inhabitants
named eponym
"""
_RELATIONS_OF_WORD: dict[str, set[int]] = {}
for _number, _line in enumerate(_RELATIONS.split("\n")):
    for _word in _line.split():
        _RELATIONS_OF_WORD.setdefault(stem_word(_word), set()).add(_number)


@dataclass(frozen=True, slots=True)
class Grouping:
    """Groups of equal rows: `group` shape (n_rows,), `first` and `size` shape (n_groups,).

    `first` is each group's first row: it speaks for the group.
    """

    group: Int64Array
    first: Int64Array
    size: Int64Array


def group_texts(texts: Sequence[str]) -> Grouping:
    """Group texts that state one fact in the same words (`fact_key`)."""
    known: dict[str, int] = {}
    group = np.fromiter((known.setdefault(fact_key(text), len(known)) for text in texts), np.int64, len(texts))
    first = np.full(len(known), len(texts), np.int64)
    np.minimum.at(first, group, np.arange(len(texts)))
    return Grouping(group, first, np.bincount(group, minlength=len(known)))


@dataclass(frozen=True, slots=True)
class FactWords:
    """A knowledge point's words, and what of them decides which fact it is.

    `order` are all its words as they are written, without case, `stems` the same stemmed, `said` their set, `names`
    those that are names. `relations` are the words that may name a relation, by its number. `marks` must be the
    same in two sentences of one fact: code, numbers and words with signs as they stand, and small words that turn a
    fact round.
    """

    sentence: SentenceWords
    order: tuple[str, ...]
    stems: tuple[str, ...]
    said: frozenset[str]
    names: frozenset[str]
    relations: Mapping[int, Set[str]]
    marks: frozenset[str]


def group_paraphrases(texts: Sequence[str], vectors: Float32Array, *, least_cosine: float = LEAST_COSINE) -> Grouping:
    """Group texts that state one fact; unit vectors of shape (n_texts, n_features).

    A text joins the group whose first text it is closest to among those it may merge with, and
    begins one of its own where there is none: groups do not grow by chains of small steps.
    """
    statements = [read_fact_words(text) for text in texts]
    held_by = Counter(word for each in statements for word in each.sentence.words)
    under: dict[tuple[str, Set[str]], list[int]] = {}
    first: list[int] = []
    group = np.empty(len(texts), np.int64)
    for row, statement in enumerate(statements):
        rarest = sorted(statement.sentence.words, key=lambda word: (held_by[word], word))
        anchors = [(word, statement.marks) for word in rarest[:ANCHOR_WORDS]]
        near = dict.fromkeys(g for anchor in anchors for g in under.get(anchor, ())[:GROUPS_PER_ANCHOR])
        best, closest = -1, 0.0
        for other in near:
            cosine = float(vectors[row] @ vectors[first[other]])
            if cosine > closest and states_same_fact(statement, statements[first[other]], cosine, least_cosine):
                best, closest = other, cosine
        if best < 0:
            best = len(first)
            first.append(row)
            for anchor in anchors:
                under.setdefault(anchor, []).append(best)
        group[row] = best
    return Grouping(group, np.array(first, np.int64), np.bincount(group, minlength=len(first)))


def states_same_fact(one: FactWords, other: FactWords, cosine: float, least_cosine: float) -> bool:
    """Do two knowledge points, whose vectors have this cosine, state one fact?"""
    # Names, numbers and code pin a fact down: each must stand in the other sentence as well.
    if one.marks != other.marks or not (one.names <= other.said and other.names <= one.said):
        return False
    shared = one.relations.keys() & other.relations.keys()
    if _other_relation(one, other) or _names_exchanged(one, other):
        return False
    # What is left over once relation words are taken off must not be a value of its own.
    ours, theirs = _words_only_in(one, other, shared), _words_only_in(other, one, shared)
    if ours and theirs:
        return False
    if not (ours or theirs):
        return True
    longer, added = (one, ours) if ours else (other, theirs)
    return len(added) <= ADDED_WORDS and cosine >= least_cosine and not _narrows_value(longer, added, shared)


@lru_cache(maxsize=8192)
def read_fact_words(text: str) -> FactWords:
    """The words of a knowledge point, and what of them decides which fact it is."""
    wording = read_sentence_words(_POSSESSIVE.sub("", text))
    order = tuple(wording.all_words())
    stems = tuple(map(stem_word, order))
    names = {word for word, stem in zip(order, stems, strict=True) if stem in wording.names}
    relations: dict[int, set[str]] = {}
    for word in wording.words - wording.names:
        for number in _RELATIONS_OF_WORD.get(word, ()):
            relations.setdefault(number, set()).add(word)
    # A capital says nothing of the word that begins a sentence: it counts as a name unless it says a relation.
    if stems and stems[0] in wording.words and wording.text[:1].isupper() and stems[0] not in _RELATIONS_OF_WORD:
        names.add(order[0])
    return FactWords(wording, order, stems, frozenset(order), frozenset(names), relations, _read_marks(text))


def _read_marks(text: str) -> frozenset[str]:
    """Code as it stands; numbers, and words with signs or digits inside; small words that turn a fact round."""
    code = _CODE.findall(text)
    words = _POSSESSIVE.sub("", _CODE.sub(" ", text)).replace("’", "'").replace("n't", " not")
    signed = (word for word in fact_key(words).split() if not _PLAIN.fullmatch(word))
    turning = _TURNING.intersection(normalise_text(words).split())
    return frozenset([*(f"`{each}`" for each in code), *signed, *turning])


def _other_relation(one: FactWords, other: FactWords) -> bool:
    """Does one of them speak of a relation, and the other of none of those it may be?"""
    return one.relations.keys().isdisjoint(other.relations) and bool(one.relations or other.relations)


def _words_only_in(one: FactWords, other: FactWords, shared: Set[int]) -> Set[str]:
    """The words that only one says, but for those that name a relation both speak of."""
    return one.sentence.words - other.sentence.words - _words_of(one, shared)


def _words_of(one: FactWords, shared: Set[int]) -> set[str]:
    return {word for number in shared for word in one.relations[number]}


def _narrows_value(longer: FactWords, added: Set[str], shared: Set[int]) -> bool:
    """Does an added word stand beside one that is neither name nor relation: a relief pitcher is no pitcher?

    Where nothing parts the words from each other, as in Chinese, every addition does.
    """
    if any(map(_WIDE.search, added)):
        return True
    free = longer.sentence.words - longer.sentence.names - added - _words_of(longer, shared)
    return any((a in added and b in free) or (a in free and b in added) for a, b in pairwise(longer.stems))


def _names_exchanged(one: FactWords, other: FactWords) -> bool:
    """Do names stand in each other's places, as in A beat B and B beat A, or in A beat B and A was beaten by B?"""
    names = one.sentence.names | other.sentence.names
    if one.said == other.said and sorted(one.order) == sorted(other.order):
        # Things without a capital may be exchanged too, so all words are looked at but those that say the relation.
        things = one.sentence.words - _words_of(one, one.relations.keys())
        return _stand_otherwise(one, other, names) or _stand_otherwise(one, other, names | things)
    ours, theirs = _words_before_names(one, names), _words_before_names(other, names)
    within = one.sentence.words <= other.sentence.words or other.sentence.words <= one.sentence.words
    turned = any(word == "by" for word, _ in ours) != any(word == "by" for word, _ in theirs)
    return turned and within and _names_in_order(one, names) == _names_in_order(other, names)


def _stand_otherwise(one: FactWords, other: FactWords, names: Set[str]) -> bool:
    """In the same words, does a name stand behind another word?"""
    ours, theirs = _words_before_names(one, names), _words_before_names(other, names)
    return not (ours <= theirs or theirs <= ours)


def _names_in_order(one: FactWords, names: Set[str]) -> list[str]:
    return list(dict.fromkeys(stem for stem in one.stems if stem in names and stem.isalpha()))


def _words_before_names(one: FactWords, names: Set[str]) -> set[tuple[str, str]]:
    """Every name in a sentence with the word before it that is none, articles aside."""
    stems = [stem for stem in one.stems if stem not in _ARTICLES]
    return {(a, b) for a, b in pairwise(stems) if b in names and a not in names}
