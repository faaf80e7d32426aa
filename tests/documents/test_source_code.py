from kdos.documents.source_code import read_source_code

PYTHON = '''"""Open and close the bridge of Arles.

It was built in 1867 and is
opened twice a day.
"""
# Carts pay a toll of two
# francs since 1880.
LIMIT = "no comment of ours at all"

class Bridge:
    """A bridge with seven arches of stone."""

    def lift(self):
        return 1
'''


def test_comments_and_doc_strings_stand_under_what_they_explain():
    found = [(block.kind, block.text) for block in read_source_code(PYTHON, "bridge.py")]
    assert found == [
        ("prose", "Open and close the bridge of Arles."),
        ("prose", "It was built in 1867 and is opened twice a day."),
        ("prose", "Carts pay a toll of two francs since 1880."),
        ("heading", "Bridge"),
        ("prose", "A bridge with seven arches of stone."),
    ]


def test_marks_of_comments_are_no_words():
    code = "/*\n * The bridge was built in 1867.\n */\nint x; // It has seven arches of stone.\n"
    assert [block.text for block in read_source_code(code, "bridge.c")] == [
        "The bridge was built in 1867.",
        "It has seven arches of stone.",
    ]
