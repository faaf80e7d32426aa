"""Tables of examinations as people have them: the choices, and the right one or why there is none."""

import csv
import json

import pytest

from kdos.evaluate import find_benchmark_fields, open_benchmark
from kdos.rows import read_choices

Q = "Which city is the capital of Italy?"
CITIES = ["Oslo", "Rome", "Bern"]
# Each names Rome, the second of the choices.
LAYOUTS = {
    "an index": [{"choices": CITIES, "answer": 1}],
    "an index as text": [{"choices": CITIES, "answer": "1"}],
    "an index that gaps made a float": [{"choices": CITIES, "answer": 1.0}],
    "a letter": [{"choices": CITIES, "answer": "B"}],
    "a small letter in brackets": [{"choices": CITIES, "answer": "(b)"}],
    "a name of an option": [{"choices": CITIES, "answer": "option_b"}],
    "a text": [{"choices": CITIES, "answer": "Rome"}],
    "a text in another case, with spaces": [{"choices": CITIES, "answer": "  rome "}],
    "a list of one": [{"choices": CITIES, "answer": [1]}],
    "answers beside an index": [{"choices": CITIES, "answer_index": 1, "answers": ["Rome"]}],
    "ARC": [{"choices": {"text": CITIES, "label": ["A", "B", "C"]}, "answerKey": "B"}],
    "ARC, labels from 1": [{"choices": {"text": CITIES, "label": ["1", "2", "3"]}, "answerKey": "2"}],
    "ARC, a struct a choice": [
        {"options": [{"label": label, "text": text} for label, text in zip("ABC", CITIES, strict=True)], "answer": "B"}
    ],
    "a dict of options": [{"options": dict(zip("ABC", CITIES, strict=True)), "answer": "B"}],
    "a dict, with room for more": [{"options": {**dict(zip("ABC", CITIES, strict=True)), "D": None}, "answer": "B"}],
    "columns": [dict(zip("ABC", CITIES, strict=True)) | {"Answer": "B"}],
    "columns, with room for more": [dict(zip("ABC", CITIES, strict=True)) | {"D": "", "E": None, "answer": "B"}],
    "letters before the choices": [{"options": ["A) Oslo", "B) Rome", "C) Bern"], "correct": "B"}],
    "letters before the choices and the answer": [
        {"options": ["A) Oslo", "B) Rome", "C) Bern"], "answer": answer} for answer in ("B) Rome", "C) Bern")
    ],
    "letters before the choices alone": [
        {"options": ["A) Oslo", "B) Rome", "C) Bern"], "answer": answer} for answer in ("Rome", "C) Bern", "A) Oslo")
    ],
    "numbers that count from 1": [{"choices": CITIES, "answer": 2}, {"choices": CITIES, "answer": 3}],
    "mostly texts": [{"choices": CITIES, "answer": answer} for answer in ("B", "Bern", "Oslo")],
    "mostly numbers": [{"choices": CITIES, "answer": answer} for answer in (1, 0, "Oslo")],
    "two that are alike, and neither right": [{"choices": ["Oslo", "Rome", "Oslo"], "answer": 1}],
}


