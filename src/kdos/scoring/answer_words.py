"""A text as the words that count, in one spelling each: what answers are compared by (our design).

Signs are words or parts of words, never dropped: -5 is not 5, 1.5 not 15, C# neither C nor C++, 44 BC not 44, and a
dollar no pound.
"""

import re
import unicodedata
from functools import lru_cache

import regex

from kdos.checks.answers import canonicalise_text
from kdos.pool.wording import WIDE_LETTERS

Words = tuple[str, ...]
LONGEST_READ = 100_000
"""Characters of a text that are read: an answer is no book."""
CACHED_WORDS = 1 << 15
CACHED_TEXTS = 1 << 12
DENIALS = frozenset(["not", "no", "never", "neither", "nor", "without", "non"])
"""Words that turn round what stands beside them: no shorter form leaves one out."""

UNITS = {
    form: unit
    for unit, forms in {
        "m": "metre metres meter meters",
        "km": "kilometre kilometres kilometer kilometers kms",
        "cm": "centimetre centimetres centimeter centimeters",
        "mm": "millimetre millimetres millimeter millimeters",
        "ft": "foot feet",
        "inch": "inches",
        "mi": "mile miles",
        "kg": "kilogram kilograms kilo kilos kgs",
        "g": "gram grams",
        "hp": "horsepower",
        "s": "sec secs second seconds",
        "min": "mins minute minutes",
        "h": "hr hrs hour hours",
        "c": "celsius centigrade",
        "f": "fahrenheit",
        "usd": "dollar dollars",
        "eur": "euro euros",
        "pound": "lb lbs pounds gbp",
        "pct": "percent",
        "jpy": "yen",
        "inr": "rupee rupees",
        "jr": "junior",
        "sr": "senior",
    }.items()
    for form in forms.split()
}
"""One spelling a unit, so that "5 kilometres" and "5km" are the same words."""
# Roman numerals that are no other word or initial: "World War II" is "World War Two".
_NUMERALS = {
    form: str(number)
    for number, form in {
        2: "ii",
        3: "iii",
        4: "iv",
        6: "vi",
        7: "vii",
        8: "viii",
        9: "ix",
        12: "xii",
        13: "xiii",
        14: "xiv",
        16: "xvi",
        17: "xvii",
        18: "xviii",
        19: "xix",
    }.items()
}
_CONTRACTED = {
    form: (verb, "not")
    for verb, forms in {
        "is": "isnt",
        "was": "wasnt",
        "are": "arent",
        "were": "werent",
        "do": "dont",
        "does": "doesnt",
        "did": "didnt",
        "has": "hasnt",
        "have": "havent",
        "had": "hadnt",
        "could": "couldnt",
        "would": "wouldnt",
        "should": "shouldnt",
        "can": "cannot cant",
        "will": "wont",
    }.items()
    for form in forms.split()
}
_UNCOUNTED = frozenset(["a", "an", "the", "of", "in", "on", "at", "by", "from", "to", "and"])
# Texts that were decoded in a wrong way ("DÃ­az"), or not at all ("D\\u00edaz").
_WRONGLY_DECODED = re.compile("[ÂÃ][\x80-\xbf]")
_UNDECODED = re.compile(r"\\u([0-9a-fA-F]{4})")
_DASHES = re.compile("[\u2010-\u2013\u2212\ufe63\uff0d]")
_POWERS = re.compile(r"(?<=\d)(?=[\u2070\u00b9\u00b2\u00b3\u2074-\u2079])")
_PARTS = re.compile("(?:(?<![0-9])([0-9]{1,9}) ?)?([½¼¾])")
_PART_VALUES = {"½": ".5", "¼": ".25", "¾": ".75"}
# A sign after a name is a part of it: C++, Disney+, F#, Q*, O-.
_PLUS = re.compile(r"\b(?!\d++\+)(\w++)(\+\+?)(?![\w+])")
_SHARP = re.compile(r"([A-Z])(?<!\w[A-Z])(?:#|♯| sharp\b)(?!\w)")
_STAR = re.compile(r"([A-Z])(?<![\w*][A-Z])\*(?![\w*])")
_MINUS_SIGN = re.compile(r"([A-Z](?<![\w-][A-Z])[a-zA-Z]?)-(?![\w,-]| and\b| or\b)")
_BLOOD_GROUP = re.compile(r"\b(A|B|AB|O)[ -](positive|negative)\b")
_COMPARISON = re.compile("[<≤>≥](?= ?[-\\d.])")
_COMPARED = {"<": "less than ", "≤": "at most ", ">": "more than ", "≥": "at least "}
_AMOUNT_SIGN = re.compile(r"%|&|\$|£|€|¥|₹|<|≤|>|≥|USD|GBP|EUR|JPY|INR")
_MONEY = re.compile(
    r"(-?)(?:\bUS ?)?([$£€¥₹]|\b(?:USD|GBP|EUR|JPY|INR)(?= ?\d)) ?"
    r"((?:\d[\d.,]*\d|\d)(?: (?:thousand|million|billion|trillion)\b)?)",
    re.IGNORECASE,
)
_CURRENCIES = {"$": "usd", "£": "gbp", "€": "eur", "¥": "jpy", "₹": "inr"}
_FEET_AND_INCHES = re.compile(r"['’′](?<=\d.) ?(\d{1,2})(?!\d)[\"”″]?")
_COMMA_DECIMAL = re.compile(r"\d(?<![\d.,]\d)\d*,\d{1,2}(?![\d,]|\.\d)")
_PADDED_DECIMAL = re.compile(r"\d(?<![\d.]\d)\d*\.\d*[1-9]0+(?![\d.])")
# "Python 3.10" is no 3.1 but "EUR 1.50" is 1.5: what stands before a version is a name.
_VERSIONED = re.compile(r"(?:\b[A-Z][\w+#]*|\bv\.?|\bversion) ?$")
_BEFORE_AMOUNTS = re.compile(r"\b(?:About|Around|Some|Nearly|Rs|[A-Z]{3}) ?$")
_NEGATIVE = re.compile(r"(?<!\d )\b(?:minus|negative) (?=\d)")
_BELOW_ZERO = re.compile(r"(\d(?<![\w.-]\d)\d*(?:\.\d+)?(?: (?:degrees?|[cf]|celsius|fahrenheit)){0,2}) below 0\b")
_BEFORE_CHRIST = re.compile(r"(?<=\d)((?:st|nd|rd|th)?)((?: century| millennium)?) ?bce?\b")
_AFTER_CHRIST = re.compile(r" (?:ad|ce)\b(?:(?<=\d ..)|(?= \d))|^(?:ad|ce) (?=\d)")
_GROUPED = re.compile(r"\d(?<!\w\d)\d{0,2}(?:, \d{3})+\b")
_RATIO = re.compile(r" ?: ?(?=\d)(?:(?<=\d:)|(?<=\d :)|(?<=\d: )|(?<=\d : ))")
# Dots and apostrophes inside a word, of abbreviations and contractions; not those of numbers.
_INNER_STOP = re.compile(r"['’‘`´.](?:(?<!\.)(?:(?<!\d.)|(?!\d))|(?<=\b[^\W\d_].)(?:(?=[^\W\d_]\b)|(?= ?[^\W\d_]\.)))")
_SQUARE = re.compile(r"\bsq(?:uare|\.)? (km|kilomet\w+|mi|miles?|m|met(?:re|er)s?|ft|feet|foot|cm|centimet\w+)\b\.?")
_WORD = re.compile(
    rf"\d{{4}}-\d\d-\d\d|(?:-(?=\d)(?<![\w)\]%]-)(?<!\d -))?\d+(?:[.:]\d+)+|[{WIDE_LETTERS}]"
    rf"|(?:-(?=\d)(?<![\w)\]%]-)(?<!\d -))?[^\W_{WIDE_LETTERS}]+"
)
_LETTERS_ONLY = re.compile(rf"[^\W\d_{WIDE_LETTERS}]+")
_SINGLE_LETTERS = re.compile(r"(?<!\S)(?:[a-z] )+[a-z](?!\S)")
_AMOUNT = re.compile(r"(-?\d[\d.:]*)([a-z]+)")
_UNSPLIT = re.compile(r"st|nd|rd|th|(?:st|nd|rd|th)?bc")
_DIGIT = re.compile(r"\d")
_MARKS = regex.compile(r"\p{Mn}+")


