import re
from importlib.resources import files

import pytest

from kdos.evaluate.harness.scores import HARNESS_METRICS, first_gold_answer, format_prompt, score_results

TASKS = sorted((f.name, f.read_text()) for f in files("kdos.evaluate.harness").iterdir() if ".yaml" in f.name)
ROWS = {
    "simpleqa": {"metadata": "{}", "problem": "Which year?", "answer": "1970"},
    "simpleqa_verified": {"problem": "Which year?", "answer": "1970"},
    "popqa": {"question": "Which year?", "possible_answers": '["1970", "70"]'},
    "entityquestions": {"question": "Which year?", "answers": ["1970"]},
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_of_each_benchmark_are_asked_and_scored(name):
    row = ROWS[name]
    assert format_prompt(row) == "Question: Which year?\nAnswer:"
    assert first_gold_answer(row) == "1970"
    assert score_results(row, [" 1970"]) == dict.fromkeys(HARNESS_METRICS, 1.0)
    assert score_results(row, ["in 1971"])["correct"] == 0.0


def test_there_is_a_task_for_each_benchmark_that_the_harness_lacks():
    assert [name for name, _ in TASKS] == [f"{name}.yaml" for name in sorted(ROWS)]


@pytest.mark.parametrize(("name", "text"), TASKS)
def test_tasks_name_functions_and_metrics_that_exist(name, text):
    assert f"task: kdos_{name.removesuffix('.yaml')}\n" in text
    assert set(re.findall(r"!function scores\.(\w+)", text)) == {"format_prompt", "first_gold_answer", "score_results"}
    assert tuple(re.findall(r"metric: (\w+)", text)) == HARNESS_METRICS
