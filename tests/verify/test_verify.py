"""Any question-answer table in: each row checked by what its fields allow, sums that balance."""

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kdos.api import verification
from kdos.cli import OneLineParser
from kdos.commands import verify as command
from kdos.errors import InputError, UsageError
from kdos.llm.engine import ScriptedEngine
from kdos.logic import ShapeCounts
from kdos.tasks import CHECKS, CRITERIA
from kdos.verify import VerdictTally, VerifyOptions, check_rows, read_question_rows, resolve_fields, review_rows

PASSAGE = "The Eiffel Tower stands in Paris. It was opened in 1889 by Gustave Eiffel."
ROWS = [
    {"id": "a", "question": "Where does the Eiffel Tower stand?", "answers": ["Paris"]},
    {"id": "b", "question": "In which year did the Eiffel Tower open?", "answers": ["1889"]},
    {"id": "c", "question": "In what year did the Eiffel Tower open?", "answers": ["1889", "in 1889"]},
    {"id": "d", "question": "Who opened the Eiffel Tower? A) Eiffel B) Nobel", "answers": ["A)"]},
    {"id": "e", "question": "Is the Eiffel Tower by Gustave Eiffel?", "answers": ["Eiffel"]},
    {"id": "f", "question": "Why is courage important in life?", "answers": ["it helps"]},
    {"id": "g", "question": "Which river flows past the Eiffel Tower?", "answers": ["the Seine"]},
    {"id": "h", "question": "", "answers": ["1889"]},
    {"id": "i", "question": "Which tower stands in Paris, France?", "answers": []},
]
REASONS = {
    "c": "near_duplicate",
    "d": "multiple_choice",
    "e": "answer_directly_in_question",
    "f": "abstract_question",
    "h": "no_question",
    "i": "no_answer",
}


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps(row | {"context": PASSAGE}) for row in ROWS) + b"\n")
    return path


def run(path, capsys, *flags):
    parser = OneLineParser()
    command.add_arguments(parser)
    command.main(parser.parse_args([str(path), "--json", *map(str, flags)]))
    return orjson.loads(capsys.readouterr().out)


def test_every_row_gets_a_verdict_and_the_sums_balance(table, tmp_path, capsys):
    out = tmp_path / "out"
    summary = run(table, capsys, "--out", out)
    verdicts = pq.read_table(out / "verdicts.parquet").to_pylist()
    wrong = {row["id"]: row["reason"] for row in verdicts if not row["accepted"]}
    assert wrong == REASONS | {"g": "answer_not_in_evidence"}
    assert summary["rows"] == summary["accepted"] + summary["refused"] == len(ROWS)
    assert sum(summary["by_class"].values()) == sum(summary["by_reason"].values()) == 7
    assert orjson.loads((out / "summary.json").read_bytes()) == summary


def test_fields_decide_which_checks_there_are(table, tmp_path, capsys):
    bare = tmp_path / "bare.jsonl"
    bare.write_bytes(table.read_bytes().replace(b"context", b"unknown"))
    assert "answer_not_in_evidence" not in run(bare, capsys)["by_reason"]
    named = tmp_path / "named.jsonl"
    named.write_bytes(table.read_bytes().replace(b'"question"', b'"frage"'))
    with pytest.raises(UsageError, match="a field must hold the question"):
        run(named, capsys)
    assert run(named, capsys, "--question", "frage")["rows"] == len(ROWS)


def test_knowledge_points_and_logic_are_checked_where_they_are(tmp_path, capsys):
    points = ["The Eiffel Tower is in Paris.", "Paris is in France.", "France is in Europe."]
    logic = "graph TD\n" + " --> ".join(f'K{n}["{point}"]' for n, point in enumerate(points))
    sound = {
        "question": "On which continent does the Eiffel Tower stand?",
        "answer": "Europe",
        "knowledge_points": points,
        "topic_entities": ["Eiffel Tower"],
        "logic": logic,
    }
    asked = [f"{n}th question: where is the tower Eiffel {n}?" for n in range(4)]
    rows = [
        sound,
        sound | {"question": asked[0], "knowledge_points": points[:2]},
        sound | {"question": asked[1], "logic": "graph"},
        sound | {"question": asked[2], "logic": logic + " --> X"},
    ]
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    summary = run(path, capsys)
    assert summary["by_reason"] == {"knowledge_points_number": 1, "logic_end_not_answer": 1, "logic_unreadable": 1}
    assert summary["effective_shapes"] == 1.0


