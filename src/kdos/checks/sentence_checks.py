"""Which language a sentence is in, and whether it is about concrete instances (our design)."""

import re
from collections.abc import Sequence

from kdos.pool.wording import WIDE_LETTERS

_UNSPACED_LETTER = re.compile(f"[{WIDE_LETTERS}]")
_HAN = re.compile(r"[㐀-䶿一-鿿豈-﫿]")
_SCRIPTS = {
    "ja": re.compile(r"[぀-ヿ]"),
    "ko": re.compile(r"[가-힯]"),
    "zh": _HAN,
    "cyrillic": re.compile(r"[Ѐ-ӿ]"),
    "el": re.compile(r"[Ͱ-Ͽ]"),
    "ar": re.compile(r"[؀-ۿ]"),
    "he": re.compile(r"[֐-׿]"),
    "hi": re.compile(r"[ऀ-ॿ]"),
    "th": re.compile(r"[฀-๿]"),
}
# Languages whose script is named after itself or after another language.
_SCRIPT_OF = {"ru": "cyrillic", "uk": "cyrillic", "bg": "cyrillic", "sr": "cyrillic", "fa": "ar"}
_CASED = re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏͰ-ӿ]")
_NAME = re.compile(
    r"(?<=[^\s.!?:])(?:[ \t]++[(\"'“‘«-]?|[(\"'“‘«-])[A-ZÀ-ÖØ-ÞΑ-ΩЀ-Я]|\d|[A-Za-z]_[A-Za-z]|\w\.\w|[a-z][A-Z]|`|__"
    r"|[\"“«‘'《「『]\w|^[A-Z]{2,}"
)
_USUAL_NAME = re.compile(r" (?<=[^\s.!?:] )[A-Z]")
_ASKS_FOR_INSTANCE = re.compile(
    r"\b(?:who|whom|whose|when|where|how (?:many|much|long|old|tall|far|deep|high|often)|(?:what|"
    r"which)(?: \w+){0,2} (?:year|date|day|month|century|decade|person|man|woman|city|town|country|"
    r"state|river|company|team|author|actor|actress|king|queen|president|name|number|species))\b",
    re.IGNORECASE,
)
_ABSTRACT = re.compile(
    r"^(?:why|explain|describe|discuss|define|compare|summari[sz]e|analy[sz]e|outline)\b"
    r"|\bwhat (?:is|are) (?:the )?(?:\w+ )?(?:importance|significance|meaning|definition|purpose|"
    r"role|nature|concept|essence|advantages?|disadvantages?|benefits?|drawbacks?|challenges?|"
    r"implications?|difference|relationship)\b"
    r"|\bhow (?:does|do|can|should|might|is|are) \w+(?: \w+)? (?:affect|influence|impact|"
    r"contribute|relate|help|shape|improve|work)\b"
    r"|\bin general\b|为什么|什么是|谈谈|论述|如何理解|意义是什么",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[^\W\d_]")
_SMALL_WORDS = {
    "en": "the of and in is was what which who to for on by with did how that from were are",
    "de": "der die das und ist in welche welcher wer von war den dem im wurde eine einem wie auf",
    "fr": "le la les des du est et quel quelle dans qui une par été pour sur au où combien était",
    "es": "el la los las del en que qué cuál quién fue una por es con para y año cómo al",
    "it": "il lo la gli del della è che quale chi nel fu una per di con anno stato sono dove",
    "pt": "o os as do da em que qual quem foi uma por é com para no na ano dos quando",
    "nl": "de het een van is in welke wie was en op dat door voor werd met hoe waar",
}
_LANGUAGES = {name: frozenset(words.split()) for name, words in _SMALL_WORDS.items()}
MIN_LETTERS = 12
"""A shorter text is not told apart (our design)."""
MIN_SMALL_WORDS = 2
"""Different small words that show a text to be in a language."""
SCRIPT_SHARE = 0.3
"""Share of letters that makes a text one of that script: names in Latin letters are common."""


def has_unspaced_letter(text: str) -> bool:
    """Is any of it in a script that puts no spaces between words?"""
    return not text.isascii() and _UNSPACED_LETTER.search(text) is not None


def is_in_language(text: str, lang: str) -> bool:
    """Do its small words show that the text is in a language in Latin letters?"""
    small = _LANGUAGES.get(lang)
    return small is not None and len(small.intersection(text.casefold().split())) >= MIN_SMALL_WORDS


def detect_other_language(text: str, lang: str) -> str:
    """The language the text is plainly in, if that is not `lang`; else the empty string."""
    if is_in_language(text, lang):
        return ""
    if text.isascii() and lang == "en":
        return _other_latin_language(text, lang)
    letters = len(_LETTER.findall(text))
    if letters < MIN_LETTERS and not (lang == "en" and _HAN.search(text)):
        return ""
    script = _dominant_script(text, letters)
    wanted = _SCRIPT_OF.get(lang, lang)
    if script:
        return "" if script == wanted or (script, wanted) == ("zh", "ja") else script
    if wanted in _SCRIPTS:
        return "latin"
    return _other_latin_language(text, lang)


def _dominant_script(text: str, letters: int) -> str:
    """The script other than Latin that holds a good share of the letters, or the empty string."""
    if text.isascii():
        return ""
    least = SCRIPT_SHARE * letters
    found = (name for name, letter in _SCRIPTS.items() if len(letter.findall(text)) >= least)
    return next(found, "")


def _other_latin_language(text: str, lang: str) -> str:
    """Another language in Latin letters whose small words are plainly in the lead."""
    if lang not in _LANGUAGES:
        return ""
    words = text.casefold().split()
    if len(words) < 4:
        return ""
    # Three small words and three times as many as of the own language: names and titles bring in
    # a few foreign ones ("Who wrote Der Zauberberg?").
    scores = {name: len(small.intersection(words)) for name, small in _LANGUAGES.items()}
    own = scores.pop(lang)
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] >= max(3, 3 * own) else ""


