"""Which language a document is in."""

import re
from functools import cache
from typing import Any

SAMPLED_CHARS = 4000
LEAST_LATIN_LETTERS = 200
"""A shorter text in Latin letters is not told apart: names decide it (our choice)."""
LEAST_LETTERS = 8
"""The same of other scripts, which few languages share."""
ENGLISH_CHARS, LEAST_ENGLISH_WORDS = 1000, 5
_ENGLISH = frozenset("the of and is was to that with for by".split())
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]")
_OTHER_LETTER = re.compile(r"[^\W\d_A-Za-zÀ-ɏ]")
_ONE_CODE = {"nb": "no", "nn": "no"}
"""Norwegian's two written forms, which nothing here tells apart."""


def detect_language(text: str, *, default: str) -> str:
    """The ISO 639-1 code of a text's language, by its first `SAMPLED_CHARS`; `default` where it is too short."""
    sample = text[:SAMPLED_CHARS]
    # Most texts are: a set of words tells in a hundredth of the time.
    if len(_ENGLISH.intersection(sample[:ENGLISH_CHARS].lower().split())) >= LEAST_ENGLISH_WORDS:
        return "en"
    latin, others = len(_LATIN.findall(sample)), len(_OTHER_LETTER.findall(sample))
    if latin < LEAST_LATIN_LETTERS and (others < LEAST_LETTERS or others < latin / 2):
        return default
    found = str(_identifier().classify(sample)[0])
    return _ONE_CODE.get(found, found)


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # its model takes half a second to read

    identifier: Any = LanguageIdentifier.from_model_file(MODEL_FILE)
    # Those with a code of two letters: a manual in English is none in Pidgin, nor Chinese one in Wu.
    identifier.set_languages([lang for lang in identifier.labels if len(lang) == 2])
    return identifier
