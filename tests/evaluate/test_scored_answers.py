import json

import pytest

from kdos.causal_lm import AnswerLoss
from kdos.errors import InputError, UsageError
from kdos.evaluate import (
    compare_evaluations,
    draw_examples,
    grade_answers,
    measure_losses,
    open_benchmark,
    read_evaluation,
    read_given_answers,
    score_given_answers,
    score_model_answers,
    summarise_evaluation,
    write_evaluation,
)
from kdos.scoring import BenchmarkQuestion
from kdos.tasks import Grade, Reply

QUESTIONS = [
    BenchmarkQuestion("a", "Capital of France?", ("Paris",), group="P36"),
    BenchmarkQuestion("b", "Capital of Italy?", ("Rome", "Roma"), group="P36"),
    BenchmarkQuestion("c", "Born where?", ("Oslo",), group="P19"),
    BenchmarkQuestion("d", "Who?", ("Ada Lovelace",), group="P19"),
]


def test_given_answers_are_looked_up_by_id():
    scored = list(score_given_answers(QUESTIONS, {"a": "paris", "b": None, "d": "Grace Hopper"}))
    assert [each.unscored for each in scored] == ["", "no_answer", "no_answer", ""]
    assert scored[0].as_row() == {
        "id": "a",
        "answer": "paris",
        "em": 1.0,
        "f1": 1.0,
        "contains": 1.0,
        "correct": 1.0,
        "attempted": 1.0,
        "group": "P36",
    }
    assert scored[1].as_row() == {"id": "b", "answer": None, "unscored": "no_answer", "group": "P36"}


def test_a_question_without_a_gold_answer_is_unscored():
    (each,) = score_given_answers([BenchmarkQuestion("a", "Q?", ())], {"a": "x"})
    assert each.as_row() == {"id": "a", "answer": "x", "unscored": "no_gold_answer"}


def test_a_model_is_asked_each_question_and_failures_are_unscored():
    sent = []

    def ask(requests):
        requests = list(requests)
        for request in reversed(requests):
            sent.append(request.messages)
            if "Italy" in request.inputs["question"]:
                yield Reply(request, error="timed out after 3 attempts")
            else:
                yield Reply(request, text=" Paris\n")

    scored = list(score_model_answers(QUESTIONS, ask=ask, examples=[("Capital of Spain?", "Madrid")]))
    assert [each.question.id for each in scored] == ["a", "b", "c", "d"]
    assert scored[0].answer == "Paris"
    assert scored[1].as_row()["unscored"] == "no_reply: timed out after 3 attempts"
    chat = sent[-1]
    assert [turn["role"] for turn in chat] == ["system", "user", "assistant", "user"]
    assert [turn["content"] for turn in chat[1:]] == ["Capital of Spain?", "Madrid", "Capital of France?"]


GRADES = {"a": '{"grade": "correct"}', "b": "A", "c": "NOT_ATTEMPTED", "d": "I would say it is right."}


def judge(requests):
    for request in requests:
        yield Reply(request, text=GRADES[request.id.removeprefix("grade/")])


def test_a_grade_that_cannot_be_read_is_unscored_never_a_default():
    given = score_given_answers(QUESTIONS, dict.fromkeys("abcd", "x"))
    scored = list(grade_answers(given, ask=judge))
    assert [each.grade for each in scored] == [Grade.CORRECT, Grade.CORRECT, Grade.NOT_ATTEMPTED, None]
    assert scored[3].as_row()["unscored"].startswith("unreadable_grade: I would say")
    summary = summarise_evaluation(scored, random_seed=0)
    assert (summary["answered"], summary["unscored"]) == (3, 1)
    assert summary["unscored_reasons"] == {"unreadable_grade": 1}
    assert summary["grades"]["correct"] == pytest.approx(2 / 3)
    assert summary["grades"]["correct_of_attempted"] == 1.0
    assert summary["grades"]["f"] == pytest.approx(2 * (2 / 3) * 1 / (2 / 3 + 1))


def test_what_is_unscored_is_not_graded():
    scored = list(grade_answers(score_given_answers(QUESTIONS, {"a": "x"}), ask=judge))
    assert [each.unscored for each in scored[1:]] == ["no_answer"] * 3


def test_the_summary_counts_everything_once_and_weighs_groups_alike():
    scored = list(score_given_answers(QUESTIONS, {"a": "Paris", "b": "Rome", "c": "Bergen", "e": "x"}))
    summary = summarise_evaluation(scored, random_seed=0)
    assert summary["questions"] == summary["answered"] + summary["unscored"] == 4
    assert summary["em"] == pytest.approx(2 / 3)
    assert summary["macro"] == {"groups": 2, "em": 0.5, "f1": 0.5, "contains": 0.5, "correct": 0.5}
    low, high = summary["intervals"]["correct"]
    assert low <= summary["correct"] <= high
    assert summarise_evaluation(scored, random_seed=0) == summary


