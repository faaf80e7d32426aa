"""Fourteen layouts of rows, read by six commands: one resolver, which says the field it took."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kdos.api import export, extract, graph
from kdos.config import SourceConfig
from kdos.errors import InputError, UsageError
from kdos.evaluate import find_benchmark_fields, open_benchmark
from kdos.pool import Refusal, Seed
from kdos.rows import find_fields
from kdos.rows.dataset import open_dataset
from kdos.rows.fields import value_at_path
from kdos.seed.questions import open_questions
from kdos.verify import read_question_rows, resolve_fields

Q, A = "Who opened the Harrow Bridge?", "Tessa Varnholt"
SYSTEM = {"role": "system", "content": "You are helpful."}


class Layout(NamedTuple):
    """Rows of one layout; the field of the text, and of question and answer where there are such."""

    rows: list[dict[str, Any]]
    text: str
    question: str = ""
    answers: str = ""
    suffix: str = ".jsonl"
    asked: str = Q
    said: str | None = None
    """What the text field reads as, where it is not the question."""


def turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


TASK = {"instruction": "Answer the question.", "input": Q, "output": A}
TALK = [SYSTEM, turn("user", Q), turn("assistant", A), turn("user", "Thanks!"), turn("assistant", "Gladly.")]
SQUAD = {"title": "Bridge", "paragraphs": [{"context": f"{A} opened it.", "qas": [
    {"id": f"q{n}", "question": Q, "answers": [{"text": A, "answer_start": 0}]} for n in (1, 2)]}]}  # fmt: skip
LAYOUTS = {
    "plain text": Layout([{"text": Q}], "text"),
    "question and answer": Layout([{"question": Q, "answer": A}], "question", "question", "answer"),
    "question and answers": Layout([{"question": Q, "answers": [A, "Tessa"]}], "question", "question", "answers"),
    "Alpaca, task in the instruction": Layout(
        [{"instruction": Q, "input": "", "output": A}], "instruction", "instruction", "output"
    ),
    "Alpaca, task in the input": Layout(
        [TASK, TASK | {"input": ""}],
        *("instruction + input", "instruction + input", "output"),
        asked=f"Answer the question.\n\n{Q}",
    ),
    "ShareGPT": Layout(
        [{"conversations": [{"from": "human", "value": Q}, {"from": "gpt", "value": A}]}],
        *("conversations.value", "conversations[user][0].value", "conversations[assistant][0].value"),
        said=f"{Q}\n\n{A}",
    ),
    "OpenAI messages": Layout(
        [{"messages": TALK}],
        *("messages[user,assistant].content", "messages[user][0].content", "messages[assistant][0].content"),
        said=f"{Q}\n\n{A}\n\nThanks!\n\nGladly.",
    ),
    "TRL prompt and completion": Layout([{"prompt": Q, "completion": A}], "prompt", "prompt", "completion"),
    "TRL conversational": Layout(
        [{"prompt": [turn("user", Q)], "completion": [turn("assistant", A)]}],
        *("prompt.content", "prompt[user][-1].content", "completion[assistant][-1].content"),
    ),
    "preferences": Layout([{"prompt": Q, "chosen": A, "rejected": "Nobody"}], "prompt", "prompt", "chosen"),
    "preferences, conversational": Layout(
        [{"chosen": [turn("user", Q), turn("assistant", A)], "rejected": [turn("user", Q), turn("assistant", "No")]}],
        *("chosen.content", "chosen[user][-1].content", "chosen[assistant][-1].content"),
        said=f"{Q}\n\n{A}",
    ),
    "SQuAD, flat": Layout(
        [{"id": "1", "question": Q, "context": f"{A} opened it.", "answers": {"text": [A], "answer_start": [0]}}],
        *("question", "question", "answers.text"),
    ),
    "SQuAD, nested": Layout([SQUAD], "question", "question", "answers.text", suffix=".json"),
    "multiple choice": Layout(
        [{"question": Q, "choices": ["Ida", A], "answer": 1}, {"question": Q, "choices": [A, "Ida"], "answer": 0}],
        *("question", "question", "choices[answer]"),
    ),
}  # fmt: skip
# Of the kinds of multiple choice each has its own way to name the right one.
CHOICES = {
    "choices[answer]": {"choices": [A, "Ida"], "answer": "A"},
    "choices.text[answerKey]": {"choices": {"text": ["Ida", A], "label": ["1", "2"]}, "answerKey": "2"},
    "options[answer]": {"options": {"A": "Ida", "B": A}, "answer": "B"},
    "(A, B, C, D)[Answer]": {"A": "Ida", "B": "Bo", "C": A, "D": "Cy", "Answer": "C"},
    "(opa, opb, opc, opd)[cop]": {"opa": "Ida", "opb": A, "opc": "Bo", "opd": "Cy", "cop": 1},
    "(option1, option2)[answer]": {"option1": "Ida", "option2": A, "answer": "2"},
    "endings[label]": {"endings": ["Ida", A, "Bo"], "label": "1"},
    "options[answer_idx]": {"options": ["Ida", A], "answer_idx": "(B)"},
    "choices[label-1]": {"choices": ["Ida", A], "label": 2},
    "answer": {"choices": ["Ida", A], "answer": A},
}
ALL = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def write(folder: Path, layout: Layout) -> Path:
    path = folder / f"rows{layout.suffix}"
    rows = layout.rows
    path.write_text(
        json.dumps({"data": rows}) if layout.suffix == ".json" else "\n".join(map(json.dumps, rows)) + "\n"
    )
    return path


@ALL
def test_density_measures_the_text_and_says_its_field(tmp_path: Path, layout: Layout) -> None:
    dataset = open_dataset(str(write(tmp_path, layout)))
    assert dataset.field == layout.text
    texts = [text for batch in dataset.read_batches() for text in batch.texts or ()]
    assert texts[0] == (layout.said or layout.asked)


@ALL
def test_select_reads_the_same_rows_whole(tmp_path: Path, layout: Layout) -> None:
    dataset = open_dataset(str(write(tmp_path, layout)))
    rows = [row for batch in dataset.read_whole_rows() for row in batch.to_pylist()]
    assert len(rows) == sum(len(batch.usable) for batch in dataset.read_batches())
    if layout.suffix == ".jsonl":
        assert rows == layout.rows


@ALL
def test_verify_reads_question_and_answer(tmp_path: Path, layout: Layout) -> None:
    path = write(tmp_path, layout)
    if not layout.question:
        with pytest.raises(UsageError, match=r"a field must hold the question\. There are: text\. Give --question"):
            resolve_fields(path, {})
        return
    fields = resolve_fields(path, {})
    assert (fields.question, fields.answers) == (layout.question, layout.answers)
    draft = next(iter(read_question_rows(path, fields))).draft
    assert (draft.question, draft.answer) == (layout.asked, A)


@ALL
def test_extract_adds_to_them_what_they_say(tmp_path: Path, layout: Layout) -> None:
    if not layout.question:
        with pytest.raises(UsageError, match=r"a field must hold the question\. There are: text\. Give --question"):
            extract(write(tmp_path, layout), tmp_path / "out.jsonl")
        return
    summary = extract(write(tmp_path, layout), tmp_path / "out.jsonl")
    assert (summary["fields"]["question"], summary["fields"]["answers"]) == (layout.question, layout.answers)
    for line in (tmp_path / "out.jsonl").read_text().splitlines():
        assert A in json.loads(line)["knowledge_points"][0]


@ALL
def test_export_makes_prompts_and_completions_of_them(tmp_path: Path, layout: Layout) -> None:
    if not layout.question:
        with pytest.raises(UsageError, match=r"a field must hold the question\. There are: text\. Give --question"):
            export(write(tmp_path, layout), "trl", tmp_path / "out")
        assert export(write(tmp_path, layout), "text", tmp_path / "out")["fields"] == {"text": "text"}
        return
    summary = export(write(tmp_path, layout), "trl", tmp_path / "out")
    assert summary["fields"] == {"question": layout.question, "answers": layout.answers}
    row = json.loads((tmp_path / "out/prompt_completion/train.jsonl").read_text().splitlines()[0])
    assert row == {"prompt": layout.asked + "\n", "completion": A}


@ALL
def test_graph_reads_the_knowledge_points_beside_them(tmp_path: Path, layout: Layout) -> None:
    path = write(tmp_path, layout)
    with pytest.raises(InputError, match=r"must hold a list of knowledge points .* There are: .* with --field"):
        graph(path)
    points = {"knowledge_points": [f"{A} opened the bridge.", "It crosses the Ousel."]}
    if layout.suffix == ".json":
        asked = [{**one, **points} for one in SQUAD["paragraphs"][0]["qas"]]
        rows = [SQUAD | {"paragraphs": [SQUAD["paragraphs"][0] | {"qas": asked}]}]
    else:
        rows = [row | points for row in layout.rows]
    found = graph(write(tmp_path, layout._replace(rows=rows)))
    assert (found.field, found.structure["kps"]) == ("knowledge_points", 2)


@ALL
def test_a_run_of_kind_qa_takes_them_as_seeds(tmp_path: Path, layout: Layout) -> None:
    settings = SourceConfig("qa", str(write(tmp_path, layout)))
    if not layout.question:
        with pytest.raises(InputError, match=r"no field holds the question\. There are: text\. Set source\.question"):
            list(open_questions(settings))
        return
    found = list(open_questions(settings))
    seed = next(one for one in found if isinstance(one, Seed))
    assert (seed.question, seed.answers[0]) == (layout.asked, A)
    assert not any(isinstance(one, Refusal) for one in found)


@ALL
def test_evaluate_asks_them(tmp_path: Path, layout: Layout) -> None:
    path = write(tmp_path, layout)
    if not layout.question:
        with pytest.raises(InputError, match=r"line 1, field question: must be text\. There are: text"):
            open_benchmark(str(path))
        return
    fields = find_benchmark_fields(str(path))
    assert (fields["question"], fields["answers"]) == (layout.question, layout.answers)
    question = open_benchmark(str(path))[0]
    assert (question.question, question.answers[0]) == (layout.asked, A)


@pytest.mark.parametrize(("field", "row"), CHOICES.items(), ids=CHOICES)
def test_the_answer_of_a_multiple_choice_is_a_text(field: str, row: dict[str, Any]) -> None:
    row = {"question": Q, **row}
    found = find_fields([row], ["question", "answers"])
    assert found == {"question": "question", "answers": field}
    assert value_at_path(row, found["answers"]) == A


TURNS = [{"role": "user", "content": "Who sang it?"}, {"role": "assistant", "content": "Ida"}]


@pytest.mark.parametrize(
    ("turns", "question", "answer"),
    [
        ([{"role": "assistant", "content": "Hello!"}, *TURNS], "messages[user][0].content", "Ida"),
        (
            [{"role": one["role"], "content": [{"type": "text", "text": one["content"]}]} for one in TURNS],
            "messages[user][0].content.text",
            ["Ida"],
        ),
    ],
    ids=["a greeting first", "content in parts"],
)
def test_the_answer_is_what_the_assistant_says_to_the_question(
    turns: list[dict[str, Any]], question: str, answer: Any
) -> None:
    row = {"messages": turns}
    fields = find_fields([row], ("question", "answers"))
    assert fields["question"] == question
    assert value_at_path(row, fields["answers"]) == answer


def test_a_choice_that_is_not_there_is_none() -> None:
    row = {"choices": ["Ida", "Bo"], "answer": -1, "key": "E", "flag": True}
    assert [value_at_path(row, f"choices[{key}]") for key in ("answer", "key", "flag", "none")] == [None] * 4
    assert value_at_path(row, "messages[user][0].content") is None


def test_fields_that_are_given_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": "no", "title": "Bridge", "year": 1884, "note": None}) + "\n")
    dataset = open_dataset(str(path), "title + year + note")
    assert [batch.texts for batch in dataset.read_batches()] == [["Bridge\n\n1884"]]
    with pytest.raises(InputError, match=r"field yeer: no such field\. There are: text, title, year"):
        list(open_dataset(str(path), "title + yeer").read_batches())


def test_a_field_that_is_empty_in_the_first_rows_is_found(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"text": None, "id": n} for n in range(150)] + [{"text": Q, "id": 150}]
    path.write_text("\n".join(map(json.dumps, rows)))
    dataset = open_dataset(str(path))
    assert dataset.field == "text"
    assert [text for batch in dataset.read_batches() for text in batch.texts or ()] == [Q]
