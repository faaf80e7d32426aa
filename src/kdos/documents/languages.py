"""Which language a document is in."""

import re
from functools import cache
from typing import Any

SAMPLED_CHARS = 4000
LEAST_LATIN_LETTERS = 200
"""A shorter text in Latin letters is not told apart: names decide it (our choice)."""
LEAST_LETTERS = 8
"""The same of other scripts, which few languages share."""
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]")
_OTHER_LETTER = re.compile(r"[^\W\d_A-Za-zÀ-ɏ]")
_ONE_CODE = {"wuu": "zh", "yue": "zh", "nb": "no", "nn": "no"}
"""Languages of one written form that the identifier tells apart and nothing here does."""


def detect_language(text: str, *, default: str) -> str:
    """The ISO 639-1 code of a text's language, by its first `SAMPLED_CHARS`; `default` where it is too short."""
    sample = text[:SAMPLED_CHARS]
    latin, others = len(_LATIN.findall(sample)), len(_OTHER_LETTER.findall(sample))
    if latin < LEAST_LATIN_LETTERS and (others < LEAST_LETTERS or others < latin / 2):
        return default
    found = str(_identifier().classify(sample)[0])
    return _ONE_CODE.get(found, found)


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # its model takes half a second to read

    return LanguageIdentifier.from_model_file(MODEL_FILE)
