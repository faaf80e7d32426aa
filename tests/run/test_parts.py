"""The parts of a run: counted, shown, and ended for a reason."""

import json
import random
from contextlib import contextmanager, nullcontext

import pytest
from run_corpus import config_of, dataset_hash, rows_of, samples_of

from kdos.artifacts import RunFolder
from kdos.chance import keyed_generator
from kdos.commands.serve_rules import PROMPTS
from kdos.config import read_config
from kdos.cost import Cost
from kdos.llm import ScriptedEngine
from kdos.llm.mock_server import MockServer, serve_app
from kdos.report import page as report_page
from kdos.report import write_report
from kdos.rules import RulesEngine
from kdos.run import pipeline, run_config
from kdos.run.results import explain_failure
from kdos.tasks import Reply


def test_it_fills_the_pool_and_says_why_it_stopped(finished):
    _, summary = finished
    # The order is what 120 samples can hold, so that it is filled as they run out.
    assert 110 < summary["samples"] <= 120
    assert summary["stop_reason"] == "covered" or summary["samples"] == 120
    assert summary["filled"] >= 0.98 * summary["order"]
    assert summary["kl"] <= summary["kl_floor"]
    assert summary["coverage"] > 0.95


def test_every_stage_balances(finished):
    folder, summary = finished
    assert set(summary["stages"]) == {"document", "seed", "extract", "calls", "drafts"}
    for name, stage in summary["stages"].items():
        assert stage["in"] == stage["out"] + sum(stage["refused"].values()), name
    assert summary["drafts"] == summary["samples"] + summary["refused"]
    verdicts = [row for path in folder.glob("synthesize/*/verdicts.parquet") for row in rows_of(path)]
    assert len(verdicts) == summary["drafts"]
    assert sum(row["accepted"] for row in verdicts) == summary["samples"]
    assert all(row["reason"] and row["error_class"] for row in verdicts if not row["accepted"])


def test_walks_pick_as_well(corpus, tmp_path):
    config = read_config(config_of(corpus, picker="walk-from-steer", budget={"samples": 60}))
    summary = run_config(config, tmp_path / "run")
    assert summary["samples"] > 20
    assert 0 < summary["adherence"] <= 1
    linked = [len(sample["seeds"]) for sample in samples_of(tmp_path / "run")]
    assert max(linked) > 1


def test_the_page_follows_the_run(corpus, tmp_path, monkeypatch):
    pages = []

    def written(folder):
        write_report(folder)
        pages.append((folder / "report" / "index.html").read_text())

    monkeypatch.setattr(report_page, "write_report", written)
    monkeypatch.setattr(report_page, "REFRESH_SECONDS", 0)
    monkeypatch.setattr(report_page, "MAX_WRITING_SHARE", float("inf"))
    summary = run_config(read_config(config_of(corpus)), tmp_path / "run")
    assert len(pages) == summary["parts"] + 1
    assert "The run is preparing" in pages[0]
    assert "samples after part 1." in pages[1]
    assert all('http-equiv="refresh"' in page for page in pages)
    assert 'http-equiv="refresh"' not in (tmp_path / "run" / "report" / "index.html").read_text()


def nonsense(request):
    """A reply that fits the schema and says nothing."""
    chance = keyed_generator(0, request.key)

    def made(schema):
        match schema.get("type"):
            case "object":
                return {key: made(item) for key, item in schema["properties"].items()}
            case "array":
                return [made(schema["items"]) for _ in range(int(chance.integers(1, 4)))]
            case "boolean":
                return bool(chance.random() < 0.5)
            case _:
                return "".join(chance.choice(list("abcde "), size=12))

    return made(request.prompt.schema)


def test_a_model_that_writes_nonsense_ends_the_run_with_every_reply_counted(tmp_path):
    source = tmp_path / "qa.jsonl"
    rows = (
        {"id": str(n), "question": f"When was bridge {n} opened?", "answers": [str(1800 + n)],
         "passage": f"Bridge {n} was opened in {1800 + n} by Ann Archer."}
        for n in range(20)
    )  # fmt: skip
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    server = MockServer(ScriptedEngine(nonsense), PROMPTS)
    with serve_app(server.build_app()) as url:
        changes = {"source": {"kind": "qa", "path": str(source), "passage": "passage"}}
        changes["engine"] = {"kind": "http", "url": url, "model": "m"}
        summary = run_config(read_config(config_of(source, **changes)), tmp_path / "run")
    assert summary["samples"] == 0
    assert summary["stop_reason"] in {"no_gain", "unreachable"}
    assert summary["llm_calls"] == server.stats.requests
    assert summary["quotes"]["in"] == summary["quotes"]["refused"]["evidence_not_in_passage"] > 0
    for name, stage in summary["stages"].items():
        assert stage["in"] == stage["out"] + sum(stage["refused"].values()), name


def test_a_model_that_leaves_drafts_out_is_a_failure_only_where_it_leaves_out_all():
    calls = {"in": 10, "out": 2, "refused": {"no_draft": 8}}
    summary = {"samples": 3, "stop_reason": "no_gain", "stages": {"calls": calls, "drafts": {"in": 4, "out": 3}}}
    assert explain_failure(summary) == ""
    assert "brought no draft" in explain_failure(summary | {"samples": 0})
    unreadable = {"calls": calls | {"refused": {"unreadable": 8}}, "drafts": {"in": 4, "out": 3}}
    assert "could not be used" in explain_failure(summary | {"stages": unreadable})


