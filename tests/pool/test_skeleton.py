"""What is left of a wording once names, numbers and quotations are masked."""

import pytest

from kdos.pool.skeleton import SKELETON_CHARS, read_skeleton


@pytest.mark.parametrize(
    ("text", "skeleton"),
    [
        ("The parameter `type` of `cgi.print_exception` has the default value `None`.",
         "the parameter _ of _ has the default value _."),
        ("Vinson Massif is located in the continent of Antarctica.", "_ is located in the continent of _."),
        ("Was the U.S. Army founded by George Washington?", "was the _ founded by _?"),
        ("Paris, London and Rome were founded in 52 BC, 43 and 753.", "_ and _ were founded in _ and _."),
        ("The spouse of José Ángel is “the other one”.", "the spouse of _ is _."),
        ("don't say it's hers", "don't say it's hers"),
        ("《论语》是孔子在公元前500年写的Python书。", "_是孔子在公元前_年写的_书。"),
        ("", ""),
    ],
)  # fmt: skip
def test_names_numbers_and_quotations_are_masked(text, skeleton) -> None:
    assert read_skeleton(text) == skeleton


def test_long_texts_are_read_from_their_beginning() -> None:
    beginning = "so it goes on " * SKELETON_CHARS
    assert read_skeleton(beginning + "until Rome") == read_skeleton(beginning + "for 10 years")
