"""Questions in words: what is asked and clues in, one question out, for facts and for statements.

Both kinds are asked in frames: where the clues stand (before the question, after it, within it) and
by which words they are brought in. A `QuestionWording` picks among the frames and phrases by
number, so that a draft's number alone settles its words.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

from kdos.rules.instances import TIMES, Instance
from kdos.rules.links import ClueLinks, link_clues, names_object, shared_name
from kdos.rules.passage_index import (
    Fact,
    ItemT,
    PassageStatement,
    mentions_title,
    parent_name,
    spaced_words,
    strip_full_stop,
)
from kdos.rules.relations import ORDINALS, quote_code_slots

REPEATED_NOUN = re.compile(r"\bthe (?:class|enumeration|module|constant|class attribute|attribute) the ")
# First words of a fact that may lose their capital: words of its relation. A title such as "While You Were Sleeping"
# must keep its capital where it opens a fact.
FACT_OPENER = re.compile(
    r"(?:The|What|Which|Who|Whom|Where|How|In|At|By|To|From|With|Of|Under|If|On|As|All|Among|"
    r"Counted|Aliases|Inherited|Given|Knowing|Provided|Considering)\b"
)
FULL_NAMES = frozenset({"owner", "class"})
"""Slots that hold the full name of a thing, which may be called by its last name in the class or module it is in."""
FRONTED = re.compile(r"(In|On|By|Since|After|Before|During|From|Until|At|Throughout) (?:the )?$")
SPAN_AFTER = re.compile(r"[^ ]| (?:to|and|or|through|until|by|at|in|on|of|AD|BC)\b")
# What an answer may be given away by, where it is a number or a rank.
NUMBER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip
RANKS = dict(zip(ORDINALS, ("1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th"), strict=False))


@dataclass(frozen=True, slots=True)
class ComposedQuestion(Generic[ItemT]):
    """A question with its answer and the facts or statements it rests on, the asked one first."""

    text: str
    answer: str
    items: tuple[ItemT, ...]


@dataclass(frozen=True, slots=True)
class QuestionWording:
    """Which of its possible forms a question takes: any numbers, taken modulo what there is.

    `title` is the module that the passage of the asked fact is about; it may be empty.
    """

    phrase: int = 0
    frame: int = 0
    clause: int = 0
    title: str = ""


def _join_with_and(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _uncapitalise(text: str) -> str:
    """The text of a fact or a question about it with a small first letter, where its first word is no name."""
    return text[0].lower() + text[1:] if FACT_OPENER.match(text) else text


def _capitalise(text: str) -> str:
    return text[0].upper() + text[1:]


# Facts


@dataclass(frozen=True, slots=True)
class _FactPlan:
    """A question before it is put into words: what is asked, and its clues by what they identify.

    `place` says which parameter is meant, and `trait` or `kind` which topic, where these are not called by their full
    names; none of them is among `clues`, which tell of the topic. `home` is the class or module that the topic is
    called a part of, and `home_mention` has what the other clues say of it; both are empty where there are none.
    """

    asked: Fact
    slot: str
    clues: Sequence[Fact]
    home: str
    home_mention: str
    place: Fact | None = None
    trait: Fact | None = None
    kind: Fact | None = None


def ask_fact(asked: Fact, slot: str, clues: Sequence[Fact], wording: QuestionWording) -> ComposedQuestion[Fact] | None:
    """The question for one slot of a fact; None where it would hold the answer or a clue would identify nothing."""
    answer = asked.slots[slot]
    plan = _plan_question(asked, slot, clues, wording)
    if plan is None:
        return None
    if plan.home:
        frames = HOME_FRAMES
    elif slot == asked.relation.topic:
        frames = TOPIC_FRAMES
    else:
        # A topic known by its documentation alone needs its clues right beside it.
        frames = FACT_FRAMES[:1] if plan.trait else FACT_FRAMES
    text = frames[wording.frame % len(frames)](plan, wording)
    return None if _text_gives_away(text, answer) else ComposedQuestion(text, answer, (asked, *clues))


def _text_gives_away(text: str, answer: str) -> bool:
    # As it is, or as the number or rank it is.
    dresses = [answer]
    if answer.isdigit() and int(answer) < len(NUMBER_WORDS):
        dresses.append(NUMBER_WORDS[int(answer)])
    elif answer in RANKS:
        dresses.append(RANKS[answer])
    words = spaced_words(text)
    return any(spaced_words(dress) in words for dress in dresses)


def _plan_question(asked: Fact, slot: str, clues: Sequence[Fact], wording: QuestionWording) -> _FactPlan | None:
    """Sort the clues by what they identify, and let one of them stand for a name every other time."""
    links = link_clues(asked, clues, wording.title)
    if links is None:
        return None
    told = list(links.topic_clues)
    own = [clue for clue in told if clue.topic == asked.topic]
    # A clue that is a name's place, trait or kind is spent on it: it is told no second time.
    kind = next((clue for clue in own if clue.relation.nameless), None)
    place = trait = None
    if slot == asked.relation.topic:
        # What the noun of the question says already would identify nothing beside its home.
        if kind and links.home:
            return None
    elif wording.clause % 2:
        place = next((clue for clue in own if _tells_place(clue, asked, slot)), None)
        trait = next((clue for clue in own if clue.relation.name == "documentation"), None)
        trait = None if place or links.home else trait
        kind = None if trait else kind
    told = [clue for clue in told if clue not in (place, trait, kind)]
    mention = _mention_home(links, wording) if links.home else ""
    return None if mention is None else _FactPlan(asked, slot, told, links.home, mention, place, trait, kind)


def _tells_place(clue: Fact, asked: Fact, slot: str) -> bool:
    """Does the clue say in which place the parameter stands that the asked fact is about?"""
    return (
        clue.relation.name == "position"
        and slot != "parameter"
        and asked.relation.name != "position"
        and clue.slots["parameter"] == asked.slots.get("parameter")
    )


def _mention_home(links: ClueLinks, wording: QuestionWording) -> str | None:
    """The class or module by what the clues say of it, without its name where they identify it; None if they fail."""
    kind = next((clue for clue in links.home_clues if clue.topic == links.home and clue.relation.nameless), None)
    clauses = [
        _describing_clause(clue, links.home, wording, i) for i, clue in enumerate(links.home_clues) if clue is not kind
    ]
    noun, text = links.home_noun, _join_with_and(clauses)
    module = f" of the module `{kind.slots['module']}`" if kind else ""
    if links.can_hide_home and not re.search(rf"`{re.escape(links.home)}[.`]", text):
        return f"the {noun}{module} {text}"
    if links.must_hide_home:
        return None
    name = _last_name(links.home) if kind else links.home
    return f"the {noun} `{name}`{module}" + (f", {text}," if text else "")


def _with_relative_clauses(plan: _FactPlan, wording: QuestionWording) -> str:
    """Clues as relative clauses: "What is X, which ... and whose ...?"."""
    name = _topic_mention(plan) + _relative_clauses(plan, wording)
    return _bare_question(plan, name, wording)


def _topic_considered(plan: _FactPlan, wording: QuestionWording) -> str:
    """The topic with its clues first, then the question: "Take X, which ...: what is X?"."""
    if not plan.clues:
        return _bare_question(plan, _topic_mention(plan), wording)
    lead = ("Consider", "Take", "Think of")[wording.clause // 2 % 3]
    topic = f"{lead} {_topic_mention(plan)}{_relative_clauses(plan, wording)}".removesuffix(",")
    return f"{topic}. {_bare_question(plan, _topic_mention(plan), wording)}"


def _which_topic(plan: _FactPlan, wording: QuestionWording) -> str:
    """Asked for the topic itself: "Which function of the module M, which ... and whose ..., is ...?"."""
    noun = plan.asked.slots["noun"]
    if plan.kind is not None:
        noun = f"{noun} of the module `{plan.kind.slots['module']}`"
    return _bare_question(plan, noun + _relative_clauses(plan, wording), wording)


def _in_home(plan: _FactPlan, wording: QuestionWording) -> str:
    """ "In the class whose ... and in which ..., question?"."""
    question = _uncapitalise(_question_in_home(plan, wording))
    return f"In {plan.home_mention.removesuffix(',')}, {question}"


def _home_considered(plan: _FactPlan, wording: QuestionWording) -> str:
    lead = ("Consider", "Take", "Think of")[wording.clause // 2 % 3]
    question = _uncapitalise(_question_in_home(plan, wording))
    return f"{lead} {plan.home_mention.removesuffix(',')}. In it, {question}"


def _asked_in_home(plan: _FactPlan, wording: QuestionWording) -> str:
    """ "Question in the class whose ... and in which ...?"."""
    return f"{_question_in_home(plan, wording)[:-1]} in {plan.home_mention.removesuffix(',')}?"


def _question_in_home(plan: _FactPlan, wording: QuestionWording) -> str:
    if plan.slot == plan.asked.relation.topic:
        return _which_topic(plan, wording)
    return _with_relative_clauses(plan, wording)


PlanFrame = Callable[[_FactPlan, QuestionWording], str]
FACT_FRAMES: tuple[PlanFrame, ...] = (
    _with_relative_clauses,
    _topic_considered,
    _with_relative_clauses,  # twice: it reads best
)
TOPIC_FRAMES: tuple[PlanFrame, ...] = (_which_topic,)
HOME_FRAMES: tuple[PlanFrame, ...] = (_in_home, _home_considered, _asked_in_home)


def _topic_mention(plan: _FactPlan) -> str:
    """The topic by its name, in its home or module by its last part, or by what its documentation alone says."""
    if plan.trait is not None:
        noun, sentence = plan.trait.slots["noun"], plan.trait.slots["sentence"]
        return f"the {noun} whose documentation says “{sentence}”"
    if plan.kind is not None:
        noun, module = plan.kind.slots["noun"], plan.kind.slots["module"]
        name = f"the {noun} `{_last_name(plan.asked.topic)}`"
        return name if plan.home else f"{name} of the module `{module}`"
    slot = plan.asked.relation.topic
    return quote_code_slots({slot: plan.asked.topic.removeprefix(f"{plan.home}.")})[slot]


def _bare_question(plan: _FactPlan, name: str, wording: QuestionWording) -> str:
    """The question without clues in one of its phrasings, with the topic mentioned so."""
    asked = plan.asked
    phrasings = asked.relation.asks[plan.slot]
    slots = quote_code_slots(asked.slots) | {"topic": name}
    if plan.place is not None:
        place = plan.place.slots
        slots["the_parameter"] = f"the {place['ordinal']} parameter{place['besides']}"
    elif "parameter" in slots:
        slots["the_parameter"] = f"the parameter {slots['parameter']}"
    text = phrasings[wording.phrase % len(phrasings)].format_map(slots)
    # A mention brings its own article and commas: "the class the exception ...", "X, which ...,?".
    return REPEATED_NOUN.sub("the ", text).replace(",?", "?").replace(",,", ",")


def _relative_clauses(plan: _FactPlan, wording: QuestionWording) -> str:
    """What the clues say of the topic as relative clauses between commas: ", which ... and whose ...,"."""
    clauses = [_describing_clause(clue, plan.asked.topic, wording, i, plan.home) for i, clue in enumerate(plan.clues)]
    text = _join_with_and(clauses)
    return f", {text}," if text else ""


def _describing_clause(clue: Fact, name: str, wording: QuestionWording, number: int, home: str = "") -> str:
    """What a clue says of the object of a name, as a relative clause, in which names leave `home` or that one out."""
    slots = quote_code_slots({slot: _name_within(slot, text, home or name) for slot, text in clue.slots.items()})
    if clue.topic == name:
        forms = (clue.relation.nameless,) if home and clue.relation.nameless else clue.relation.clauses
        text = forms[(wording.clause + number) % len(forms)].format_map(slots | {"its": "{its}"})
        return "whose " + text[6:] if text.startswith("{its} ") else f"which {text}"
    if names_object(clue, name):
        return clue.relation.object_clause.format_map(slots)
    if clue.relation.nameless:
        return f"in which {slots['owner']} {clue.relation.nameless.format_map(slots)}"
    sentence = clue.relation.sentence.format_map(slots).removesuffix(".")
    return f"in which {_uncapitalise(sentence)}"


def _name_within(slot: str, text: str, home: str) -> str:
    """A slot's text without the home before it, where it names what stands there: of another thing, right there."""
    inside = slot == "owner" or (slot in FULL_NAMES and parent_name(text) == home)
    return text.removeprefix(f"{home}.") if inside else text


