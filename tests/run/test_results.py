"""What a run leaves: samples, their counts and its files."""

import json
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from run_corpus import config_of, rows_of, samples_of

from kdos.chance import keyed_generator
from kdos.cli import main
from kdos.rules import RulesEngine
from kdos.run import explain_quotes, explain_stop, pipeline


def test_novel_knowledge_points_are_counted_apart(finished):
    folder, summary = finished
    points = rows_of(folder / "synthesize" / "knowledge_points.parquet")
    assert summary["novel_share"] == sum(point["novel"] for point in points) / len(points)


def test_every_answer_stands_in_its_document_at_its_offsets(finished, corpus):
    folder, _ = finished
    texts = {row["id"]: row["text"] for row in map(json.loads, corpus.read_text().splitlines())}
    for sample in samples_of(folder):
        start, end = sample["answer_start"], sample["answer_end"]
        assert texts[sample["document"]][start:end] == sample["answer"]


def test_every_sample_is_complete(finished):
    folder, _ = finished
    for sample in samples_of(folder):
        assert 3 <= len(sample["knowledge_points"]) <= 5
        assert len(sample["cells"]) == len(sample["knowledge_points"])
        assert sample["answer"].casefold() not in sample["question"].casefold().split()
        assert sample["evidence"]
        assert sample["seeds"]
        assert sample["engine"] == "rules"
        assert len(sample["prompt_hash"]) == 16


def test_the_error_classes_are_counted_alike_everywhere(finished):
    folder, summary = finished
    classes, reasons = Counter(), Counter()
    for path in sorted(folder.glob("synthesize/part-*")):
        facts = json.loads((path / "part.json").read_text())
        refused = [row for row in rows_of(path / "verdicts.parquet") if not row["accepted"]]
        assert facts["classes"] == Counter(row["error_class"] for row in refused)
        assert facts["refused"] == Counter(row["reason"] for row in refused)
        classes.update(facts["classes"])
        reasons.update(facts["refused"])
    assert summary["stages"]["drafts"]["refused"] == reasons
    card = (folder / "dataset/README.md").read_text()
    page = (folder / "report/index.html").read_text()
    for name, drafts in classes.items():
        shown = name.replace("_", "\\_")
        assert f"| {shown} | {drafts} |" in card
        assert name.replace("_", " ") in page


def test_paths_survive(finished):
    folder, _ = finished
    assert {path.name for path in folder.iterdir()} >= {
        "run.yaml", "ledger.sqlite", "seed", "extract", "space", "synthesize", "dataset",
        "report", "summary.json", "target.parquet",
    }  # fmt: skip
    assert not list(Path(folder).rglob("*.part"))


def tallies(*, calls, drafts):
    names = {"calls": "no_draft", "drafts": "crowded"}
    given = {"calls": calls, "drafts": drafts}
    return {
        name: {"in": n, "out": good, "refused": {names[name]: n - good} if n > good else {}}
        for name, (n, good) in given.items()
    }


@pytest.mark.parametrize(
    ("reason", "lost", "calls", "drafts", "said"),
    [
        ("covered", 0.0, (9, 8), (9, 9), "stopped: covered: 98 % of what can be reached is held"),
        ("budget", 0.0, (0, 0), (0, 0), "or the budget was spent"),
        ("no_gain", 0.02, (9, 8), (40, 8), "nothing; 2.0 % of what was wanted is out of reach; 32 of 40 drafts were "
         "refused (crowded 32)"),
        ("unreachable", 0.74, (35, 4), (4, 4), "stopped: unreachable: what is missing was asked for in vain; 74 % of "
         "what was wanted is out of reach; 31 of 35 calls gave no draft (no_draft 31)"),
    ],
)  # fmt: skip
def test_why_a_run_stopped_is_one_line_with_what_came_to_little(reason, lost, calls, drafts, said):
    stages = tallies(calls=calls, drafts=drafts)
    line = explain_stop({"stop_reason": reason, "unreachable_mass": lost, "stages": stages})
    assert said in line
    assert "\n" not in line
    assert ("calls" in line, "drafts were" in line, "out of reach" in line) == (
        reason == "unreachable", reason == "no_gain", lost > 0,
    )  # fmt: skip


def test_the_terminal_of_a_run_says_why_it_stopped(corpus, tmp_path, capsys):
    (path := tmp_path / "c.yaml").write_text(json.dumps(config_of(corpus, budget={"samples": 5})))
    assert main(["run", str(path), "--out", str(tmp_path / "run")]) == 0
    shown = capsys.readouterr()
    summary = json.loads(shown.out.splitlines()[-1])
    assert f"\n{explain_stop(summary)}\n" in shown.err
    assert summary["stop_reason"] == "budget"


class InventingEngine(RulesEngine):
    """The rules with quotes that stand nowhere, in a share of the replies that quote."""

    def __init__(self, share):
        self.share = share

    def complete(self, requests):
        for reply in super().complete(requests):
            if reply.request.task in {"seed", "synthesize"} and self._invents(reply.request):
                reply = replace(reply, text=reply.text.replace('"quote":"', '"quote":"Nobody said: '))
            yield reply

    def _invents(self, request):
        return keyed_generator(0, request.key).random() < self.share


def test_a_model_that_makes_up_its_quotes_is_told_in_one_line(corpus, tmp_path, capsys, monkeypatch):
    own = tmp_path / "own.jsonl"
    given = {"question": "When was the library of Faro opened?", "answers": ["1759"], "document": "faro"}
    own.write_text(json.dumps(given) + "\n")
    monkeypatch.setattr(pipeline, "open_engine", lambda _: nullcontext(InventingEngine(0.4)))
    config = config_of(corpus, budget={"samples": 20}, seeds=str(own))
    (path := tmp_path / "c.yaml").write_text(json.dumps(config))
    assert main(["run", str(path), "--out", str(tmp_path / "run")]) == 0
    shown = capsys.readouterr()
    summary = json.loads(shown.out.splitlines()[-1])
    seeds, drafts, quotes = summary["stages"]["seed"], summary["stages"]["drafts"], summary["quotes"]
    absent = seeds["refused"]["evidence_not_in_passage"] + drafts["refused"]["evidence_not_in_passage"]
    assert quotes["refused"] == {"evidence_not_in_passage": absent}
    assert quotes["in"] == quotes["out"] + absent
    assert quotes["in"] == seeds["in"] - 1 + drafts["in"], "the user's question quotes nothing"
    share = f"{100 * absent / quotes['in']:.0f} %"
    line = f"the model makes things up: {share} of the {quotes['in']} quotes in its seed questions and drafts do not"
    assert [each for each in shown.err.splitlines() if "makes things up" in each] == [explain_quotes(summary)]
    assert explain_quotes(summary).startswith(line)


def test_a_model_that_quotes_word_for_word_is_told_nothing(finished):
    _, summary = finished
    assert summary["quotes"]["in"] == summary["quotes"]["out"] > 100
    assert explain_quotes(summary) == ""


def test_a_model_whose_seed_questions_quote_nothing_that_is_there_ends_with_one_line(
    corpus, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(pipeline, "open_engine", lambda _: nullcontext(InventingEngine(1)))
    (path := tmp_path / "c.yaml").write_text(json.dumps(config_of(corpus)))
    assert main(["run", str(path), "--out", str(tmp_path / "run")]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "100% of" in said
    assert "questions quote what their passage does not say, as in 'lisbon#0: Nobody said: " in said
