import json

import pytest

from kdos.causal_lm import AnswerLoss
from kdos.cli import main
from kdos.tasks import Reply


@pytest.fixture
def benchmark(tmp_path):
    path = tmp_path / "qa.jsonl"
    rows = [
        {"id": "a", "question": "Capital of France?", "answers": ["Paris"]},
        {"id": "b", "question": "Capital of Italy?", "answers": ["Rome"]},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def answers(path, **given):
    path.write_text("".join(json.dumps({"id": k, "answer": v}) + "\n" for k, v in given.items()))
    return path


def run(*words):
    return main(["evaluate", *map(str, words)])


def test_given_answers_are_scored(tmp_path, benchmark, capsys):
    given = answers(tmp_path / "answers.jsonl", a="It is Paris.", z="x")
    out = tmp_path / "out"
    assert run("--benchmark", benchmark, "--answers", given, "--out", out) == 0
    shown = capsys.readouterr()
    summary = json.loads(shown.out.splitlines()[-1])
    assert {name: summary[name] for name in ("questions", "answered", "unscored")} == {
        "questions": 2,
        "answered": 1,
        "unscored": 1,
    }
    assert (summary["em"], summary["contains"], summary["correct"]) == (0.0, 1.0, 1.0)
    assert summary["seconds"] >= 0
    assert "1 answers belong to no question" in shown.err
    rows = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]
    assert [row.get("unscored") for row in rows] == [None, "no_answer"]


def test_two_evaluations_are_compared(tmp_path, benchmark, capsys):
    good = answers(tmp_path / "good.jsonl", a="Paris", b="Rome")
    bad = answers(tmp_path / "bad.jsonl", a="Paris", b="Milan")
    assert run("--benchmark", benchmark, "--answers", bad, "--out", tmp_path / "bad") == 0
    words = ("--benchmark", benchmark, "--answers", good, "--out", tmp_path / "good")
    assert run(*words, "--against", tmp_path / "bad", "--json") == 0
    shown = capsys.readouterr()
    summary = json.loads(shown.out.splitlines()[-1])
    assert summary["against"]["correct"]["difference"] == 0.5


def test_the_same_answers_give_the_same_bytes(tmp_path, benchmark):
    given = answers(tmp_path / "answers.jsonl", a="Paris", b="Milan")
    for name in ("one", "two"):
        run("--benchmark", benchmark, "--answers", given, "--out", tmp_path / name)
    for name in ("scores.jsonl", "summary.json"):
        one, two = ((tmp_path / folder / name).read_bytes() for folder in ("one", "two"))
        assert one == two


class Model:
    """Answers with the last word of the question; counts what it is asked."""

    name = fingerprint = "scripted"

    def __init__(self, name):
        self.asked = 0

    def complete(self, requests):
        for request in requests:
            self.asked += 1
            said = request.messages[-1]["content"].split()[-1]
            yield Reply(request, text={"France?": "Paris"}.get(said, "I don't know"))

    def answer_losses(self, pairs):
        return [AnswerLoss(2.0, 3) for _ in pairs]


def test_a_model_is_asked_once_and_its_losses_are_measured(tmp_path, benchmark, monkeypatch, capsys):
    model = Model("x")
    monkeypatch.setattr("kdos.api.evaluation.CausalModel", lambda name: model)
    train = tmp_path / "train.jsonl"
    train.write_text("".join(json.dumps({"question": f"{n}?", "answer": "x"}) + "\n" for n in range(9)))
    words = ("--benchmark", benchmark, "--transformers", "x", "--out", tmp_path / "out")
    for _ in range(2):
        assert run(*words, "--examples", train, "--shots", 2) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (summary["correct"], summary["attempted"], summary["loss"]) == (0.5, 0.5, 2.0)
    assert model.asked == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--answers", "none.jsonl"), "none.jsonl: no such file"),
        (("--answers", "answers.jsonl", "--against", "nowhere"), "must be the folder of an eval"),
        (("--answers", "answers.jsonl", "--run", "nowhere"), "--run must be the folder of a run"),
        (("--answers", "answers.jsonl", "--limit", "-1"), "--limit must be at least 0"),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(tmp_path, benchmark, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    answers(tmp_path / "answers.jsonl", a="Paris")
    assert run("--benchmark", benchmark, "--out", tmp_path / "out", *words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