def _last_name(name: str) -> str:
    return name.rpartition(".")[2]


# Statements


@dataclass(frozen=True, slots=True)
class _StatementPlan:
    """The question without clues, and what they tell, by the name that each tells of."""

    question: str
    title: str
    told: Mapping[str, Sequence[PassageStatement]]


def ask_instance(
    statement: PassageStatement, instance: Instance, clues: Sequence[PassageStatement], wording: QuestionWording
) -> ComposedQuestion[PassageStatement] | None:
    """The question for one instance of a statement; None where a clue tells of nothing that the question names."""
    told: dict[str, list[PassageStatement]] = {}
    for clue in clues:
        told.setdefault(shared_name(statement, instance.text, clue), []).append(clue)
    if "" in told:
        return None
    if statement.chinese:
        text = _ask_in_chinese(statement, instance, clues)
    else:
        plan = _StatementPlan(replace_instance(statement.sentence, instance), statement.title, told)
        frame = STATEMENT_FRAMES[wording.frame % len(STATEMENT_FRAMES)] if clues else _bare_instance_question
        text = _under_title(frame(plan, wording), plan, wording)
    return ComposedQuestion(text, instance.text, (statement, *clues))


def replace_instance(sentence: str, instance: Instance) -> str:
    """The sentence with question words in the place of the instance; "In 1066, ..." moves back."""
    before, after = sentence[: instance.start], strip_full_stop(sentence[instance.end :])
    # A question word after a fronted phrase reads badly: "In which year, Duke William ...?".
    fronted = FRONTED.fullmatch(before)
    if fronted and (after.startswith(", ") or (instance.kind in TIMES and not SPAN_AFTER.match(after))):
        return f"{_capitalise(after.lstrip(', '))} {fronted[1].lower()} {instance.words}?"
    return f"{before}{instance.words}{after}?"