@lru_cache(maxsize=CACHED_TEXTS)
def answer_words(text: str) -> Words:
    """`read_answer_words` of a short text that comes again: a gold answer, a question."""
    return read_answer_words(text)


def read_answer_words(text: str) -> Words:
    """The words that count, in one form each; small words count where there are no others.

    Numbers are in digits with their sign and dates as 1776-07-04 (`checks.answers.canonicalise_text`), units and
    currencies have one name, accents and apostrophes are gone, initials stand together, plurals lose their s. Of
    Chinese, Japanese and Korean each character is a word.
    """
    found = " ".join(_WORD.findall(unify_spelling(text)))
    joined = _SINGLE_LETTERS.sub(lambda run: run[0].replace(" ", ""), found)
    every = [form for word in joined.split() for form in _word_forms(word)]
    return tuple([word for word in every if word not in _UNCOUNTED] or every)


@lru_cache(maxsize=CACHED_WORDS)
def _word_forms(word: str) -> Words:
    """What one word of a text is compared by: "5km" comes apart, "isn't" says not."""
    if amount := _AMOUNT.fullmatch(word):
        number, unit = amount.groups()
        is_decade = unit == "s" and len(number) == 4
        return (word,) if is_decade or _UNSPLIT.fullmatch(unit) else (number, *_word_forms(unit))
    if word in _CONTRACTED:
        return _CONTRACTED[word]
    return (_NUMERALS.get(word) or _singular_form(UNITS.get(word, word)),)


