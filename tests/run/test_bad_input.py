"""What a run says of exposures, facts and disciplines that it cannot use, and what it makes of those that it can."""

import json

import pytest
import run_corpus

from kdos.cli import main


def run_command(config, folder, capsys):
    (path := folder / "c.yaml").write_text(json.dumps(config))
    code = main(["run", str(path), "--out", str(folder / "run")])
    return code, capsys.readouterr()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"exposures": 0}, "`exposures` must be at least 1. Got 0."),
        ({"exposures": -2}, "`exposures` must be at least 1. Got -2."),
        ({"exposures": "many"}, "`exposures` must be of type int. Got 'many'."),
        ({"exposures": 1.5}, "`exposures` must be of type int. Got 1.5."),
        ({"exposures": True}, "`exposures` must be of type int. Got True."),
        ({"exposures": 10**7}, "`exposures` must be at most 1,000,000. Got 10000000."),
        ({"exposures": 10**30}, "`exposures` must be a whole number of at most 63 bits. Got 1000000"),
        ({"facts": 0}, "`facts` must be at least 1. Got 0."),
        ({"facts": -1}, "`facts` must be at least 1. Got -1."),
        ({"budget": {"calls": -5}}, "`budget.calls` must be at least 0. Got -5."),
        ({"budget": {"usd": float("nan")}}, "`budget.usd` must be"),
        ({"synthesize": {"slack": -1}}, "`synthesize.slack` must be at least 0. Got -1"),
        ({"facts": "all"}, "`facts` must be of type int. Got 'all'."),
        ({"facts": 10**30}, "`facts` must be a whole number of at most 63 bits."),
        ({"budget": {"samples": 10**30}}, "`budget.samples` must be a whole number of at most 63 bits."),
        ({"disciplines": {"law": 0.5}}, "Got 'law', and nothing in the source has one. Name the field"),
    ],
)
def test_what_cannot_be_used_is_one_line_before_anything_is_done(changes, complaint, corpus, tmp_path, capsys):
    code, shown = run_command(run_corpus.config_of(corpus, **changes), tmp_path, capsys)
    assert code == 2
    assert complaint in shown.err
    assert shown.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_discipline_that_the_source_lacks_is_named_before_anything_is_asked(tmp_path, capsys):
    rows = [{"id": str(n), "text": "The bridge was built.", "domain": f"field {n:02}"} for n in range(30)]
    (corpus := tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    nobody = {"kind": "http", "url": "http://127.0.0.1:9/v1", "model": "m"}
    config = run_corpus.config_of(corpus, engine=nobody, disciplines={"law": 0.5})
    code, shown = run_command(config, tmp_path, capsys)
    assert code == 2
    assert "Got 'law'. There are: field 00, field 01" in shown.err and "field 19, …." in shown.err
    assert shown.err.count("\n") == 1


def test_documents_in_a_language_that_rules_does_not_write_are_named(tmp_path, capsys):
    german = "Die Brücke wurde im Sommer 1867 eröffnet und trug Fuhrwerke, bis das Hochwasser von 1910 sie mitnahm. "
    (corpus := tmp_path / "c.jsonl").write_text(json.dumps({"id": "1", "text": german * 3}) + "\n")
    code, shown = run_command(run_corpus.config_of(corpus), tmp_path, capsys)
    assert code == 1
    assert (
        "the engine `rules` writes en and zh, and passes over other documents: 1 in de. Set engine.kind" in shown.err
    )


def test_facts_beyond_the_source_take_all_of_it_and_say_so(corpus, tmp_path, capsys):
    config = run_corpus.config_of(corpus, facts=1_000_000, exposures=1, budget={"samples": 20})
    code, shown = run_command(config, tmp_path, capsys)
    summary = json.loads(shown.out.splitlines()[-1])
    assert code == 0
    held = summary["reference"]["knowledge_points"]
    assert f"`facts` asks for 1,000,000 knowledge points; the source holds {held}: all are taken" in shown.err


def test_the_largest_exposures_can_be_counted(corpus, tmp_path, capsys):
    config = run_corpus.config_of(corpus, exposures=1_000_000, budget={"samples": 20})
    code, shown = run_command(config, tmp_path, capsys)
    assert code == 0
    assert json.loads(shown.out.splitlines()[-1])["samples"] == 20
