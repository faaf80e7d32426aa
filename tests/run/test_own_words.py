"""A run with a user's own prompts, samples and seed questions: what it asks, keeps, and says of them."""

import json

import pyarrow.parquet as pq
import pytest
import yaml
from run_corpus import config_of, dataset_hash, rows_of, samples_of

from kdos.cli import main
from kdos.commands.serve_rules import PROMPTS
from kdos.config import read_config
from kdos.llm.mock_server import MockServer, serve_app
from kdos.llm.reply_store import ReplyStore
from kdos.rules import RulesEngine
from kdos.run import run_config
from kdos.run.prompts import MOST_EXAMPLE_BYTES, MOST_EXAMPLES, read_examples, resolve_prompts
from kdos.tasks.prompt_set import RUN_PROMPTS, PromptSet

POINTS = [
    "The Rosetta Stone was found at Rashid in 1799.",
    "Champollion used the Rosetta Stone to decipher hieroglyphs.",
    "The Rosetta Stone has been on display in the British Museum since 1802.",
]
EXAMPLE = {
    "question": "Which museum shows the stele with which Champollion deciphered hieroglyphs?",
    "answer": "British Museum",
    "topic_entities": ["Rosetta Stone"],
    "knowledge_points": POINTS,
    "logic": f'graph TD\n  A["{POINTS[0]}"] --> C\n  B["{POINTS[1]}"] --> C["{POINTS[2]}"] --> D["British Museum"]',
    "distractors": ["Louvre"],
    "evidence": [{"passage": "p7", "quote": "It has been on display in the British Museum since 1802."}],
}
OWN_SEED = {"id": "mine", "question": "When was the bridge of Lisbon opened?", "answer": "1700", "document": "lisbon"}


@pytest.fixture
def words(tmp_path):
    """A folder with a prompt, a file of samples and one of questions."""
    (folder := tmp_path / "prompts").mkdir()
    (folder / "extract.md").write_text(f"Take care.\n\n{RUN_PROMPTS['extract'].text}")
    (tmp_path / "examples.jsonl").write_text(json.dumps(EXAMPLE))
    (tmp_path / "seeds.jsonl").write_text(json.dumps(OWN_SEED))
    return tmp_path


def config_with_words(corpus, words, **changes):
    names = {"examples": str(words / "examples.jsonl"), "seeds": str(words / "seeds.jsonl")}
    budget = {"budget": {"samples": 24}, "prompts": str(words / "prompts")}
    return config_of(corpus, **{**names, **budget, **changes})


def command(config, folder, capsys):
    (path := folder / "c.yaml").write_text(json.dumps(config))
    code = main(["run", str(path), "--out", str(folder / "run")])
    return code, capsys.readouterr()


def test_what_is_asked_and_kept_is_in_the_users_words(corpus, words):
    summary = run_config(read_config(config_with_words(corpus, words)), words / "run")
    prompts = resolve_prompts(read_config(config_with_words(corpus, words)))
    store = ReplyStore(words / "run" / "ledger.sqlite", exclusive=True)
    asked = dict(store._connection.execute("SELECT task, text FROM prompts").fetchall())
    store.close()
    assert asked == {task: prompts.by_task[task].text for task in asked}
    assert asked["extract"].startswith("Take care.")
    assert json.dumps(EXAMPLE["logic"]) in asked["synthesize"]
    assert {row["prompt_hash"] for row in samples_of(words / "run")} == {prompts.hash}
    assert prompts.hash != PromptSet.resolve().hash
    seeds = {seed["id"]: seed for seed in rows_of(words / "run" / "seed" / "seeds.parquet")}
    assert (seeds["given/mine"]["document"], seeds["given/mine"]["passage"]) == ("lisbon", "lisbon#0")
    assert summary["stages"]["seed"]["out"] == len(seeds)
    extracted = pq.read_table(words / "run" / "extract" / "extractions.parquet")["seed"].to_pylist()
    assert "given/mine" in extracted
    made_from = yaml.safe_load((words / "run" / "run.yaml").read_text())["made_from"]
    assert {"prompts: extract.md", "examples", "seeds"} <= set(made_from)
    assert made_from["prompts"] == PromptSet.resolve().hash