def _singular_form(word: str) -> str:
    plural = len(word) > 3 and word.isalpha() and word.endswith("s") and not word.endswith("ss")
    return word[:-1] if plural else word


def unify_spelling(text: str) -> str:
    """The text in one spelling: no case, no accents; numbers, dates, money and signs alike."""
    # An expression costs fifty times what it costs to look for a letter, and most texts hold few of the signs.
    text = _unify_signs(mend_decoding(text[:LONGEST_READ]))
    text = _strip_accents(canonicalise_text(_unify_decimals(text)))
    if "°" in text:
        text = text.replace("°", " degrees ")
    text = _INNER_STOP.sub("", text)
    if "sq" in text:
        text = _SQUARE.sub(lambda found: f"{UNITS.get(found[1], found[1])}2", text)
    return _unify_numbers(text) if _DIGIT.search(text) else text


def mend_decoding(text: str) -> str:
    """The text as it was meant, where UTF-8 was read as Latin-1 or escapes were left as they are."""
    if "\\u" in text:
        text = _UNDECODED.sub(lambda found: chr(int(found[1], 16)), text)
    if text.isascii() or not _WRONGLY_DECODED.search(text):
        return text
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _unify_signs(text: str) -> str:
    """Signs as words or parts of words, before the case is lost that tells some of them apart."""
    if not text.isascii():
        text = _POWERS.sub("^", _DASHES.sub("-", text.replace("\xad", "")))
        if "½" in text or "¼" in text or "¾" in text:
            text = _PARTS.sub(lambda part: (part[1] or "0") + _PART_VALUES[part[2]], text)
    if "itive" in text or "egative" in text:
        text = _BLOOD_GROUP.sub(lambda group: f"{group[1]}{group[2]}", text)
    if "+" in text:
        text = _PLUS.sub(lambda sign: sign[1] + "positive" * len(sign[2]), text)
    if "#" in text or "sharp" in text or "♯" in text:
        text = _SHARP.sub(r"\1sharp", text)
    if "*" in text:
        text = _STAR.sub(r"\1star", text)
    if "-" in text:
        text = _MINUS_SIGN.sub(r"\1negative", text)
    if "per cent" in text:
        text = text.replace("per cent", "percent")
    if _AMOUNT_SIGN.search(text):
        text = _MONEY.sub(_write_out_money, text.replace("%", " percent ").replace("&", " and "))
        text = _COMPARISON.sub(lambda sign: _COMPARED[sign[0]], text)
    return text


def _write_out_money(found: re.Match[str]) -> str:
    sign, currency, amount = found.groups()
    return f"{sign}{amount} {_CURRENCIES.get(currency, currency)}"


def _unify_decimals(text: str) -> str:
    """Numbers before they are read: decimals with a point and without padding, feet with inches."""
    if "'" in text or "’" in text or "′" in text:
        text = _FEET_AND_INCHES.sub(r" ft \1 inch", text)
    if "," in text:
        text = _COMMA_DECIMAL.sub(lambda number: number[0].replace(",", "."), text)
    if "0" in text and "." in text:
        text = _PADDED_DECIMAL.sub(_strip_padding, text)
    return text


def _strip_padding(found: re.Match[str]) -> str:
    before = found.string[max(0, found.start() - 20) : found.start()]
    is_version = _VERSIONED.search(before) and not _BEFORE_AMOUNTS.search(before)
    return found[0] if is_version else found[0].rstrip("0")


def _strip_accents(text: str) -> str:
    """The text with every letter bare of its marks."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", text)))


def _unify_numbers(text: str) -> str:
    """Signs of numbers that are written out, years before Christ, digit groups and ratios in one way."""
    if "minus " in text or "negative " in text:
        text = _NEGATIVE.sub("-", text)
    if "below 0" in text:
        text = _BELOW_ZERO.sub(r"-\1", text)
    if "bc" in text:
        text = _BEFORE_CHRIST.sub(r"\1bc\2", text)
    if "ad" in text or "ce" in text:
        text = _AFTER_CHRIST.sub("", text)
    if ", " in text:
        text = _GROUPED.sub(lambda number: number[0].replace(", ", ""), text)
    return _RATIO.sub(":", text) if ":" in text else text
