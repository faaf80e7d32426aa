import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kdos.errors import InputError, UsageError
from kdos.evaluate import evaluation_files, open_benchmark
from kdos.rows import read_answers
from kdos.scoring import BenchmarkQuestion

LAYOUTS = {
    "own.jsonl": {"id": "7", "question": "Q?", "answers": ["A", "B"]},
    "nq-open.dev.jsonl": {"question": "Q?", "answer": ["A", "B"]},
    "hub_webq.jsonl": {"url": "u", "question": "Q?", "answers": ["A", "B"]},
    "webq.json": [{"utterance": "Q?", "url": "u", "targetValue": '(list (description A) (description "B"))'}],
    "trivia.json": {
        "Data": [
            {
                "Question": "Q?",
                "QuestionId": "tc_1",
                "Answer": {"Value": "A", "Aliases": ["A", "B"], "NormalizedAliases": ["a"]},
            }
        ],
        "Version": 1.0,
    },
    "hub_trivia.jsonl": {
        "question_id": "tc_1",
        "question": "Q?",
        "answer": {"value": "A", "aliases": ["B"], "normalized_aliases": ["a"]},
    },
    "popqa.tsv": 'id\tprop\tquestion\tpossible_answers\n9\tcapital\tQ?\t["A", "B"]\n',
    "simple_qa_test_set.csv": 'metadata,problem,answer\n{},Q?,"A, B"\n',
}


def written(path, content):
    if isinstance(content, str):
        path.write_text(content)
    elif path.suffix == ".jsonl":
        path.write_text(json.dumps(content) + "\n")
    else:
        path.write_text(json.dumps(content, indent=1))
    return str(path)


@pytest.mark.parametrize("name", LAYOUTS)
def test_published_layouts_give_the_same_question(tmp_path, name):
    (found,) = open_benchmark(written(tmp_path / name, LAYOUTS[name]))
    assert found.question == "Q?"
    assert found.answers == (("A, B",) if name.endswith("csv") else ("A", "B"))
    assert found.benchmark == name.partition(".")[0]


def test_freebase_answers_may_hold_brackets_and_quotes():
    value = r'(list (description "A (b)") (description C) (description "D \"e\""))'
    assert read_answers(value) == ("A (b)", "C", r'D "e"')


def test_entity_questions_are_a_folder_of_relations(tmp_path):
    for relation in ("P19", "P36"):
        rows = [{"question": f"{relation} {n}?", "answers": [str(n)]} for n in range(2)]
        (tmp_path / f"{relation}.test.json").write_text(json.dumps(rows))
    found = open_benchmark(str(tmp_path))
    assert [(q.id, q.group) for q in found] == [("P19-1", "P19"), ("P19-2", "P19"), ("P36-1", "P36"), ("P36-2", "P36")]


def test_own_rows_carry_benchmark_group_and_patterns(tmp_path):
    path = tmp_path / "rows.jsonl"
    row = {"id": 1, "question": "Q?", "answers": [], "answer_regex": ["a|b"], "benchmark": "trec"}
    path.write_text(json.dumps(row | {"relation": "P1"}) + "\n")
    (found,) = open_benchmark(str(path))
    assert found == BenchmarkQuestion("1", "Q?", (), ("a|b",), benchmark="trec", group="P1")


def test_parquet_and_limits(tmp_path):
    rows = [{"id": str(n), "question": f"{n}?", "answers": ["x"]} for n in range(5)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    found = open_benchmark(str(tmp_path / "rows.parquet"), limit=3)
    assert [question.id for question in found] == ["0", "1", "2"]


def test_a_named_benchmark_comes_from_the_hub(monkeypatch):
    asked = []

    def records(path, *, name, split):
        asked.append((path, name, split))
        row = {"question_id": "tc_1", "question": "Q?", "answer": {"value": "A", "aliases": []}}
        return iter([evaluation_files.Record(1, 9, row)])

    monkeypatch.setattr(evaluation_files, "read_hub_records", records)
    (found,) = open_benchmark("triviaqa")
    assert asked == [("mandarjoshi/trivia_qa", "unfiltered.nocontext", "validation")]
    assert (found.id, found.answers, found.benchmark) == ("tc_1", ("A",), "triviaqa")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": 1, "answers": ["a"]}\n', "rows.jsonl, line 1, field question: must be text"),
        ('{"id": 1, "question": "Q?"}\n', "line 1, field answers: no such field. There are: id"),
        ('{"id": 1, "question": "Q?", "answers": ["a"]}\n{"id"\n', "rows.jsonl, line 2: must be"),
        ('{"id": 1, "question": "Q?", "answers": ["a"]}\n' * 2, "'1' twice"),
        ('{"question": "Q?", "answer_regex": "("}\n', "field answer_regex: must be a regular"),
        ("", "must hold at least one question"),
    ],
)
def test_a_bad_benchmark_is_one_clear_line(tmp_path, content, message):
    path = tmp_path / "rows.jsonl"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        open_benchmark(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"--benchmark must be a file, a folder or one of web"):
        open_benchmark("quizbowl")