def _ask_in_chinese(statement: PassageStatement, instance: Instance, clues: Sequence[PassageStatement]) -> str:
    """What is written of the title, then the question."""
    sentence, title = statement.sentence, statement.title
    before, after = sentence[: instance.start], sentence[instance.end :].rstrip("。！？”」")
    question = f"{before}{instance.words}{after}？"
    if clues:
        topic = f"关于“{title}”，" if title else ""
        return f"{topic}有这样的记载：{''.join(f'“{clue.sentence}”' for clue in clues)}{question}"
    return question if not title or title in question else f"关于“{title}”：{question}"


def _bare_instance_question(plan: _StatementPlan, _wording: QuestionWording) -> str:
    return plan.question


def _names_considered(plan: _StatementPlan, wording: QuestionWording) -> str:
    """ "Consider NAME, which ... and of which it is written “...”. Question"."""
    names = [f"{name}, {_join_with_and(_tell_of_name(name, clues))}" for name, clues in plan.told.items()]
    lead = ("Consider", "Take", "Think of")[wording.clause % 3]
    return f"{lead} {', and '.join(names)}. {plan.question}"


def _names_written_of(plan: _StatementPlan, wording: QuestionWording) -> str:
    """ "Of NAME it is written: “...” and “...”. Question"."""
    form = (
        "of {} it is written: {}",
        "{} is described so: {}",
        "about {} we read: {}",
        "a source says of {}: {}",
        "this is known of {}: {}",
    )
    parts = [form[wording.clause % 5].format(name, _quote_gists(clues)) for name, clues in plan.told.items()]
    return f"{_capitalise('; '.join(parts))}. {plan.question}"


