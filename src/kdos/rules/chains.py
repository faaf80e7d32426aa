"""Questions that take several steps: what joins one statement to the next goes by a letter, and has to be found.

So a question is as hard as it is asked to be (`kdos.logic.measure_difficulty`): a statement names what the next one is
about, and the question shows neither name.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from kdos.pool.sentences import is_mostly_unspaced
from kdos.rules.instances import Instance
from kdos.rules.links import shared_name
from kdos.rules.passage_index import PassageStatement, StatementIndex, stands_in
from kdos.rules.questions import ComposedQuestion, QuestionWording, replace_instance

STEPS_OF_LEVEL = {"D2": 2, "D3": 3, "D4": 3, "D5": 4}
"""Statements that a question of each level joins one after the other; one settles a question of D1."""
FAR_END_TELLS = {"D3": True, "D4": False, "D5": False}
"""Whether the far end of a chain names anything that the asked statement names, where that makes the level."""
FEWEST_STATEMENTS = 3
STEPS_CONSIDERED = 12
"""Statements that are tried as the next step of one chain."""
LETTERS = "XYZWVUT"


@dataclass(frozen=True, slots=True)
class Chain:
    """Statements that lead to the asked one, the nearest first, each with the name that it shares with the one before.

    `more` are statements that tell more of the first name, `beside` those that tell of what the question shows, by
    that.
    """

    steps: tuple[PassageStatement, ...]
    names: tuple[str, ...]
    more: tuple[PassageStatement, ...] = ()
    beside: Mapping[str, PassageStatement] = field(default_factory=dict[str, PassageStatement])

    @property
    def clues(self) -> tuple[PassageStatement, ...]:
        """All statements beside the asked one."""
        return (*self.steps, *self.more, *self.beside.values())


def list_chains(
    asked: PassageStatement,
    instance: Instance,
    index: StatementIndex,
    *,
    level: str,
    wanted: Container[str],
    avoid: Container[str],
) -> Iterator[Chain]:
    """Chains that end at the asked statement, as long as a level takes.

    Those of `wanted` points come first, those of `avoid` last.
    """
    names = [name for name in asked.names if not _overlaps(name, [instance.text])]

    def rank(statement: PassageStatement) -> tuple[bool, int]:
        # What the far end names tells D3 from D4; so those that fit are tried first.
        tells = level in FAR_END_TELLS and any(stands_in(name, statement.sentence) for name in names)
        return tells != FAR_END_TELLS.get(level, False), 0 if statement.point in wanted else 1 + (
            statement.point in avoid
        )

    statements = sorted((each for each in index.items.values() if each is not asked), key=rank)
    statements = [each for each in statements if instance.text not in each.sentence]
    places = {each.point: place for place, each in enumerate(statements)}
    holders = {
        name: sorted((each for each in held if each.point in places), key=lambda each: places[each.point])
        for name, held in index.holders_of_names().items()
    }
    for found, by_names in _extend_chain((), (), asked, instance.text, holders, STEPS_OF_LEVEL[level] - 1):
        filled = _fill_up(Chain(found, by_names), asked, instance.text, statements)
        if len(filled.clues) >= FEWEST_STATEMENTS - 1:
            yield filled


def _fill_up(chain: Chain, asked: PassageStatement, answer: str, statements: Sequence[PassageStatement]) -> Chain:
    """The chain with as many statements more as a question needs, as far as there are any that fit."""
    short = FEWEST_STATEMENTS - 1 - len(chain.steps)
    if short <= 0:
        return chain
    others = [each for each in statements if each not in chain.steps]
    # Those that are joined to the chain further on would give a name away, or ask for another.
    others = [each for each in others if not any(stands_in(name, each.sentence) for name in chain.names[1:])]
    more = [each for each in others if stands_in(chain.names[0], each.sentence)][:short]
    named = ((shared_name(asked, answer, each), each) for each in others if each not in more)
    shown = ((name, each) for name, each in named if name and not _overlaps(name, chain.names))
    return Chain(chain.steps, chain.names, tuple(more), dict(islice(shown, short - len(more))))


def _overlaps(name: str, others: Iterable[str]) -> bool:
    return any(name in other or other in name for other in others)


def _extend_chain(
    steps: tuple[PassageStatement, ...],
    names: tuple[str, ...],
    last: PassageStatement,
    said: str,
    holders: Mapping[str, Sequence[PassageStatement]],
    missing: int,
) -> Iterator[tuple[tuple[PassageStatement, ...], tuple[str, ...]]]:
    """The chain with `missing` steps more, each joined by a name of the last one that is not `said` yet."""
    if not missing:
        yield steps, names
        return
    for name in holders:
        if name not in last.sentence:
            continue
        # A name within another would be masked in part, and give the rest away.
        if _overlaps(name, (*names, said)) or not is_told_apart(name, last):
            continue
        further = (each for each in holders[name] if each not in steps and each is not last)
        for step in islice(further, STEPS_CONSIDERED):
            if not any(stands_in(earlier, step.sentence) for earlier in names):
                yield from _extend_chain((*steps, step), (*names, name), step, said, holders, missing - 1)


def is_told_apart(name: str, statement: PassageStatement) -> bool:
    """Does a name stand in a sentence as a whole, and is enough left without it?"""
    return stands_in(name, statement.sentence) and 2 * len(name) < len(statement.sentence)


def ask_chain(
    asked: PassageStatement, instance: Instance, chain: Chain, wording: QuestionWording
) -> ComposedQuestion[PassageStatement] | None:
    """The question in which each name of a chain goes by a letter; None where a name cannot be left out."""
    texts = [asked.sentence, *(each.sentence for each in chain.clues)]
    letters = dict(zip(chain.names, _free_letters(texts, len(chain.names)), strict=False))
    question = _mask_names(replace_instance(asked.sentence, instance), letters)
    if chain.names[0] in question or len(letters) < len(chain.names):
        return None
    told = {letter: [_quote_masked(step, letters)] for step, letter in zip(chain.steps, letters.values(), strict=True)}
    first = next(iter(told))
    told[first] += [_quote_masked(each, letters) for each in chain.more]
    # The far end first: what is found there is what the next quotation needs.
    lines = [_say_letter(letter, quotes, wording, asked.chinese) for letter, quotes in reversed(told.items())]
    lines += [_say_shown(name, _quote_masked(each, letters), asked.chinese) for name, each in chain.beside.items()]
    text = f"{''.join(lines)}{question}" if asked.chinese else f"{' '.join(lines)} {question}"
    title = asked.title
    if title and not _overlaps(title, chain.names) and title not in text:
        text = f"关于“{title}”：{text}" if asked.chinese else f"About {title}: {text}"
    return ComposedQuestion(text, instance.text, (asked, *chain.clues))


def _free_letters(texts: Sequence[str], count: int) -> list[str]:
    """Letters that stand in none of the texts as a word of their own."""
    free = (letter for letter in LETTERS if not any(re.search(rf"\b{letter}\b", text) for text in texts))
    return list(islice(free, count))


def _mask_names(text: str, letters: Mapping[str, str]) -> str:
    # Longer names first, though none is within another: their first words may be alike.
    for name, letter in sorted(letters.items(), key=lambda pair: -len(pair[0])):
        whole = re.escape(name) if is_mostly_unspaced(name) else rf"(?<!\w){re.escape(name)}(?!\w)"
        text = re.sub(whole, letter, text)
    return text


def _quote_masked(statement: PassageStatement, letters: Mapping[str, str]) -> str:
    """What a statement says, cut short where that leaves every name in it that has a letter."""
    held = [name for name in letters if stands_in(name, statement.sentence)]
    text = statement.gist if all(stands_in(name, statement.gist) for name in held) else statement.sentence
    return _mask_names(text.rstrip(".。"), letters)


def _say_letter(letter: str, quotes: Sequence[str], wording: QuestionWording, chinese: bool) -> str:
    """What says what a letter stands for."""
    if chinese:
        return f"在{'和'.join(f'“{quote}”' for quote in quotes)}中，{letter}代表同一个词语。"
    quoted = " and ".join(f"“{quote}”" for quote in quotes)
    forms = (
        "{0} stands for the same in {1}.",
        "In {1}, {0} stands for what is left out.",
        "Find out what {0} stands for in {1}.",
    )
    return forms[wording.clause % len(forms)].format(letter, quoted)


def _say_shown(name: str, quote: str, chinese: bool) -> str:
    """What is said of something that the question shows."""
    return f"关于“{name}”有这样的记载：“{quote}”。" if chinese else f"Of {name} it is written: “{quote}”."


def lead_to_asked(
    question: str, answer: str, asked: PassageStatement, clues: Sequence[PassageStatement]
) -> list[list[str]]:
    """How each clue leads to the asked statement: itself, the name that it tells of, the next one, its name, ….

    The shortest way over names that the question leaves out counts; else what a clue tells of that the question shows.
    """
    ways: dict[str, list[str]] = {asked.point: []}
    waiting = [asked]
    for reached in waiting:
        for clue in clues:
            name = "" if clue.point in ways else _hidden_name(question, answer, clue, reached)
            # A name that stands further on would lead the diagram in a circle.
            if name and name not in ways[reached.point]:
                onward = [] if reached is asked else [reached.point]
                ways[clue.point] = [name, *onward, *ways[reached.point]]
                waiting.append(clue)
    shown = {clue.point: shared_name(asked, answer, clue) for clue in clues if clue.point not in ways}
    return [[clue.point, *(ways.get(clue.point) or filter(None, [shown[clue.point]]))] for clue in clues]


def _hidden_name(question: str, answer: str, one: PassageStatement, other: PassageStatement) -> str:
    """The longest name in both statements that the question leaves out; empty where there is none."""
    names = [name for name in one.names if stands_in(name, other.sentence)]
    names += [name for name in other.names if stands_in(name, one.sentence)]
    return max(
        (name for name in names if name not in f"{question}{answer}" and answer not in name), key=len, default=""
    )