def test_benchmark_questions_are_named(table, tmp_path, capsys):
    benchmark = tmp_path / "exam.csv"
    benchmark.write_text("id,question,answer\nq7,where does the EIFFEL TOWER stand,Paris\n")
    out = tmp_path / "out"
    summary = run(table, capsys, "--benchmark", benchmark, "--out", out)
    assert summary["by_reason"]["contaminated"] == 1
    (row,) = [row for row in pq.read_table(out / "verdicts.parquet").to_pylist() if row["reason"] == "contaminated"]
    assert (row["id"], row["detail"].startswith("exam:q7")) == ("a", True)


def test_accepted_rows_are_kept_as_they_were(table, tmp_path, capsys):
    kept = tmp_path / "kept.parquet"
    run(table, capsys, "--keep", kept)
    rows = pq.read_table(kept).to_pylist()
    assert rows == [row | {"context": PASSAGE} for row in ROWS if row["id"] in "ab"]


def test_limit_reads_no_more_rows(table, tmp_path, capsys):
    kept = tmp_path / "kept.parquet"
    assert run(table, capsys, "--limit", 2, "--keep", kept)["rows"] == 2
    assert pq.read_metadata(kept).num_rows == 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--limit", "0"], "--limit must be at least 1"),
        (["--judges", "-1"], "--judges must be at least 0"),
        (["--attempts", "3"], "--attempts must have a model"),
        (["--url", "http://127.0.0.1:1"], "must come with --model"),
    ],
)
def test_flags_that_cannot_be_meant_are_refused(table, capsys, flags, message):
    with pytest.raises(UsageError, match=message):
        run(table, capsys, *flags)


def test_judges_need_a_passage(tmp_path, capsys):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(orjson.dumps(ROWS[0]))
    with pytest.raises(UsageError, match="--judges must have a passage"):
        run(path, capsys, "--judges", "1")


def test_a_missing_file_and_a_bad_line_are_named(tmp_path, capsys):
    with pytest.raises(InputError, match="no such file"):
        run(tmp_path / "none.jsonl", capsys)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(orjson.dumps(ROWS[0]) + b"\n{broken\n")
    with pytest.raises(InputError, match="line 2"):
        run(path, capsys)


def test_judges_and_attempts_decide_about_what_passed_before(table):
    def answer(request):
        if request.task == "answer":
            return {"answer": "Rome" if request.params["seed"] else "Paris"}
        second = request.params.get("seed") == 1
        criteria = {name: {"ok": True, "quote": "stands in Paris"} for name in CRITERIA}
        if "year" in request.inputs["question"]:
            criteria["supported"] = {"ok": second, "quote": ""}
        return {**dict.fromkeys(CHECKS, False), "criteria": criteria}

    engine = ScriptedEngine(answer)
    fields = resolve_fields(table, {})
    checked = check_rows(read_question_rows(table, fields), VerifyOptions(fields), shapes=ShapeCounts())
    tally = VerdictTally()
    ruled = list(tally.tally_rows(review_rows(checked, judges=2, attempts=3, ask=engine.complete)))
    reasons = {one.row.draft.id: one.refusal.reason if one.refusal else "" for one in ruled}
    assert [one.row.row for one in ruled] == list(range(len(ROWS)))
    assert reasons["a"] == "not_answered_alike"
    assert reasons["b"] == "not_supported"
    assert reasons["d"] == "multiple_choice"
    assert engine.asked == 2 * 5
    assert (tally.judged, tally.disputed) == (2, 0)
    supported = {one.row.draft.id: one.passed["supported"] for one in ruled if one.passed}
    assert supported == {"a": 1.0, "b": 0.0}
    assert "logic_valid" not in ruled[0].passed