STATEMENT_FRAMES: tuple[Callable[[_StatementPlan, QuestionWording], str], ...] = (_names_considered, _names_written_of)


def _tell_of_name(name: str, clues: Sequence[PassageStatement]) -> list[str]:
    """What clues tell of a name as relative clauses, as far as it is known for a person or a thing; else quoted."""
    pronouns = [clue.pronoun for clue in clues if clue.subject == name and clue.pronoun]
    direct = [clue for clue in clues if clue.subject == name and clue.predicate and pronouns]
    quoted = [clue for clue in clues if clue not in direct]
    clauses = [f"{pronouns[0]} {clue.predicate}" for clue in direct]
    return clauses + ([f"described by {_quote_gists(quoted)}"] if quoted else [])


def _quote_gists(clues: Sequence[PassageStatement]) -> str:
    return _join_with_and([f"“{clue.gist}”" for clue in clues])


def _under_title(text: str, plan: _StatementPlan, wording: QuestionWording) -> str:
    """The text after its topic, where the question by itself does not say that."""
    if not plan.title or mentions_title(plan.question, plan.title) or plan.title in plan.told:
        return text
    opening = ("On the subject of", "Concerning", "About", "With regard to")[wording.phrase % 4]
    return f"{opening} {plan.title}: {text}"
