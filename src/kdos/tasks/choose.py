"""A multiple choice question, put as a chat; the choice that a reply names, read strictly (our design)."""

import re
import unicodedata
from collections.abc import Sequence

from kdos.tasks.judge import QuestionRequest
from kdos.tasks.prompt import load_prompt
from kdos.tasks.request import Request

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""What choices are called, in their order: there are at most so many."""
CHOOSE_PROMPT = load_prompt("choose", {})
"""No schema: a reply is the letter itself."""
CLAIM_CHARS = 80
"""What may stand around the text of a choice in a sentence that states it: our choice."""
_SIGNS = str.maketrans("", "", '*`$"“”')
_BOXES = re.compile(r"\\(?:boxed|text|mathrm)\{|(?<=[A-Za-z])\}{1,3}")
"""LaTeX around a letter, as models trained on mathematics put it."""
_LETTER = re.compile(r"(?:(?:option|choice|选项) ?)?[(\[【]?([A-Za-z])[)\]】]?(?![A-Za-z0-9_'’])", re.IGNORECASE)
_STATED = re.compile(
    r"(?:\b(?:answer|choice|option) ?(?:(?:is|would be|should be|must be) ?:?|:|=)"
    r"|(?:答案|选项) ?(?:应该?)?(?:是|为|选|:) ?:?|选:?) ?",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r" *(?:$|[.,;:!。]|(?:because|since|as)\b)")
_ANOTHER = re.compile(r"(?:(?:and|or|&|和|或) ?)?\(?([A-Z])(?![\w'’])")


def match_choice_text(choices: Sequence[str], text: str) -> list[int]:
    """The places of the choices that have this text: to the letter, else but for case, spaces and a full stop."""
    wanted = text.strip()
    exact = [place for place, choice in enumerate(choices) if choice.strip() == wanted]
    plain = _plain(text)
    return exact or [place for place, choice in enumerate(choices) if plain and _plain(choice) == plain]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(" .。")


def show_choices(question: str, choices: Sequence[str]) -> str:
    """The question with a line for each choice, as MMLU's own evaluation shows them."""
    return "\n".join(
        [question.strip(), *(f"{letter}. {text}" for letter, text in zip(LETTERS, choices, strict=False))]
    )


def ask_choice(
    name: str, *, question: str, choices: Sequence[str], examples: Sequence[tuple[str, Sequence[str], int]] = ()
) -> Request:
    """Ask for the letter of a choice; `examples` are questions with choices and the place of the right one."""
    shown = [{"question": show_choices(asked, among), "answer": LETTERS[right]} for asked, among, right in examples]
    inputs = {"question": show_choices(question, choices), "examples": shown}
    return QuestionRequest(f"choose/{name}", CHOOSE_PROMPT, inputs, {"temperature": 0.0})


def read_choice(reply: str, choices: Sequence[str]) -> int | None:
    """The place of the one choice that a reply names; None where it names none, or several.

    Read are a letter alone, a letter before the text of its choice, that text alone, and what the reply states as its
    answer. What it states counts before a letter on its first or last line; all that counts must name one choice.
    """
    said = unicodedata.normalize("NFKC", _BOXES.sub("", reply)).translate(_SIGNS).strip()
    texts = [unicodedata.normalize("NFKC", choice).translate(_SIGNS) for choice in choices]
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    # No more than a claim can take: a reply may say it a thousand times.
    most = max(map(len, texts), default=0) + CLAIM_CHARS
    stated = [
        _read_claim(line[found.end() : found.end() + most], texts, stated=True)
        for line in lines
        for found in _STATED.finditer(line)
    ]
    claims = {place for place in stated if place is not None}
    claims = claims or {place for line in lines[:1] + lines[-1:] if (place := _read_claim(line, texts)) is not None}
    if not claims and len(same := match_choice_text(choices, reply)) == 1:
        return same[0]
    return claims.pop() if len(claims) == 1 else None


def _read_claim(text: str, choices: Sequence[str], *, stated: bool = False) -> int | None:
    """The choice that a text is or, where it is `stated` to be the answer, begins with."""
    same = match_choice_text(choices, text)
    place = LETTERS.find(found[1].upper()) if (found := _LETTER.match(text)) else -1
    if found is None or not 0 <= place < len(choices):
        return same[0] if len(same) == 1 else None
    rest = text[found.end() :]
    bare = rest.lstrip(" .,:;)-")
    if not bare.strip(" .!。") or _begins_with(bare, choices[place]):
        return place
    goes_on = stated and _GOES_ON.match(rest) and not _names_another(bare, choices)
    return place if goes_on else same[0] if len(same) == 1 else None


def _begins_with(text: str, choice: str) -> bool:
    """Whether a text begins with that of a choice, as words of their own."""
    wanted = choice.strip().casefold()
    text = text.casefold()
    return bool(wanted) and text.startswith(wanted) and not text[len(wanted) : len(wanted) + 1].isalnum()


def _names_another(text: str, choices: Sequence[str]) -> bool:
    """Whether another choice comes next, by its letter or its text: `B, C` names two."""
    found = _ANOTHER.match(text)
    is_letter = found is not None and LETTERS.find(found[1]) < len(choices)
    return is_letter or any(_begins_with(text, choice) for choice in choices)