def is_abstract_sentence(sentence: str, entities: Sequence[str], *, asked_for: str) -> bool:
    """Does nothing in the sentence pin it to an instance? Only a plain case counts (our design).

    A name, number, title or identifier pins it; so does a topic entity that is a name, and, for a
    question, asking for an instance (who, when, which year) or being answered by one. Of a sentence
    in small letters only, which shows no names, the wording must be abstract as well.
    """
    named = _USUAL_NAME.search(sentence) or _names_entity(sentence, entities)
    if named or _NAME.search(sentence):
        return False
    answered = asked_for != "" and _names_instance(asked_for)
    if sentence.islower() or not _CASED.search(sentence):
        return not answered and _ABSTRACT.search(sentence) is not None
    # From here on the sentence has capitals and none of them inside it: no name, unless it begins with one.
    if _ABSTRACT.search(sentence):
        return True
    if answered or (asked_for and _ASKS_FOR_INSTANCE.search(sentence)):
        return False
    return not _begins_with_name(sentence, entities)


def _names_instance(text: str) -> bool:
    """Does a short text name something: has it a capital, a digit, an identifier, or no case?"""
    return text[:1].isupper() or not _CASED.search(text) or _NAME.search(f"x {text}") is not None


def _names_entity(sentence: str, entities: Sequence[str]) -> bool:
    """Does the sentence hold a topic entity that is a name?"""
    lowered = sentence.casefold()
    return any(entity.casefold() in lowered and _names_instance(entity) for entity in entities)


def _begins_with_name(sentence: str, entities: Sequence[str]) -> bool:
    """Does the sentence begin with a topic entity, as a statement about it does?"""
    lowered, names = sentence.casefold(), [each.casefold() for each in entities if each]
    return any(lowered.startswith((name, f"the {name}")) for name in names)
