"""Questions in words: what is asked and clues in, one question out, for facts and for statements.

Both kinds are asked in frames: where the clues stand (before the question, after it, within it) and
by which words they are brought in. A `QuestionWording` picks among the frames and phrases by
number, so that a draft's number alone settles its words.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

from kdos.rules.instances import Instance
from kdos.rules.passage_index import Fact, ItemT, PassageStatement, spaced_words, strip_full_stop
from kdos.rules.relations import ORDINALS, quote_code_slots

REPEATED_NOUN = re.compile(r"\bthe (?:class|enumeration|module|constant|class attribute|attribute) the ")
# First words that may lose their capital. Each kind of sentence has its own: facts begin with
# words of their relations, statements with any word, and a title such as "While You Were Sleeping"
# must keep its capital where it opens a fact.
FACT_OPENER = re.compile(
    r"(?:The|What|Which|Who|Whom|Where|How|In|At|By|To|From|With|Of|Under|If|On|As|All|Among|"
    r"Counted|Aliases|Inherited|Given|Knowing|Provided|Considering)\b"
)
STATEMENT_OPENER = re.compile(
    r"(?:The|A|An|In|On|At|By|For|From|With|To|Of|As|After|Before|During|Since|While|When|Although|"
    r"According|Under|Over|Until|Despite|Because|If|Between|Among|Through|He|She|It|They|His|Her|"
    r"Its|Their|This|That|These|Those|There|However|Some|Many|Most|Such|Several|Each|Both|All|One|"
    r"Two|Three|Who|What|Which|How|Whom|Along|Using|Other|Another|Today|Later|Early|Also|Then|Thus|Only|Not|No)\b"
)
FRONTED = re.compile(r"(In|On|By|Since|After|Before|During|From|Until|At|Throughout) (?:the )?$")
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

    `title` is the module it is all about, `rival` a name that the topic might be mistaken for; either may be empty.
    """

    phrase: int = 0
    frame: int = 0
    clause: int = 0
    title: str = ""
    rival: str = ""


