import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kdos.cli import main
from kdos.llm import ScriptedEngine
from kdos.llm.mock_server import InjectedFaults, MockServer, serve_app
from kdos.rules import RulesEngine
from kdos.tasks.judge import GRADE_PROMPT, RECALL_PROMPT

ROWS = [{"id": str(n), "question": f'What is "{n}" as a word?', "answers": [f"word{n}"]} for n in range(120)]


def said(request):
    """Right for even numbers, silent for every tenth, wrong otherwise."""
    number = int(request.inputs["question"].split('"')[1])
    if number % 10 == 5:
        return "I don't know."
    return f"word{number}" if number % 2 == 0 else "no word"


@pytest.fixture
def benchmark(tmp_path):
    path = tmp_path / "qa.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def words(benchmark, url, out, *more):
    flags = ["--benchmark", benchmark, "--endpoint", url, "--model", "m", "--out", out, "--json"]
    return ["evaluate", *map(str, [*flags, *more])]


def summary(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_model_behind_a_server_is_asked_each_question_once(tmp_path, benchmark, capsys):
    server = MockServer(ScriptedEngine(said), [RECALL_PROMPT])
    with serve_app(server.build_app()) as url:
        for _ in range(2):
            assert main(words(benchmark, url, tmp_path / "out")) == 0
            found = summary(capsys)
    assert (found["questions"], found["answered"], found["unscored"]) == (120, 120, 0)
    assert (found["correct"], found["attempted"]) == (0.5, 0.9)
    assert server.stats.requests == 120
    rows = list(map(json.loads, (tmp_path / "out/scores.jsonl").read_text().splitlines()))
    assert [row["id"] for row in rows] == [row["id"] for row in ROWS]


def test_faults_are_answered_or_counted(tmp_path, benchmark, capsys):
    faults = InjectedFaults(fail={500: 0.1, 429: 0.1}, reset=0.05, retry_after=0.05)
    server = MockServer(ScriptedEngine(said), [RECALL_PROMPT], faults=faults)
    with serve_app(server.build_app()) as url:
        assert main(words(benchmark, url, tmp_path / "out")) == 0
    found = summary(capsys)
    assert found["answered"] + found["unscored"] == found["questions"] == 120
    assert found["answered"] == 120
    assert server.stats.answered_twice == 0


def test_a_judge_grades_and_what_it_garbles_is_unscored(tmp_path, benchmark, capsys):
    def judged(request):
        if request.inputs["answer"] == "word8":
            return "It seems right to me!"
        right = request.inputs["answer"] in request.inputs["gold_answers"]
        return json.dumps({"grade": "correct" if right else "incorrect"})

    with (
        serve_app(MockServer(ScriptedEngine(said), [RECALL_PROMPT]).build_app()) as url,
        serve_app(MockServer(ScriptedEngine(judged), [GRADE_PROMPT]).build_app()) as judge,
    ):
        more = ("--judge-endpoint", judge, "--judge-model", "j")
        assert main(words(benchmark, url, tmp_path / "out", *more)) == 0
    found = summary(capsys)
    assert (found["answered"], found["unscored"]) == (119, 1)
    assert found["unscored_reasons"] == {"unreadable_grade": 1}
    assert found["grades"]["correct"] == pytest.approx(59 / 119)


def test_the_rules_behind_a_server_know_nothing_by_heart_and_can_grade(tmp_path, benchmark, capsys):
    with serve_app(MockServer(RulesEngine(), [RECALL_PROMPT, GRADE_PROMPT]).build_app()) as url:
        more = ("--judge-endpoint", url, "--judge-model", "rules", "--limit", 20)
        assert main(words(benchmark, url, tmp_path / "out", *more)) == 0
    found = summary(capsys)
    assert (found["answered"], found["attempted"]) == (20, 0.0)
    assert found["grades"]["not_attempted"] == 1.0


def started(benchmark, url, out):
    code = "import sys; from kdos.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", code, *words(benchmark, url, out, "--concurrency", 4)],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )


@pytest.mark.slow
def test_kill_9_costs_no_answer_twice_and_changes_no_byte(tmp_path, benchmark):
    def finish(out, *, kills):
        server = MockServer(ScriptedEngine(said), [RECALL_PROMPT], faults=InjectedFaults(latency=0.05))
        with serve_app(server.build_app()) as url:
            for kill in range(kills):
                process = started(benchmark, url, out)
                wanted = (kill + 1) * len(ROWS) // (kills + 1)
                while server.stats.answered < wanted and process.poll() is None:
                    time.sleep(0.01)
                process.send_signal(signal.SIGKILL)
                process.wait()
            assert started(benchmark, url, out).wait() == 0
        return server.stats

    whole = finish(tmp_path / "whole", kills=0)
    killed = finish(tmp_path / "killed", kills=2)
    assert whole.answered == len(ROWS)
    in_flight, in_last_interval = 4, 4 * 4
    assert killed.answered - len(ROWS) <= 2 * (in_flight + in_last_interval)
    for name in ("scores.jsonl", "summary.json"):
        one, other = ((tmp_path / folder / name).read_bytes() for folder in ("whole", "killed"))
        assert one == other


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (("--concurrency", "0"), 2, "--concurrency must be at least 1"),
        (("--judge-model", "j"), 2, "--judge-endpoint and --judge-model belong together"),
        (("--key-env", "KDOS_NO_SUCH_KEY"), 2, "KDOS_NO_SUCH_KEY"),
    ],
)
def test_wrong_use_is_one_line(tmp_path, benchmark, capsys, more, code, message):
    assert main(words(benchmark, "http://127.0.0.1:9/v1", tmp_path / "out", *more)) == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_an_endpoint_needs_a_model(tmp_path, benchmark, capsys):
    flags = ["--benchmark", benchmark, "--endpoint", "http://x/v1", "--out", tmp_path / "out"]
    assert main(["evaluate", *map(str, flags)]) == 2
    assert "--endpoint and --model belong together" in capsys.readouterr().err
