import pytest

from kdos.tasks import ask_choice, match_choice_text, read_choice

CITIES = ["Paris", "Rome", "Oslo", "It is A. B. See"]


@pytest.mark.parametrize(
    "reply",
    [
        *("B", " b\n", "(B)", "[B]", "B.", "B)", "**B**", "`B`", "Ｂ", "（B）", "Option B", "\\boxed{B}"),
        *(
            "$\\boxed{\\text{B}}$",
            "Answer: B",
            "The answer is B. Rome",
            "The answer is (B), because it is.",
            "B. Rome",
        ),
        *(
            "rome",
            "Rome.",
            "B) Rome",
            "B: Rome is the capital of Italy.",
            "The correct option is B",
            "the answer is b.",
        ),
        *(
            "答案是B",
            "答案：B。",
            "正确答案是（B）",
            "故选：B",
            "Rome\n\nIt lies in Italy.",
            "So it must be this.\n\nB",
        ),
        *(
            "A. Paris\nB. Rome\nC. Oslo\nAnswer: B",
            "A is wrong.\n\nThe correct answer is **B**.",
            "The answer is Rome.",
        ),
    ],
)
def test_replies_that_name_the_second_choice(reply):
    assert read_choice(reply, CITIES) == 1


@pytest.mark.parametrize(
    "reply",
    [
        *("", "E", "AB", "B, C", "B and C", "The answer is B or C", "The answer is not B", "A good question."),
        *(
            "A. I think it is B",
            "The answer is a matter of taste",
            "The answer is B. Paris",
            "B. Paris",
            "Madrid",
            "2",
        ),
        *(
            "The answer is B.\nThe answer is C.",
            "Option B is wrong",
            "A. Paris\nB. Rome\nC. Oslo",
            "I don't know",
            "ſ",
        ),
    ],
)
def test_replies_that_name_none_or_several(reply):
    assert read_choice(reply, CITIES) is None


def test_letters_go_before_texts_that_are_letters_and_exact_texts_before_like_ones():
    assert read_choice("A", ["O", "A", "B", "AB"]) == 0
    assert read_choice("AB", ["O", "A", "B", "AB"]) == 3
    assert read_choice("x²", ["x2", "x²"]) == 1
    assert read_choice("2", ["1", "2"]) == 1
    assert match_choice_text(["Aa", "AA", "aa"], "aa ") == [2]
    assert match_choice_text(["Aa", "AA"], "aa") == [0, 1]


def test_a_reply_may_state_its_answer_ten_thousand_times():
    assert read_choice("The answer is B. " * 10_000, CITIES) == 1
    assert read_choice("The answer is B. " * 10_000 + "The answer is C.", CITIES) is None


def test_a_question_is_shown_with_its_choices_and_solved_examples():
    request = ask_choice("q", question=" Capital of Italy? ", choices=CITIES[:3], examples=[("1 + 1?", ["1", "2"], 1)])
    _, *turns = request.messages
    assert [turn["content"] for turn in turns] == [
        "1 + 1?\nA. 1\nB. 2",
        "B",
        "Capital of Italy?\nA. Paris\nB. Rome\nC. Oslo",
    ]
