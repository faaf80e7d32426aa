import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.embed import LexicalEmbedder, StaticEmbedder, note_unknown_script

READ_IN_WORDS = {
    "English": "The bridge across the river was opened by the mayor in 1907.",
    "German": "Die Brücke über den Fluss wurde vom Bürgermeister eröffnet.",
    "Russian": "Мост через реку был открыт в начале прошлого века.",
    "Polish": "Most na rzece został otwarty przez burmistrza miasta.",
    "Python": "`re.compile(pattern, flags=0)` returns a Pattern; flags defaults to 0.",
    "digits": "1907, 12.5, 3",
}
READ_IN_LETTERS = {
    "Chinese": "这座桥于一九〇七年由市长开通。",
    "Japanese": "この橋は市長によって開通した。",
    "Korean": "이 다리는 시장이 개통하였다.",
    "Arabic": "افتتح رئيس البلدية الجسر فوق النهر.",
    "Greek": "Η γέφυρα πάνω από τον ποταμό άνοιξε από τον δήμαρχο.",
    "Hindi": "नदी पर बना पुल महापौर ने खोला था।",
    "Thai": "สะพานข้ามแม่น้ำเปิดโดยนายกเทศมนตรี",
}
SCRIPTS = {
    "Chinese": "CJK",
    "Japanese": "Hiragana",
    "Korean": "Hangul",
    "Arabic": "Arabic",
    "Greek": "Greek",
    "Hindi": "Devanagari",
    "Thai": "Thai",
}


@given(st.lists(st.text(max_size=30), max_size=6), st.integers(0, 6))
def test_a_vector_depends_on_its_own_text_alone(texts: list[str], cut: int) -> None:
    embedder = StaticEmbedder()
    whole = embedder.embed(texts)
    assert whole.shape == (len(texts), 256)
    assert np.isfinite(whole).all()
    parts = np.concatenate([embedder.embed(texts[:cut]), embedder.embed(texts[cut:])])
    assert whole.tobytes() == parts.tobytes()


def test_half_a_surrogate_pair_is_a_text_like_any_other() -> None:
    assert np.isfinite(StaticEmbedder().embed(["a \ud800 b", "\udfff"])).all()


def test_other_words_for_a_fact_are_nearer_than_another_fact_in_the_same_words() -> None:
    facts = [
        ("Marie Curie was born in Warsaw.", "Warsaw is the birthplace of Marie Curie."),
        ("Isaac Newton was born in Woolsthorpe.", "The birthplace of Isaac Newton is Woolsthorpe."),
        ("Ada Lovelace was born in London.", "It was London where Ada Lovelace came into the world."),
    ]
    vectors = StaticEmbedder().embed([wording for fact in facts for wording in fact])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    assert (cosines.argmax(1) == np.arange(6) ^ 1).all()


@pytest.mark.parametrize("language", READ_IN_WORDS)
def test_nothing_is_said_of_a_script_that_is_read_in_words(language: str) -> None:
    assert note_unknown_script(StaticEmbedder(), [READ_IN_WORDS[language]]) is None


@pytest.mark.parametrize("language", READ_IN_LETTERS)
def test_a_script_that_is_read_in_letters_is_named_in_one_line(language: str) -> None:
    note = note_unknown_script(StaticEmbedder(), [READ_IN_LETTERS[language]] * 3000)
    assert note
    assert "`embed: lexical`" in note
    assert f"{SCRIPTS[language]} (" in note
    assert "\n" not in note


def test_a_script_beside_others_is_named_and_those_that_are_known_are_not() -> None:
    note = note_unknown_script(StaticEmbedder(), [READ_IN_WORDS["English"]] * 4 + [READ_IN_LETTERS["Greek"]])
    assert note
    assert "Greek (" in note
    assert "Latin" not in note
    few = [READ_IN_WORDS["English"]] * 40 + [READ_IN_LETTERS["Greek"]]
    assert note_unknown_script(StaticEmbedder(), few) is None


def test_embedders_that_know_every_script_say_nothing_of_it() -> None:
    texts = list(READ_IN_LETTERS.values())
    assert note_unknown_script(LexicalEmbedder.fit(texts), texts) is None