def test_a_file_that_changes_while_it_is_verified_is_noticed(tmp_path, monkeypatch):
    table = tmp_path / "qa.jsonl"
    row = '{"question": "Who built the bridge of Porto in 1886?", "answer": "%s"}\n'
    table.write_text(row % "Gustave Eiffel" + row.replace("1886", "1887") % "Maria Costa")
    summarise = verification.summarise_verdicts

    def change_and_summarise(*found):
        table.write_text(row.replace("1886", "1887") % "Maria Costa" + row % "Gustave Eiffel")
        return summarise(*found)

    monkeypatch.setattr(verification, "summarise_verdicts", change_and_summarise)
    with pytest.raises(InputError, match="must stay as it is while it is read"):
        verification.verify(table, keep=tmp_path / "kept.parquet")
    assert not (tmp_path / "kept.parquet").exists()


def test_two_answers_to_one_question_are_both_named(tmp_path, capsys):
    path, out = tmp_path / "rows.jsonl", tmp_path / "out"
    rows = [
        {"id": "a", "question": "Who wrote the play Hamlet?", "answers": ["Shakespeare"]},
        {"id": "b", "question": "Where does the Eiffel Tower stand?", "answers": ["Paris"]},
        {"id": "c", "question": "who wrote  the play Hamlet ?", "answers": ["Marlowe"]},
        {"id": "d", "question": "Who wrote the play Hamlet?", "answers": ["I don't know"]},
    ]
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    run(path, capsys, "--out", out)
    verdicts = {one["id"]: one for one in pq.read_table(out / "verdicts.parquet").to_pylist()}
    assert {name: one["reason"] for name, one in verdicts.items()} == {
        "a": "conflicting_answers", "b": "", "c": "conflicting_answers", "d": "answer_declined",
    }  # fmt: skip
    assert verdicts["a"]["detail"] == verdicts["c"]["detail"] == "a: Shakespeare | c: Marlowe"


@pytest.mark.parametrize(
    "answers", [["12", "twelve"], ["Shakespeare", "William Shakespeare"], ["July 4, 1776", "4 July 1776"]]
)
def test_one_answer_in_two_forms_is_no_conflict(tmp_path, capsys, answers):
    path = tmp_path / "rows.jsonl"
    rows = [{"question": "What was it that the Port Anna Harbour Board chose?", "answers": [one]} for one in answers]
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    assert "conflicting_answers" not in run(path, capsys)["by_reason"]


def test_an_answer_of_another_question_of_the_passage_is_found(tmp_path, capsys):
    path = tmp_path / "rows.jsonl"
    passage = f"{PASSAGE} In spring, 300 boats full of visitors pass by on the river every day."
    row = {
        "question": "How many boats pass by on the river in spring?",
        "answers": ["Gustave Eiffel"],
        "context": passage,
    }
    path.write_bytes(orjson.dumps(row))
    assert run(path, capsys)["by_reason"] == {"answer_not_asked_for": 1}


@pytest.mark.parametrize("lang", ["ru", "RU", "ru-RU", "ru_RU"])
def test_a_language_is_known_in_any_form_of_its_code(tmp_path, capsys, lang):
    path = tmp_path / "rows.jsonl"
    row = {"question": "Кто построил мост Харроу через реку Оузел?", "answer": "Ида", "lang": lang}
    path.write_bytes(orjson.dumps(row))
    assert run(path, capsys)["accepted"] == 1


def test_a_file_may_lack_what_is_not_needed_but_not_what_was_named(tmp_path, capsys):
    whole, bare = ROWS[0] | {"context": PASSAGE}, {name: ROWS[1][name] for name in ("question", "answers")}
    (tmp_path / "a.jsonl").write_bytes(orjson.dumps(whole))
    (tmp_path / "b.jsonl").write_bytes(orjson.dumps(bare))
    pq.write_table(pa.Table.from_pylist([bare | {"question": "Who opened it?"}]), tmp_path / "c.parquet")
    summary = run(tmp_path, capsys)
    assert summary["fields"] == {"question": "question", "answers": "answers", "passage": "context", "id": "id"}
    assert summary["by_reason"] == {"no_evidence": 2}
    with pytest.raises(InputError, match="field contxt: no such field"):
        run(tmp_path, capsys, "--passage", "contxt")
