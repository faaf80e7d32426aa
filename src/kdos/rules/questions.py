"""Questions about facts: an asked fact and clues in, one question out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kdos.rules.facts import Fact, stands_in
from kdos.rules.relations import ORDINALS, shown

TWICE = re.compile(r"\bthe (?:class|enumeration|module|constant|class attribute|attribute) the ")
NO_NAME = re.compile(
    r"(?:The|What|Which|Who|Whom|Where|How|In|At|By|To|From|With|Of|Under|If|On|As|All|Among|"
    r"Counted|Aliases|Inherited|Given|Knowing|Provided|Considering)\b"
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its answer and the facts it rests on, the asked one first."""

    text: str
    answer: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Wording:
    """Which of its possible forms a question takes: any numbers, taken modulo what there is.

    `title` is the module it is all about, `rival` a name that the topic might be mistaken for;
    either may be empty.
    """

    phrase: int = 0
    frame: int = 0
    clause: int = 0
    title: str = ""
    rival: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A question before it is put into words: what is asked, and the clues by what they are about.

    `own` clues are about the topic, `others` are not. `place` says which parameter is meant, and
    `trait` which topic, where these are not called by their names.
    """

    asked: Fact
    slot: str
    own: Sequence[Fact]
    others: Sequence[Fact]
    place: Fact | None = None
    trait: Fact | None = None


def ask(asked: Fact, slot: str, clues: Sequence[Fact], wording: Wording) -> Question | None:
    """The question for one slot of a fact, with clues; None where it would hold the answer."""
    answer = asked.slots[slot]
    plan = make_plan(asked, slot, clues, wording)
    if slot == asked.relation.topic:
        frame = TOPIC_FRAMES[wording.frame % len(TOPIC_FRAMES)]
    else:
        frame = FRAMES[wording.frame % len(FRAMES)] if plan.trait is None else related
    text = frame(plan, wording)
    return None if gives_away(text, answer) else Question(text, answer, (asked, *clues))


def gives_away(text: str, answer: str) -> bool:
    """Does the answer stand in the text, as it is or as the number or rank it is?"""
    if answer.isdigit() and int(answer) < len(NUMBER_WORDS):
        return stands_in(answer, text) or stands_in(NUMBER_WORDS[int(answer)], text)
    if answer in RANKS:
        return stands_in(answer, text) or stands_in(RANKS[answer], text)
    return stands_in(answer, text)


NUMBER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip
RANKS = dict(zip(ORDINALS, ("1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th"), strict=False))


def make_plan(asked: Fact, slot: str, clues: Sequence[Fact], wording: Wording) -> Plan:
    """Sort the clues, and let one of them stand for a name every other time."""
    own = [clue for clue in clues if clue.topic == asked.topic]
    others = [clue for clue in clues if clue.topic != asked.topic]
    place = trait = None
    if slot != asked.relation.topic and wording.clause % 2:
        place = next((c for c in own if tells_place(c, asked, slot)), None)
        trait = next((c for c in own if c.relation.name == "documentation"), None)
        trait = None if place or others else trait
    own = [clue for clue in own if clue is not place and clue is not trait]
    return Plan(asked, slot, own, others, place, trait)


def tells_place(clue: Fact, asked: Fact, slot: str) -> bool:
    """Does the clue say in which place the parameter stands that the asked fact is about?"""
    return (
        clue.relation.name == "position"
        and slot != "parameter"
        and asked.relation.name != "position"
        and clue.slots["parameter"] == asked.slots.get("parameter")
    )


def related(plan: Plan, wording: Wording) -> str:
    """Own clues as relative clauses: "What is X, which ... and whose ...?"; others before."""
    question = phrase(plan, mention(plan, wording) + relative(plan.own, wording), wording)
    return setting(plan.others, question, wording)


def given(plan: Plan, wording: Wording) -> str:
    """All clues before the question: "Given that ... and that ..., what is X?"."""
    question = phrase(plan, mention(plan, wording), wording)
    clues = [*plan.others, *plan.own]
    return f"{opening(wording)} {that(clues)}, {lower(question)}" if clues else question


def told(plan: Plan, wording: Wording) -> str:
    """Clues as sentences of their own, then the question."""
    name = mention(plan, wording)
    parts = [clue.sentence for clue in plan.others]
    if plan.asked.relation.topic != "owner":
        parts += [clue.sentence for clue in plan.own]
    elif plan.own:
        clauses = [independent(clue, wording, i) for i, clue in enumerate(plan.own)]
        parts.append(f"Consider `{plan.asked.topic}`: {join(clauses)}.")
    return " ".join([*parts, phrase(plan, name, wording)])


def after(plan: Plan, wording: Wording) -> str:
    """The question first: "What is X, given that ... and that ...?"."""
    question = phrase(plan, mention(plan, wording), wording)
    clues = [*plan.own, *plan.others]
    return f"{question[:-1]}, {lower(opening(wording))} {that(clues)}?" if clues else question


def which_one(plan: Plan, wording: Wording) -> str:
    """Asked for the topic itself: "Which function, which ... and whose ..., is ...?"."""
    noun = plan.asked.slots["noun"] + relative(plan.own, wording)
    return setting(plan.others, phrase(plan, noun, wording), wording)


def which_of_these(plan: Plan, wording: Wording) -> str:
    """The same, all that is known of it first."""
    noun = plan.asked.slots["noun"]
    question = phrase(plan, noun, wording)
    if plan.own:
        article = "an" if noun[0] in "aeiou" else "a"
        clauses = join([independent(clue, wording, i) for i, clue in enumerate(plan.own)])
        question = f"Consider {article} {noun} of which this is known: {clauses}. {question}"
    return " ".join([*(clue.sentence for clue in plan.others), question])


Frame = Callable[[Plan, Wording], str]
FRAMES: tuple[Frame, ...] = (related, given, told, after, related)
TOPIC_FRAMES: tuple[Frame, ...] = (which_one, which_of_these)


def mention(plan: Plan, wording: Wording) -> str:
    """The topic by its name, or by what its documentation alone says."""
    if plan.trait is not None:
        noun, sentence = plan.trait.slots["noun"], plan.trait.slots["sentence"]
        return f"the {noun} whose documentation says “{sentence}”"
    slot = plan.asked.relation.topic
    name = shown({slot: plan.asked.topic})[slot]
    if wording.rival and wording.phrase % 4 == 1:
        return f"{name} (not to be confused with {shown({slot: wording.rival})[slot]})"
    return name


def phrase(plan: Plan, name: str, wording: Wording) -> str:
    """The bare question in one of its phrasings, with the topic mentioned so."""
    asked = plan.asked
    phrasings = asked.relation.asks[plan.slot]
    slots = shown(asked.slots) | {"topic": name}
    if plan.place is not None:
        place = plan.place.slots
        slots["the_parameter"] = f"the {place['ordinal']} parameter{place['besides']}"
    elif "parameter" in slots:
        slots["the_parameter"] = f"the parameter {slots['parameter']}"
    text = phrasings[wording.phrase % len(phrasings)].format_map(slots)
    return TWICE.sub("the ", text).replace(",?", "?").replace(",,", ",")


def setting(others: Sequence[Fact], question: str, wording: Wording) -> str:
    """The question in a place that is known for other facts: "In the module M, in which ..., "."""
    if not others:
        return question
    if wording.title and wording.clause % 3 and others[0].relation.topic == "owner":
        told = join([f"in which {bare(clue)}" for clue in others])
        return f"In the module `{wording.title}`, {told}, {lower(question)}"
    return f"{opening(wording)} {that(others)}, {lower(question)}"


def opening(wording: Wording) -> str:
    """A word that brings in what is known."""
    return ("Given", "Knowing", "Provided", "Considering")[wording.clause // 2 % 4]


def that(clues: Sequence[Fact]) -> str:
    """ "that ... and that ..."."""
    return join([f"that {bare(clue)}" for clue in clues])


def relative(clues: Sequence[Fact], wording: Wording) -> str:
    """Clues as relative clauses between commas: ", which ... and whose ...,"."""
    parts = [clause(clue, wording, i) for i, clue in enumerate(clues)]
    text = join(["whose " + p[6:] if p.startswith("{its} ") else f"which {p}" for p in parts])
    return f", {text}," if text else ""


def independent(clue: Fact, wording: Wording, number: int) -> str:
    """A clue as a main clause about "it"."""
    text = clause(clue, wording, number)
    return "its " + text[6:] if text.startswith("{its} ") else f"it {text}"


def clause(clue: Fact, wording: Wording, number: int) -> str:
    """One of a clue's clauses, {its} still in place."""
    forms = clue.relation.clauses
    form = forms[(wording.clause + number) % len(forms)]
    return form.format_map(shown(clue.slots) | {"its": "{its}"})


def join(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def bare(clue: Fact) -> str:
    """A clue's sentence without its full stop, to go on after "that"."""
    return lower(clue.sentence.removesuffix("."))


def lower(text: str) -> str:
    """The text with a small first letter where its first word is no name."""
    return text[0].lower() + text[1:] if NO_NAME.match(text) else text
