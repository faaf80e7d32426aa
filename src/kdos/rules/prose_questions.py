"""Questions about statements: an instance to ask for and clues in, one question out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kdos.rules.instances import Instance
from kdos.rules.prose import Statement, ended
from kdos.rules.questions import Wording, join

FRONTED = re.compile(r"(In|On|By|Since|After|Before|During|From|Until|At|Throughout) (?:the )?$")
SMALL = re.compile(
    r"(?:The|A|An|In|On|At|By|For|From|With|To|Of|As|After|Before|During|Since|While|When|Although|"
    r"According|Under|Over|Until|Despite|Because|If|Between|Among|Through|He|She|It|They|His|Her|"
    r"Its|Their|This|That|These|Those|There|However|Some|Many|Most|Such|Several|Each|Both|All|One|"
    r"Two|Three|Who|What|Which|How|Whom|Along|Using|Other|Another|Today|Later|Early|Also|Then|Thus|Only|Not|No)\b"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about one instance, and the statements it rests on, the asked one first."""

    text: str
    answer: str
    instance: Instance
    statements: tuple[Statement, ...]


def ask_instance(
    statement: Statement, instance: Instance, clues: Sequence[Statement], wording: Wording
) -> Asked:
    """The question for one instance of a statement, with other statements as clues."""
    question = (in_place_wide if statement.wide else in_place)(statement.sentence, instance)
    if statement.wide:
        text = told_wide(question, clues, statement.title)
    else:
        frame = FRAMES[wording.frame % len(FRAMES)] if clues else alone
        text = frame(question, statement, clues, wording)
    return Asked(text, instance.text, instance, (statement, *clues))


def in_place(sentence: str, instance: Instance) -> str:
    """The sentence with question words in the place of the instance; "In 1066, ..." moves back."""
    before, after = sentence[: instance.start], ended(sentence[instance.end :])
    fronted = FRONTED.fullmatch(before)
    if fronted and after.startswith(", "):
        return f"{upper(after[2:])} {fronted[1].lower()} {instance.words}?"
    return f"{before}{instance.words}{after}?"


def in_place_wide(sentence: str, instance: Instance) -> str:
    """The same for a Chinese sentence."""
    before, after = sentence[: instance.start], sentence[instance.end :].rstrip("。！？”」")
    return f"{before}{instance.words}{after}？"


def told_wide(question: str, clues: Sequence[Statement], title: str) -> str:
    """Clues as sentences of their own, then the question, all under the title."""
    told = "".join(clue.sentence for clue in clues)
    text = f"{told}{question}"
    return text if not title or title in text else f"关于“{title}”：{text}"


def alone(
    question: str, statement: Statement, _clues: Sequence[Statement], wording: Wording
) -> str:
    """The question by itself, with the title where it lacks its topic."""
    return under_title(question, statement, wording)


def told(question: str, statement: Statement, clues: Sequence[Statement], wording: Wording) -> str:
    """Clues as sentences of their own, then the question."""
    parts = [f"{upper(clue.gist)}." for clue in clues]
    return under_title(" ".join([*parts, question]), statement, wording, *clues)


def given(question: str, statement: Statement, clues: Sequence[Statement], wording: Wording) -> str:
    """ "Given that ... and that ..., question?"."""
    opening = ("Given", "Knowing", "Considering", "Provided")[wording.clause % 4]
    text = f"{opening} {that(clues)}, {lower(question)}"
    return under_title(text, statement, wording, *clues)


def after(question: str, statement: Statement, clues: Sequence[Statement], wording: Wording) -> str:
    """ "Question, given that ... and that ...?"."""
    link = ("given", "knowing", "considering", "provided")[wording.clause % 4]
    text = f"{question.removesuffix('?')}, {link} {that(clues)}?"
    return under_title(text, statement, wording, *clues)


def known(question: str, statement: Statement, clues: Sequence[Statement], wording: Wording) -> str:
    """ "It is known of TITLE that ... and that .... Question?"."""
    if not statement.title:
        return told(question, statement, clues, wording)
    opening = ("It is known of", "It is on record about", "A source says of", "We read of")
    return f"{opening[wording.clause % 4]} {statement.title} {that(clues)}. {question}"


Frame = Callable[[str, Statement, Sequence[Statement], Wording], str]
FRAMES: tuple[Frame, ...] = (told, given, known, after)


def under_title(text: str, statement: Statement, wording: Wording, *clues: Statement) -> str:
    """The text after its topic, where it neither says it nor stands by itself."""
    title = statement.title
    leans = any(each.leans for each in (statement, *clues))
    if not title or (not leans and any(each.titled for each in (statement, *clues))):
        return text
    opening = ("On the subject of", "Concerning", "About", "With regard to")[wording.phrase % 4]
    return f"{opening} {title}: {text}"


def that(clues: Sequence[Statement]) -> str:
    """ "that ... and that ..."."""
    return join([f"that {lower(clue.gist)}" for clue in clues])


def lower(text: str) -> str:
    """The text with a small first letter where its first word is no name."""
    return text[0].lower() + text[1:] if SMALL.match(text) else text


def upper(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[0].upper() + text[1:]