class ShuffledEngine(RulesEngine):
    """Answers whatever is out in an order of chance, some late, some twice."""

    def __init__(self, random_seed):
        self.rng = random.Random(random_seed)

    @contextmanager
    def open_exchange(self, store):
        self.store, self.out, self.given = store, [], []
        yield self

    @property
    def room(self):
        return max(0, self.rng.randrange(1, 40) - len(self.out))

    def submit(self, requests):
        self.out += requests

    def receive(self):
        if not self.out:
            return []
        self.rng.shuffle(self.out)
        size = self.rng.randrange(1, len(self.out) + 1)
        now, self.out = self.out[:size], self.out[size:]
        replies = list(self.complete(now))
        self.store(replies)
        again = self.rng.sample(self.given, min(2, len(self.given)))
        self.given += replies
        return replies + again


@pytest.mark.parametrize("random_seed", range(3))
def test_no_order_of_replies_changes_a_byte(finished, corpus, tmp_path, monkeypatch, random_seed):
    folder, summary = finished
    monkeypatch.setattr(pipeline, "open_engine", lambda _: nullcontext(ShuffledEngine(random_seed)))
    again = run_config(read_config(config_of(corpus)), tmp_path / "run")
    assert dataset_hash(tmp_path / "run") == dataset_hash(folder)
    assert again["refused"] == summary["refused"]
    parts = [path.name for path in sorted((folder / "synthesize").glob("part-*"))]
    assert [path.name for path in sorted((tmp_path / "run" / "synthesize").glob("part-*"))] == parts


def test_a_budget_that_ends_it_keeps_what_was_decided_and_a_larger_one_goes_on_alike(finished, corpus, tmp_path):
    folder, summary = finished
    cut = run_config(read_config(config_of(corpus, budget={"samples": 120, "calls": 174})), tmp_path / "run")
    assert cut["stop_reason"] == "budget"
    assert 0 < cut["samples"] < summary["samples"]
    assert len(samples_of(tmp_path / "run")) == cut["samples"]
    facts = [json.loads(path.read_text()) for path in sorted((tmp_path / "run").glob("synthesize/*/part.json"))]
    assert [each["is_cut"] for each in facts] == [False] * (len(facts) - 1) + [True]
    whole = run_config(read_config(config_of(corpus)), tmp_path / "run")
    assert dataset_hash(tmp_path / "run") == dataset_hash(folder)
    assert whole["llm_calls"] == summary["llm_calls"], "nothing is asked twice"


class LeavingEngine(RulesEngine):
    """Leaves one call for drafts without an answer, which may come another day."""

    def __init__(self, left):
        self.left = left

    def complete(self, requests):
        for request in requests:
            if request.id == self.left:
                yield Reply(request, error="busy", transient=True)
            else:
                yield from super().complete([request])


@pytest.mark.parametrize(
    ("left", "cut"), [("synthesize/00000003", [False, False, True]), ("synthesize/00000016", [False, False])]
)
def test_a_budget_that_is_spent_again_keeps_what_can_be_decided_anew(corpus, tmp_path, monkeypatch, left, cut):
    # The call that was left is made again: where it is of the part that was cut, no budget is left for it.
    monkeypatch.setattr(pipeline, "open_engine", lambda _: nullcontext(LeavingEngine(left)))
    before, after = (
        run_config(read_config(config_of(corpus, budget={"samples": 120, "calls": calls})), tmp_path / "run")
        for calls in (180, 175)
    )
    assert [each["is_cut"] for each in RunFolder(tmp_path / "run").read_part_facts()] == cut
    assert after["samples"] == len(samples_of(tmp_path / "run"))
    assert (after["samples"] == before["samples"]) == cut[-1]
    for name, stage in after["stages"].items():
        assert stage["in"] == stage["out"] + sum(stage["refused"].values()), name


def test_a_window_is_kept_whatever_the_concurrency_of_a_later_call(corpus, tmp_path):
    engine = {"kind": "http", "url": "http://127.0.0.1:9/v1", "model": "m", "concurrency": 512}
    few, many = (read_config(config_of(corpus, engine=engine | {"concurrency": n})) for n in (8, 512))
    assert (few.window, many.window) == (1024, 4096)
    folder = RunFolder(tmp_path)
    folder.write_config(folder.settle_window(many), {})
    assert folder.settle_window(few).window == 4096


def priced(url):
    prices = {"prompt": 0.3, "completion": 1.2}
    return {"kind": "http", "url": url, "model": "m", "prices": prices}


def test_a_run_says_what_it_spent_and_what_a_sample_costs(corpus, tmp_path):
    server = MockServer(RulesEngine(), PROMPTS)
    with serve_app(server.build_app()) as url:
        config = read_config(config_of(corpus, engine=priced(url)))
        summary = run_config(config, tmp_path / "run")
    facts = RunFolder(tmp_path / "run").read_part_facts()
    before = Cost(**facts[0]["spent_before"])
    assert all("spent_before" not in each for each in facts[1:])
    # Before the loop a request goes out for each passage, and one for each seed.
    assert before.calls == asked_before_the_loop(tmp_path / "run")
    in_all = Cost(summary["llm_calls"], **tokens_of(summary), usd=summary["cost_usd"], seconds=None)
    for name in ("calls", "prompt_tokens", "completion_tokens", "usd"):
        of_loop = getattr(in_all, name) - getattr(before, name)
        assert summary["a_sample"][name] == pytest.approx(of_loop / summary["samples"])
        spent = [each["spent"][name] for each in facts]
        assert spent == sorted(spent)
        assert 0 < spent[-1] <= getattr(in_all, name) * (1 + 1e-9)
    assert facts[0]["needed"] > facts[-1]["needed"]


def tokens_of(summary):
    return {name: summary["usage"][name] for name in ("prompt_tokens", "completion_tokens")}


def asked_before_the_loop(folder):
    stages = json.loads((folder / "summary.json").read_text())["stages"]
    return len(rows_of(folder / "seed" / "passages.parquet")) + stages["extract"]["in"]
