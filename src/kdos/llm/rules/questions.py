"""Questions about facts: an asked fact and clues in, one question out."""

from collections.abc import Sequence
from dataclasses import dataclass

from kdos.llm.rules.facts import Fact, stands_in
from kdos.llm.rules.relations import shown


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its answer, the facts it rests on (the asked one first), and how it is put.

    `named` are facts that say what something is in place of its name.
    """

    text: str
    answer: str
    facts: tuple[Fact, ...]
    named: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Wording:
    """Which of its possible forms a question takes: any numbers, taken modulo what there is."""

    phrase: int = 0
    frame: int = 0
    clause: int = 0


def ask(asked: Fact, slot: str, clues: Sequence[Fact], wording: Wording) -> Question | None:
    """The question for one slot of a fact, with clues; None where it would hold the answer."""
    answer = asked.slots[slot]
    if slot == asked.relation.topic:
        text = ask_for_topic(asked, clues, wording)
    else:
        text = ask_of_topic(asked, slot, clues, wording)
    if text is None or stands_in(answer, text):
        return None
    return Question(text, answer, (asked, *clues))


def ask_for_topic(asked: Fact, clues: Sequence[Fact], wording: Wording) -> str | None:
    """Which one is it? Only clues about the same topic help."""
    if any(clue.topic != asked.topic for clue in clues):
        return None
    noun = asked.slots["noun"]
    if wording.frame % 2 and clues:
        article = "an" if noun[0] in "aeiou" else "a"
        told = sentence(join([independent(c, wording, i) for i, c in enumerate(clues)]))
        return f"Consider {article} {noun} of which this is known: {told[0].lower()}{told[1:]} " + (
            phrase(asked, asked.relation.topic, noun, wording)
        )
    return phrase(asked, asked.relation.topic, noun + relative(clues, wording), wording)


def ask_of_topic(asked: Fact, slot: str, clues: Sequence[Fact], wording: Wording) -> str:
    """What does the fact say of its topic?"""
    own = [clue for clue in clues if clue.topic == asked.topic]
    others = [clue for clue in clues if clue.topic != asked.topic]
    frame = FRAMES[wording.frame % len(FRAMES)]
    return frame(asked, slot, own, others, wording)


def related(
    asked: Fact, slot: str, own: Sequence[Fact], others: Sequence[Fact], wording: Wording
) -> str:
    """Own clues as relative clauses, others before: "Given that ..., what is X, which ...?"."""
    mention = f"`{asked.topic}`" + relative(own, wording)
    question = phrase(asked, slot, mention, wording)
    if not others:
        return question
    return f"{opening(wording)} {join(['that ' + bare(o) for o in others])}, {lower(question)}"


def given(
    asked: Fact, slot: str, own: Sequence[Fact], others: Sequence[Fact], wording: Wording
) -> str:
    """All clues before the question: "Given that ... and that ..., what is X?"."""
    question = phrase(asked, slot, f"`{asked.topic}`", wording)
    told = join(["that " + bare(clue) for clue in (*others, *own)])
    return f"{opening(wording)} {told}, {lower(question)}" if told else question


def told(
    asked: Fact, slot: str, own: Sequence[Fact], others: Sequence[Fact], wording: Wording
) -> str:
    """Clues as sentences of their own, then the question."""
    mention = f"`{asked.topic}`"
    parts = [clue.sentence for clue in others]
    if own:
        clauses = [independent(clue, wording, i) for i, clue in enumerate(own)]
        parts.append(f"Consider {mention}: {sentence(join(clauses))}")
    return " ".join([*parts, phrase(asked, slot, mention, wording)])


def after(
    asked: Fact, slot: str, own: Sequence[Fact], others: Sequence[Fact], wording: Wording
) -> str:
    """The question first: "What is X, given that ... and that ...?"."""
    question = phrase(asked, slot, f"`{asked.topic}`", wording)
    told = join(["that " + bare(clue) for clue in (*own, *others)])
    link = ("given", "knowing", "provided", "considering")[wording.clause % 4]
    return f"{question.removesuffix('?')}, {link} {told}?" if told else question


FRAMES = (related, given, told, after)


def phrase(asked: Fact, slot: str, mention: str, wording: Wording) -> str:
    """The bare question in one of its phrasings, with the topic mentioned so."""
    phrasings = asked.relation.asks[slot]
    slots = shown(asked.slots)
    if "parameter" in slots:
        slots["the_parameter"] = f"the parameter {slots['parameter']}"
    text = phrasings[wording.phrase % len(phrasings)].format_map(slots | {"topic": mention})
    return text.replace(",?", "?").replace(",,", ",").replace(", :", ":")


def opening(wording: Wording) -> str:
    """A word that brings in what is known."""
    return ("Given", "Knowing", "Provided", "Considering")[wording.clause % 4]


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
    """The text with a small first letter."""
    return text[0].lower() + text[1:]


def sentence(text: str) -> str:
    """The text as a sentence."""
    return f"{text[0].upper()}{text[1:]}."