def test_over_http_a_server_of_rules_answers_whatever_the_words(corpus, words):
    run_config(read_config(config_with_words(corpus, words)), words / "here")
    with serve_app(MockServer(RulesEngine(), PROMPTS).build_app()) as url:
        there = config_with_words(corpus, words, engine={"kind": "http", "url": url, "model": "rules"})
        run_config(read_config(there), words / "there")
    samples = [sorted(samples_of(words / name), key=lambda row: row["id"]) for name in ("here", "there")]
    for row in samples[0] + samples[1]:
        del row["engine"]
    assert samples[0] == samples[1]


@pytest.mark.parametrize("name", ["prompts/extract.md", "examples.jsonl", "seeds.jsonl"])
def test_a_changed_file_is_named_when_the_run_is_resumed(name, corpus, words, capsys):
    config = config_with_words(corpus, words)
    assert command(config, words, capsys)[0] == 0
    before = dataset_hash(words / "run")
    assert command(config, words, capsys)[0] == 0
    text = (words / name).read_text()
    (words / name).write_text(text.replace("Take", "Use").replace("Louvre", "Prado").replace("When", "In what year"))
    code, shown = command(config, words, capsys)
    assert code == 2
    made = {"prompts/extract.md": "prompts: extract.md"}.get(name, name.removesuffix(".jsonl"))
    assert f"made from something else: `{made}` is " in shown.err
    assert shown.err.count(" there and ") == 1
    assert dataset_hash(words / "run") == before
    assert main(["doctor", str(words / "run"), "--json"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert finding["found"].startswith(f"{made} has changed since the run")


def test_a_dry_run_and_the_doctor_read_them_too(corpus, words, capsys):
    (words / "c.yaml").write_text(json.dumps(config_with_words(corpus, words)))
    out = str(words / "run")
    assert main(["run", str(words / "c.yaml"), "--out", out, "--dry-run"]) == 0
    with_words = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert main(["doctor", str(words / "c.yaml"), "--out", out]) == 0
    capsys.readouterr()
    (words / "c.yaml").write_text(json.dumps(config_with_words(corpus, words, seeds=None)))
    assert main(["run", str(words / "c.yaml"), "--out", out, "--dry-run"]) == 0
    assert with_words["calls"] == json.loads(capsys.readouterr().out.splitlines()[-1])["calls"] + 1
    (words / "prompts" / "extract.md").write_text("x")
    for flags in (["run", "--dry-run"], ["run"], ["doctor"]):
        assert main([flags[0], str(words / "c.yaml"), "--out", out, *flags[1:]]) == 2
        assert "extract.md: must say what the input `question` is." in capsys.readouterr().err


WRONG_PROMPTS = {
    "a typo": ("sythesize.md", "x", "must be named as a prompt: seed.md, extract.md, "),
    "what it should be": ("Synthesise.md", "x", "Did you mean synthesize.md?"),
    "a prompt of another command": ("grade.md", "x", "must be named as a prompt"),
    "empty": ("seed.md", " \n", "seed.md: must hold instructions. It is empty"),
    "a field that is not named": ("seed.md", "title passage language per_passage", "the field of the reply `seeds`"),
    "not UTF-8": ("seed.md", b"\xff\xfe", "must be UTF-8 text. Got the byte 0xff"),
    "too long": ("seed.md", "x" * 65_537, "must hold at most 65,536 bytes. Got more"),
    "a bad example": (
        "seed.md",
        RUN_PROMPTS["seed"].text + "\n```json\n{]\n```\n",
        "must have examples that are JSON",
    ),
    "none": (".hidden.md", "x", "`prompts` must hold at least one of seed.md"),
}


@pytest.mark.parametrize(("name", "text", "complaint"), WRONG_PROMPTS.values(), ids=WRONG_PROMPTS)
def test_a_prompt_that_cannot_be_used_is_one_line_before_anything_is_done(
    name, text, complaint, corpus, tmp_path, capsys
):
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    code, shown = command(config_of(corpus, prompts=str(tmp_path / "prompts")), tmp_path, capsys)
    assert (code, shown.err.count("\n")) == (2, 1)
    assert complaint in shown.err
    assert not (tmp_path / "run").exists()


def test_a_prompt_may_have_a_byte_order_mark_and_windows_lines(corpus, tmp_path):
    (tmp_path / "seed.md").write_bytes(b"\xef\xbb\xbf" + RUN_PROMPTS["seed"].text.replace("\n", "\r\n").encode())
    assert resolve_prompts(read_config(config_of(corpus, prompts=str(tmp_path)))).hash == PromptSet.resolve().hash


WRONG_EXAMPLES = {
    "no field": ({"logic": None}, "line 2, field logic: must be in every sample that is shown"),
    "no list": ({"knowledge_points": POINTS[0]}, "line 2: must be a sample that the free checks let pass. Got know"),
    "too few points": ({"knowledge_points": POINTS[:2]}, "Got knowledge_points_number: 2 knowledge points"),
    "a point that is no node": (
        {"knowledge_points": [*POINTS, "Rashid is in Egypt."]},
        "knowledge_point_not_in_logic",
    ),
    "no diagram": ({"logic": "first this, then that"}, "Got logic_unreadable"),
    "a long answer": ({"answer": "x" * 161}, "Got answer_length: 161 characters"),
    "a leak": ({"answer": "Champollion"}, "Got answer_directly_in_question"),
    "options": ({"question": "Which of the following shows it?"}, "Got multiple_choice"),
    "a number": ({"distractors": [7]}, "field distractors: must be text"),
    "no quotes": ({"evidence": ["It is there."]}, "field evidence: must be passages with quotes"),
}


@pytest.mark.parametrize(("change", "complaint"), WRONG_EXAMPLES.values(), ids=WRONG_EXAMPLES)
def test_a_sample_that_cannot_be_shown_is_named_with_its_row(change, complaint, corpus, tmp_path, capsys):
    rows = [EXAMPLE, EXAMPLE | change]
    (tmp_path / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, shown = command(config_of(corpus, examples=str(tmp_path / "examples.jsonl")), tmp_path, capsys)
    assert (code, shown.err.count("\n")) == (2, 1)
    assert complaint in shown.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["rows.json", "rows.csv", "rows.parquet"])
def test_samples_are_read_from_tables_of_every_kind(name, tmp_path):
    import pyarrow as pa

    table = pa.Table.from_pylist([EXAMPLE])
    match name.partition(".")[2]:
        case "parquet":
            pq.write_table(table, tmp_path / name)
        case "json":
            (tmp_path / name).write_text(json.dumps([EXAMPLE]))
        case "csv":
            cells = [value if isinstance(value, str) else json.dumps(value) for value in EXAMPLE.values()]
            quoted = ['"{}"'.format(cell.replace('"', '""')) for cell in cells]
            (tmp_path / name).write_text(",".join(EXAMPLE) + "\n" + ",".join(quoted) + "\n")
    (example,) = read_examples(tmp_path / name)
    assert example == EXAMPLE


def test_a_runs_own_samples_can_be_shown_again(finished):
    folder, _ = finished
    rows = pq.read_table(next((folder / "dataset").glob("*.parquet"))).slice(0, 3)
    pq.write_table(rows, path := folder.parent / "shown.parquet")
    assert [one["question"] for one in read_examples(path)] == rows["question"].to_pylist()


def test_samples_are_bounded_in_number_and_size(corpus, tmp_path, capsys):
    (path := tmp_path / "examples.jsonl").write_text(f"{json.dumps(EXAMPLE)}\n" * (MOST_EXAMPLES + 1))
    code, shown = command(config_of(corpus, examples=str(path)), tmp_path, capsys)
    assert code == 2
    assert f"`examples` must hold 1 to {MOST_EXAMPLES} samples. Got more" in shown.err
    long = EXAMPLE | {"distractors": ["x" * MOST_EXAMPLE_BYTES]}
    path.write_text(json.dumps(long))
    code, shown = command(config_of(corpus, examples=str(path)), tmp_path, capsys)
    assert code == 2
    assert f"`examples` must come to at most {MOST_EXAMPLE_BYTES:,} bytes" in shown.err
    path.write_text("")
    assert (
        "must hold 1 to 20 samples. Got none"
        in command(config_of(corpus, examples=str(path)), tmp_path, capsys)[1].err
    )