def test_nothing_scored_has_no_mean():
    summary = summarise_evaluation(list(score_given_answers(QUESTIONS, {})), random_seed=0)
    assert (summary["unscored"], summary["em"], summary["intervals"]) == (4, None, {})


def test_two_models_are_compared_on_what_both_answered(tmp_path):
    folders = []
    for name, answers in {
        "ours": {"a": "Paris", "b": "Rome", "c": "Oslo"},
        "theirs": {"a": "Paris", "b": "Milan", "d": "x"},
    }.items():
        scored = list(score_given_answers(QUESTIONS, answers))
        summary = summarise_evaluation(scored, random_seed=0)
        write_evaluation(tmp_path / name, [m.as_row() for m in scored], summary)
        folders.append(read_evaluation(tmp_path / name))
    found = compare_evaluations(*folders, random_seed=0)
    assert found["questions"] == 2
    assert found["correct"]["difference"] == 0.5
    assert found["correct"]["p_value"] == 1.0
    with pytest.raises(UsageError, match="No question is scored in both"):
        compare_evaluations(folders[0], {}, random_seed=0)
    with pytest.raises(InputError, match=r"must be the folder of an evaluation"):
        read_evaluation(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": "a", "answer": 7}\n', "line 1, field answer: must be text. Got 7"),
        ('{"answer": "x"}\n', "line 1, field id: no such field. There are: answer"),
        ('{"id": "a", "answer": "x"}\n' * 2, "line 2, field id: must not come twice"),
        ("", "must hold at least one answer"),
    ],
)
def test_a_bad_file_of_answers_is_one_clear_line(tmp_path, content, message):
    path = tmp_path / "answers.jsonl"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        read_given_answers(path)
    assert message in str(caught.value)


def test_the_folder_holds_a_row_a_question_in_their_order(tmp_path):
    scored = list(score_given_answers(QUESTIONS, {"c": "Oslo"}))
    write_evaluation(tmp_path / "out", [each.as_row() for each in scored], {"questions": 4})
    rows = [json.loads(line) for line in (tmp_path / "out/scores.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["a", "b", "c", "d"]
    assert json.loads((tmp_path / "out/summary.json").read_text()) == {"questions": 4}


class Model:
    """Finds every answer as unexpected as it is long."""

    def answer_losses(self, pairs):
        assert all(chat[-1]["role"] == "user" for chat, _ in pairs)
        return [AnswerLoss(float(len(answer)), 1) for _, answer in pairs]


def test_losses_are_those_of_the_first_gold_answer():
    scored = list(score_given_answers([*QUESTIONS[:2], BenchmarkQuestion("e", "Q?", ())], {"a": "x", "b": "y"}))
    found = measure_losses(scored, Model())
    assert [each.loss for each in found] == [5.0, 4.0, None]
    assert found[0].as_row()["loss"] == 5.0
    summary = summarise_evaluation(found, random_seed=0)
    assert summary["loss"] == 4.5
    assert summary["loss_interval"][0] <= 4.5 <= summary["loss_interval"][1]


def test_examples_are_drawn_from_what_is_not_asked():
    pool = [BenchmarkQuestion(str(n), f"{n}?", (str(n),)) for n in range(20)]
    drawn = draw_examples(pool, 5, asked=pool[:14], random_seed=1)
    assert drawn == draw_examples(pool, 5, asked=pool[:14], random_seed=1)
    assert {question for question, _ in drawn} <= {f"{n}?" for n in range(14, 20)}
    assert all(question == f"{answer}?" for question, answer in drawn)
    with pytest.raises(UsageError, match=r"--examples must hold 5 questions .*Got 4"):
        draw_examples(pool, 5, asked=pool[:16], random_seed=1)


def test_a_benchmark_pattern_that_would_run_for_ever_leaves_its_question_unscored():
    slow = BenchmarkQuestion("1", "Q?", (), ("(a+)+$",))
    quick = BenchmarkQuestion("2", "Q?", (), ("(a+)+b",))
    scored = list(score_given_answers([slow, quick], {"1": "a" * 5_000 + "!", "2": "xaab"}))
    assert [each.unscored.partition(":")[0] for each in scored] == ["slow_pattern", ""]
    assert scored[1].scores is not None
    assert scored[1].scores.correct == 1


def test_a_benchmark_pattern_that_would_fill_the_memory_is_refused(tmp_path):
    file = tmp_path / "trec.jsonl"
    file.write_text('{"id": "1", "question": "Q?", "answer_regex": "((a{1000}){1000}){1000}"}\n')
    with pytest.raises(InputError, match="counted repeats must come to at most"):
        open_benchmark(str(file))


def test_a_benchmark_pattern_that_is_nested_too_deeply_is_refused(tmp_path):
    file = tmp_path / "deep.jsonl"
    file.write_text('{"id": "1", "question": "Q?", "answer_regex": "' + "(" * 3_000 + "a" + ")" * 3_000 + '"}\n')
    with pytest.raises(InputError, match="nested too deeply"):
        open_benchmark(str(file))
