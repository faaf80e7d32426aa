import pytest

from kdos.pool.quotes import find_whole_span, is_cut


@pytest.mark.parametrize(
    ("part", "text", "cut"),
    [
        ("ABC O", "It was bought by ABC O&O.", True),
        ("Johnson", "Johnson & Johnson was founded in 1886.", True),
        ("Procter", "It is of Procter & Gamble.", True),
        ("Procter & Gamble", "It is of Procter & Gamble.", False),
        ("Paris", "It was in Paris, then.", False),
        ("19", "It was in 1967.", True),
        ("北京", "北京是中国的首都。", False),
    ],
)
def test_a_piece_of_a_name_is_told(part, text, cut):
    start = text.index(part)
    assert is_cut(text, start, start + len(part)) == cut


def test_the_first_whole_place_is_found():
    assert find_whole_span("4", "In 1944 there were 4 of them.") == (19, 20)
    assert find_whole_span("ABC O", "It is ABC O&O.") is None
    assert find_whole_span(" ", "It is.") is None
