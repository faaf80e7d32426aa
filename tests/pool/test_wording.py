"""The words of a sentence: read in parts that are remembered, as by one slow expression."""

import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from kdos.pool.wording import STOP_WORDS, WORD_CACHE_SIZE, _WordCache, read_sentence_words, stem_word


def slowly(sentence):
    """The words, the names and the order, by one expression over the whole sentence."""
    plain = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", sentence))
    text = sentence if sentence.isascii() else unicodedata.normalize("NFKC", plain.replace("ı", "i"))
    found = list(re.finditer(r"\d+(?:,\d{3})+\b|\w+(?:[.'’&]\w+)*[+#]*", text))
    cased = any(word[0][0].islower() for word in found)
    order, names = [], []
    for word in found:
        start, lowered = word.start(), word[0].casefold()
        if re.search(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]", word[0]):
            order += [word[0][at : at + 2] for at in range(max(1, len(word[0]) - 1))]
            continue
        capital = cased and start > 0 and lowered != word[0]
        if lowered in STOP_WORDS and not (capital and text[start - 2] not in ":.?!"):
            continue
        order.append(stem_word(lowered))
        quoted = start > 0 and text[start - 1] in "`'\"“‘«"
        if capital or quoted or not word[0].isalpha():
            names.append(stem_word(lowered))
    return tuple(order), frozenset(names)


PIECES = [
    *("The", "the", "Beatles", "C++", "1,000", "U.K.", "it's", "'quoted", "“The", "É", "中文字"),
    *("İ", "os.path", "ﬁne", "WHO", "end.", "?", "\n", "  ", "-", "x", "Of", "½", "_a"),
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=12), st.sampled_from(" -\n"))
def test_words_are_read_part_by_part_as_they_would_be_all_at_once(pieces, between):
    sentence = between.join(pieces)
    wording = read_sentence_words(sentence)
    assert (wording.order, wording.names) == slowly(sentence)
    assert wording.words == frozenset(wording.order)


def test_words_that_were_forgotten_are_read_again():
    parts = _WordCache()
    first = parts["Beatles."]
    for number in range(WORD_CACHE_SIZE):
        assert parts[f"w{number}"]
    assert len(parts) <= WORD_CACHE_SIZE
    assert parts["Beatles."] == first