def _join_with_and(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _join_that_clauses(clauses: Sequence[str]) -> str:
    """ "that ... and that ..."."""
    return _join_with_and([f"that {clause}" for clause in clauses])


def _uncapitalise(text: str, opener: re.Pattern[str]) -> str:
    """The text with a small first letter where its first word is an opener and no name."""
    return text[0].lower() + text[1:] if opener.match(text) else text


def _capitalise(text: str) -> str:
    return text[0].upper() + text[1:]


# Facts


@dataclass(frozen=True, slots=True)
class _FactPlan:
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


def ask_fact(asked: Fact, slot: str, clues: Sequence[Fact], wording: QuestionWording) -> ComposedQuestion[Fact] | None:
    """The question for one slot of a fact, with clues; None where it would hold the answer."""
    answer = asked.slots[slot]
    plan = _plan_question(asked, slot, clues, wording)
    frames = TOPIC_FRAMES if slot == asked.relation.topic else FACT_FRAMES
    if plan.trait is not None:
        # A topic known by its documentation alone needs its clues right beside it.
        frames = (_with_relative_clauses,)
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


def _plan_question(asked: Fact, slot: str, clues: Sequence[Fact], wording: QuestionWording) -> _FactPlan:
    """Sort the clues, and let one of them stand for a name every other time."""
    own = [clue for clue in clues if clue.topic == asked.topic]
    others = [clue for clue in clues if clue.topic != asked.topic]
    place = trait = None
    # A clue that is a name's place or trait is spent on it: it is told no second time.
    if slot != asked.relation.topic and wording.clause % 2:
        place = next((c for c in own if _tells_place(c, asked, slot)), None)
        trait = next((c for c in own if c.relation.name == "documentation"), None)
        trait = None if place or others else trait
    own = [clue for clue in own if clue is not place and clue is not trait]
    return _FactPlan(asked, slot, own, others, place, trait)


def _tells_place(clue: Fact, asked: Fact, slot: str) -> bool:
    """Does the clue say in which place the parameter stands that the asked fact is about?"""
    return (
        clue.relation.name == "position"
        and slot != "parameter"
        and asked.relation.name != "position"
        and clue.slots["parameter"] == asked.slots.get("parameter")
    )


def _with_relative_clauses(plan: _FactPlan, wording: QuestionWording) -> str:
    """Own clues as relative clauses: "What is X, which ... and whose ...?"; others before."""
    name = _topic_mention(plan, wording) + _relative_clauses(plan.own, wording)
    return _in_setting(plan.others, _bare_question(plan, name, wording), wording)


def _clues_first(plan: _FactPlan, wording: QuestionWording) -> str:
    """All clues before the question: "Given that ... and that ..., what is X?"."""
    question = _bare_question(plan, _topic_mention(plan, wording), wording)
    return _after_clues([*plan.others, *plan.own], question, wording)


def _clues_as_sentences(plan: _FactPlan, wording: QuestionWording) -> str:
    name = _topic_mention(plan, wording)
    parts = [clue.sentence for clue in plan.others]
    if plan.asked.relation.topic != "owner":
        parts += [clue.sentence for clue in plan.own]
    elif plan.own:
        parts.append(f"Consider `{plan.asked.topic}`: {_main_clauses(plan.own, wording)}.")
    return " ".join([*parts, _bare_question(plan, name, wording)])


def _clues_last(plan: _FactPlan, wording: QuestionWording) -> str:
    """The question first: "What is X, given that ... and that ...?"."""
    question = _bare_question(plan, _topic_mention(plan, wording), wording)
    clues = [*plan.own, *plan.others]
    if not clues:
        return question
    return f"{question[:-1]}, {_opening_word(wording).lower()} {_that_facts(clues)}?"


def _which_topic(plan: _FactPlan, wording: QuestionWording) -> str:
    """Asked for the topic itself: "Which function, which ... and whose ..., is ...?"."""
    noun = plan.asked.slots["noun"] + _relative_clauses(plan.own, wording)
    return _in_setting(plan.others, _bare_question(plan, noun, wording), wording)


def _which_topic_of_these(plan: _FactPlan, wording: QuestionWording) -> str:
    noun = plan.asked.slots["noun"]
    question = _bare_question(plan, noun, wording)
    if plan.own:
        article = "an" if noun[0] in "aeiou" else "a"
        clauses = _main_clauses(plan.own, wording)
        question = f"Consider {article} {noun} of which this is known: {clauses}. {question}"
    return " ".join([*(clue.sentence for clue in plan.others), question])


FACT_FRAMES: tuple[Callable[[_FactPlan, QuestionWording], str], ...] = (
    _with_relative_clauses,
    _clues_first,
    _clues_as_sentences,
    _clues_last,
    _with_relative_clauses,  # twice: it reads best
)
TOPIC_FRAMES = (_which_topic, _which_topic_of_these)


def _topic_mention(plan: _FactPlan, wording: QuestionWording) -> str:
    """The topic by its name, or by what its documentation alone says."""
    if plan.trait is not None:
        noun, sentence = plan.trait.slots["noun"], plan.trait.slots["sentence"]
        return f"the {noun} whose documentation says “{sentence}”"
    slot = plan.asked.relation.topic
    name = quote_code_slots({slot: plan.asked.topic})[slot]
    if wording.rival and wording.phrase % 4 == 1:
        return f"{name} (not to be confused with {quote_code_slots({slot: wording.rival})[slot]})"
    return name


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


def _in_setting(others: Sequence[Fact], question: str, wording: QuestionWording) -> str:
    """The question in a place that is known for other facts: "In the module M, in which ..., "."""
    if others and wording.title and wording.clause % 3 and others[0].relation.topic == "owner":
        setting = _join_with_and([f"in which {_fact_clause(clue)}" for clue in others])
        asked = _uncapitalise(question, FACT_OPENER)
        return f"In the module `{wording.title}`, {setting}, {asked}"
    return _after_clues(others, question, wording)


def _after_clues(clues: Sequence[Fact], question: str, wording: QuestionWording) -> str:
    """ "Given that ... and that ..., question?"."""
    if not clues:
        return question
    return f"{_opening_word(wording)} {_that_facts(clues)}, {_uncapitalise(question, FACT_OPENER)}"


def _opening_word(wording: QuestionWording) -> str:
    return ("Given", "Knowing", "Provided", "Considering")[wording.clause // 2 % 4]


def _that_facts(clues: Sequence[Fact]) -> str:
    return _join_that_clauses([_fact_clause(clue) for clue in clues])


def _fact_clause(clue: Fact) -> str:
    """A clue's sentence without its full stop, to go on after "that"."""
    return _uncapitalise(clue.sentence.removesuffix("."), FACT_OPENER)


def _relative_clauses(clues: Sequence[Fact], wording: QuestionWording) -> str:
    """Clues as relative clauses between commas: ", which ... and whose ...,"."""
    parts = [_topic_clause(clue, wording, i) for i, clue in enumerate(clues)]
    text = _join_with_and(["whose " + p[6:] if p.startswith("{its} ") else f"which {p}" for p in parts])
    return f", {text}," if text else ""


def _main_clauses(clues: Sequence[Fact], wording: QuestionWording) -> str:
    """Clues as main clauses: "it ... and its ..."."""
    parts = [_topic_clause(clue, wording, i) for i, clue in enumerate(clues)]
    return _join_with_and(["its " + p[6:] if p.startswith("{its} ") else f"it {p}" for p in parts])


def _topic_clause(clue: Fact, wording: QuestionWording, number: int) -> str:
    """One of a clue's clauses about its topic, {its} still in place."""
    forms = clue.relation.clauses
    form = forms[(wording.clause + number) % len(forms)]
    return form.format_map(quote_code_slots(clue.slots) | {"its": "{its}"})


# Statements


@dataclass(frozen=True, slots=True)
class _StatementPlan:
    question: str
    asked: PassageStatement
    clues: Sequence[PassageStatement]


def ask_instance(
    statement: PassageStatement, instance: Instance, clues: Sequence[PassageStatement], wording: QuestionWording
) -> ComposedQuestion[PassageStatement]:
    """The question for one instance of a statement, with other statements as clues."""
    if statement.chinese:
        text = _ask_in_chinese(statement, instance, clues)
    else:
        plan = _StatementPlan(replace_instance(statement.sentence, instance), statement, clues)
        frame = STATEMENT_FRAMES[wording.frame % len(STATEMENT_FRAMES)] if clues else _gists_first
        text = frame(plan, wording)
    return ComposedQuestion(text, instance.text, (statement, *clues))


def replace_instance(sentence: str, instance: Instance) -> str:
    """The sentence with question words in the place of the instance; "In 1066, ..." moves back."""
    before, after = sentence[: instance.start], strip_full_stop(sentence[instance.end :])
    # A question word after a fronted phrase reads badly: "In which year, Duke William ...?".
    fronted = FRONTED.fullmatch(before)
    if fronted and after.startswith(", "):
        return f"{_capitalise(after[2:])} {fronted[1].lower()} {instance.words}?"
    return f"{before}{instance.words}{after}?"


def _ask_in_chinese(statement: PassageStatement, instance: Instance, clues: Sequence[PassageStatement]) -> str:
    """Clues as sentences of their own, then the question, all under the title."""
    sentence, title = statement.sentence, statement.title
    before, after = sentence[: instance.start], sentence[instance.end :].rstrip("。！？”」")
    text = "".join([*(clue.sentence for clue in clues), f"{before}{instance.words}{after}？"])
    return text if not title or title in text else f"关于“{title}”：{text}"


def _gists_first(plan: _StatementPlan, wording: QuestionWording) -> str:
    parts = [f"{_capitalise(clue.gist)}." for clue in plan.clues]
    return _under_title(" ".join([*parts, plan.question]), plan, wording)


def _given_that(plan: _StatementPlan, wording: QuestionWording) -> str:
    """ "Given that ... and that ..., question?"."""
    question = _uncapitalise(plan.question, STATEMENT_OPENER)
    return _under_title(f"{_capitalise(_clues_given(plan, wording))}, {question}", plan, wording)


def _known_of_title(plan: _StatementPlan, wording: QuestionWording) -> str:
    """ "It is known of TITLE that ... and that .... Question?"."""
    if not plan.asked.title:
        return _gists_first(plan, wording)
    opening = ("It is known of", "It is on record about", "A source says of", "We read of")
    lead = f"{opening[wording.clause % 4]} {plan.asked.title}"
    return f"{lead} {_that_gists(plan.clues)}. {plan.question}"


def _question_given_that(plan: _StatementPlan, wording: QuestionWording) -> str:
    """ "Question, given that ... and that ...?"."""
    text = f"{plan.question.removesuffix('?')}, {_clues_given(plan, wording)}?"
    return _under_title(text, plan, wording)


STATEMENT_FRAMES: tuple[Callable[[_StatementPlan, QuestionWording], str], ...] = (
    _gists_first,
    _given_that,
    _known_of_title,
    _question_given_that,
)


def _clues_given(plan: _StatementPlan, wording: QuestionWording) -> str:
    link = ("given", "knowing", "considering", "provided")[wording.clause % 4]
    return f"{link} {_that_gists(plan.clues)}"


def _that_gists(clues: Sequence[PassageStatement]) -> str:
    return _join_that_clauses([_uncapitalise(clue.gist, STATEMENT_OPENER) for clue in clues])


def _under_title(text: str, plan: _StatementPlan, wording: QuestionWording) -> str:
    """The text after its topic, where it neither says it nor stands by itself."""
    title, statements = plan.asked.title, (plan.asked, *plan.clues)
    leans = any(each.needs_title for each in statements)
    if not title or (not leans and any(each.titled for each in statements)):
        return text
    opening = ("On the subject of", "Concerning", "About", "With regard to")[wording.phrase % 4]
    return f"{opening} {title}: {text}"