def written(folder, rows, name="rows.jsonl"):
    path = folder / name
    path.write_text("".join(json.dumps({"question": Q, **row}) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("rows", LAYOUTS.values(), ids=LAYOUTS)
def test_the_right_choice_is_found_in_every_layout(tmp_path, rows):
    first, *_ = open_benchmark(written(tmp_path, rows))
    assert (first.right, first.answers, first.fault) == (1, ("Rome",), "")
    assert first.choices[:2] == ("Oslo", "Rome")
    assert len(first.choices) == len(CITIES)


@pytest.mark.parametrize("cell", ['["Oslo", "Rome", "It\'s Bern"]', """['Oslo', 'Rome', "It's Bern"]"""])
def test_a_cell_may_hold_all_choices(tmp_path, cell):
    write_csv(tmp_path / "exam.csv", [["question", "choices", "answer"], [Q, cell, "1"], [Q, cell, "0"]])
    found = open_benchmark(str(tmp_path / "exam.csv"))
    assert [one.answers for one in found] == [("Rome",), ("Oslo",)]
    assert found[0].choices == ("Oslo", "Rome", "It's Bern")


@pytest.mark.parametrize("cell", ["[" * 9_000 + "]", "['Oslo' + 'Rome', __import__('os')]", "[not a list]", "{}"])
def test_a_cell_that_is_no_list_is_a_text(tmp_path, cell):
    write_csv(tmp_path / "exam.csv", [["question", "choices", "answer"], [Q, cell, "Rome"]])
    (found,) = open_benchmark(str(tmp_path / "exam.csv"))
    assert (found.choices, found.answers) == ((), ("Rome",))


@pytest.mark.parametrize("count", range(2, 11))
def test_two_to_ten_choices(tmp_path, count):
    texts = [f"text {n}" for n in range(count)]
    rows = [{"choices": texts, "answer": "ABCDEFGHIJ"[count - 1]}, {"choices": texts, "answer": "A"}]
    found = open_benchmark(written(tmp_path, rows))
    assert [one.right for one in found] == [count - 1, 0]
    columns = [dict(zip("ABCDEFGHIJ", texts, strict=False)) | {"answer": "ABCDEFGHIJ"[count - 1]}]
    (found,) = open_benchmark(written(tmp_path, columns, "columns.jsonl"))
    assert (found.right, len(found.choices)) == (count - 1, count)


# Choices that are numbers or letters themselves.
def test_a_number_is_a_place_though_choices_are_numbers(tmp_path):
    found = open_benchmark(written(tmp_path, [{"choices": ["4", "1", "2", "0"], "answer": 1}] * 2))
    assert [one.answers for one in found] == [("1",), ("1",)]
    rows = [{"choices": ["4", "2", "1", "0"], "answer": 1}, {"choices": ["a", "b", "c", "d"], "answer": 2}]
    assert [one.right for one in open_benchmark(written(tmp_path, rows, "more.jsonl"))] == [1, 2]


def test_a_letter_is_a_place_where_other_rows_have_letters(tmp_path):
    rows = [{"choices": ["O", "A", "B", "AB"], "answer": "A"}, {"choices": CITIES, "answer": "B"}]
    assert [one.answers for one in open_benchmark(written(tmp_path, rows))] == [("O",), ("Rome",)]


def test_numbers_that_are_all_texts_of_choices_are_texts(tmp_path):
    rows = [{"choices": ["21", "24", "27"], "answer": "24"}, {"choices": [3, 4, 5], "answer": "3"}]
    assert [one.right for one in open_benchmark(written(tmp_path, rows))] == [1, 0]
    rows = [{"choices": [1, 2, 3], "answer": 3}, {"choices": [11, 12, 13], "answer": 12}]
    assert [one.right for one in open_benchmark(written(tmp_path, rows, "ints.jsonl"))] == [2, 1]


def test_one_row_of_many_shows_that_numbers_count_from_1(tmp_path):
    rows = [{"choices": CITIES, "answer": 1 + n % 2} for n in range(150)] + [{"choices": CITIES, "answer": 3}]
    path = written(tmp_path, rows)
    assert [one.right for one in open_benchmark(path)][-3:] == [0, 1, 2]
    assert find_benchmark_fields(path)["answers"] == "choices[answer-1]"


FAULTS = {
    "no answer": ({"choices": CITIES}, "no_gold_answer"),
    "nothing as an answer": ({"choices": CITIES, "answer": None}, "no_gold_answer"),
    "out of range": ({"choices": CITIES, "answer": 7}, "answer_is_no_choice: '7' of 3 choices"),
    "just out of range": ({"choices": CITIES, "answer": 3}, "answer_is_no_choice: '3' of 3 choices"),
    "below 0": ({"choices": CITIES, "answer": -1}, "answer_is_no_choice: '-1' of 3 choices"),
    "of more digits than numbers have": ({"choices": CITIES, "answer": int("9" * 90)}, "answer_is_no_choice"),
    "another text": ({"choices": CITIES, "answer": "Paris"}, "answer_is_no_choice: 'Paris' of 3 choices"),
    "a text that two choices have": ({"choices": ["Oslo", "Rome", "rome"], "answer": "ROME"}, "ambiguous_answer"),
    "several": ({"choices": CITIES, "answer": [0, 1]}, "several_right_choices: 2"),
    "one choice": ({"choices": ["Rome"], "answer": 0}, "not_2_to_26_choices: 1"),
    "no choices": ({"choices": [], "answer": 0}, "not_2_to_26_choices: 0"),
    "no such field": ({"answer": 0}, "not_2_to_26_choices: 0"),
    "too many": ({"choices": [str(n) for n in range(27)], "answer": 0}, "not_2_to_26_choices: 27"),
    "an empty choice at the end": ({"choices": ["Oslo", "Rome", ""], "answer": 0}, "empty_choice: C"),
    "an empty choice": ({"choices": ["Oslo", " ", "Bern"], "answer": 0}, "empty_choice: B"),
    "a truth": ({"choices": CITIES, "answer": True}, "answer_is_no_choice"),
}


@pytest.mark.parametrize(("row", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_row_that_cannot_be_scored_says_why(tmp_path, row, fault):
    good = [{"choices": CITIES, "answer": 0}, {"choices": CITIES, "answer": 1}]
    *others, found = open_benchmark(written(tmp_path, [*good, row]))
    assert [one.right for one in others] == [0, 1]
    assert (found.right, found.answers) == (None, ())
    assert found.fault.startswith(fault)


def test_reading_a_row_leaves_it_as_it_was():
    row = {"options": ["Oslo", "Rome", None], "answer": "B"}
    assert read_choices(row, "options", "options[answer]").texts == ("Oslo", "Rome")
    assert row["options"] == ["Oslo", "Rome", None]


def test_subjects_and_disciplines_go_by_many_names(tmp_path):
    row = {"choices": CITIES, "answer": 1}
    for fields, subject, discipline in [
        ({"subject": "geography", "category": "humanities"}, "geography", "humanities"),
        ({"subject_name": "geography"}, "geography", ""),
        ({"discipline": "science", "subfield": "physics"}, "physics", "science"),
        ({"category": "law"}, "law", ""),
        ({"subject": "geography", "relation": "P36"}, "geography", ""),
    ]:
        (found,) = open_benchmark(written(tmp_path, [row | fields]))
        assert (found.group, found.discipline) == (subject, discipline)


def test_a_subject_of_an_open_question_is_none(tmp_path):
    (found,) = open_benchmark(written(tmp_path, [{"answers": ["Rome"], "subject": "Italy"}]))
    assert (found.group, found.choices) == ("", ())


def test_candidates_that_hold_no_answer_make_no_examination(tmp_path):
    row = {"candidates": ["Florence", "Turin"], "answer": "Rome"}
    (found,) = open_benchmark(written(tmp_path, [row]))
    assert (found.choices, found.answers) == ((), ("Rome",))


def write_csv(path, rows):
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)


def test_the_folder_of_mmlus_authors_has_a_file_a_subject_and_no_header(tmp_path):
    for subject in ("anatomy", "world_religions"):
        rows = [[f"{Q} Of {subject}, it is said {n}, name the one.", *CITIES, "Lima", "BCAD"[n]] for n in range(4)]
        write_csv(tmp_path / f"{subject}_test.csv", rows)
    found = open_benchmark(str(tmp_path))
    assert len(found) == len({one.id for one in found}) == 8
    assert [(one.group, one.right) for one in found[:2]] == [("anatomy", 1), ("anatomy", 2)]
    assert found[-1].group == "world_religions"
    assert found[0].choices == (*CITIES, "Lima")


def test_the_folder_of_cmmlus_authors_has_a_file_a_subject(tmp_path):
    for subject in ("agronomy", "anatomy"):
        rows = [
            ["", "Question", "A", "B", "C", "D", "Answer"],
            ["0", "首都是哪里", "奥斯陆", "罗马", "伯尔尼", "利马", "B"],
        ]
        write_csv(tmp_path / f"{subject}.csv", rows)
    found = open_benchmark(str(tmp_path))
    assert [(one.group, one.question, one.answers) for one in found] == [
        ("agronomy", "首都是哪里", ("罗马",)),
        ("anatomy", "首都是哪里", ("罗马",)),
    ]
