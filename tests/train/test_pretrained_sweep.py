import json
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("transformers")

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from kdos.causal_lm import load_pretrained
from kdos.cli import main
from kdos.commands import sweep_model
from kdos.config import read_config
from kdos.errors import ConfigError
from kdos.run import run_config
from kdos.train import pretrained
from kdos.train.pools import PoolSamples
from kdos.train.pretrained import PretrainedReader, Prompt, TextCourse, rate_factor, schedule_steps
from kdos.train.pretrained_sweep import AskedFact, SourceFacts, match_questions, read_pool_texts

PLACES = ["Aarau", "Bergen", "Calais", "Dover", "Essen", "Fulda", "Ghent", "Hobart", "Izmir", "Jena", "Kiel", "Lyon"]
FIRST = ["Anna", "Bert", "Carl", "Dora", "Emil", "Fritz", "Gerda", "Hanna"]
PEOPLE = {place: [f"{first} {place[::-1].capitalize()}" for first in FIRST[:6]] for place in PLACES}
TEXTS = [f"{name} is a native of {place}." for place, names in PEOPLE.items() for name in names]


def write_lines(path: Path, rows: list[dict]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on documents about towns, the first of which several speak of."""
    folder = tmp_path_factory.mktemp("real")
    rows = [
        {"title": place, "text": " ".join(f"{name} is a native of {place}." for name in names)}
        for number, (place, names) in enumerate(PEOPLE.items())
        for _ in range(1 + 3 * (number < 2))
    ]
    source = {"kind": "text", "path": write_lines(folder / "documents.jsonl", rows), "text": "text", "title": "title"}
    run_config(read_config({"source": source, "budget": {"samples": 12}}), folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny Llama with random weights, and a tokenizer of our texts."""
    folder = tmp_path_factory.mktemp("llama")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    asked = ["Question: Where does come from?\nAnswer: Who or what"] * 5
    tokenizer.train_from_iterator(TEXTS + asked, trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=600, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


def questions(folder: Path) -> str:
    rows = [
        {"subject": name, "question": f"Where does {name} come from?", "answers": [place]}
        for place, names in PEOPLE.items()
        for name in names
    ]
    return write_lines(folder / "questions.jsonl", rows)


def test_a_model_reads_pools_and_is_asked_for_all_facts(
    run: Path, llama: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held_out = write_lines(tmp_path / "held_out.jsonl", [{"text": "Where does Anna come from?"}])
    command = ["sweep", str(run), "--out", str(tmp_path / "out"), "--model", llama, "--questions", questions(tmp_path)]
    command += ["--held-out", held_out, "--pools", "2", "--samples", "8", "--tokens", "12000", "--rate", "5e-3"]
    assert main([*command, "--workers", "1", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    arms = {row["arm"]: row for row in table["arms"]}
    assert arms.keys() == {"loop", "blind", "greedy-cover", "placebo"}
    assert table["facts"] + table["known_facts"] <= table["asked"] == 72
    loop = arms["loop"]
    assert 0 < loop["coverage"] < 1
    assert loop["recall_statement"] > 0.05, "of what was missed before, statements that were read are known"
    assert len(loop["by_popularity"]) == 10
    assert len(loop["by_pool"]) == loop["pools"] == 2
    assert [one["comparison"] for one in table["comparisons"]] == [
        "loop - blind",
        "loop - greedy-cover",
        "loop - placebo",
    ]
    assert not list((tmp_path / "out").rglob("*.safetensors")), "no checkpoint is left"
    assert main([*command, "--workers", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == table


def test_questions_are_needed(run: Path, llama: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", str(run), "--out", str(tmp_path / "out"), "--model", llama]) == 2
    assert "--model needs --questions" in capsys.readouterr().err
    rows = [{"subject": "Nobody", "question": "Who is Nobody?", "answers": ["none"]}]
    asked = ["--questions", write_lines(tmp_path / "few.jsonl", rows), "--pools", "1", "--samples", "4"]
    assert main(["sweep", str(run), "--out", str(tmp_path / "out"), "--model", llama, *asked]) == 2
    assert "--questions must ask for 32 facts" in capsys.readouterr().err


BAD_INPUT = {
    "no model": ({"--model": "nothing/there"}, "--model must be a causal language model that can be loaded"),
    "no GGUF file": ({"--model": "missing.gguf"}, "--model must be a causal language model that can be loaded"),
    "few questions": ({"--questions": [{"subject": "X", "question": "Who is X?", "answers": ["x"]}]}, "Got 0"),
    "no answers": (
        {"--questions": [{"subject": "X", "question": "Who is X?", "answers": []}]},
        "row 1, field answers",
    ),
    "no file": ({"--questions": "nowhere.jsonl"}, "--questions must be a file, a folder"),
}


@pytest.mark.parametrize(("given", "says"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_what_cannot_be_used_is_refused_before_pools_are_made(
    run: Path,
    llama: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, str | list[dict]],
    says: str,
) -> None:
    def make_pools(*_: object, **__: object) -> None:
        raise AssertionError("pools are made")

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(sweep_model, "make_pools", make_pools)
    options = {"--model": llama, "--questions": questions(tmp_path)} | given
    told = [
        word
        for name, value in options.items()
        for word in (name, value if isinstance(value, str) else write_lines(tmp_path / "given.jsonl", value))
    ]
    assert main(["sweep", str(run), "--out", str(tmp_path / "out"), *told]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_reading_goes_on_from_a_checkpoint(llama: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    course = TextCourse("a course", TEXTS, 3000, 1e-3)
    reader = PretrainedReader(llama, vocabulary_of=TEXTS)
    reader.read_texts(course, tmp_path / "none")
    whole = reader.mean_loss(TEXTS)

    monkeypatch.setattr(pretrained, "CHECKPOINT_SECONDS", 0.0)
    losses = reader._text_losses

    def die_after_a_while(rows: list[list[int]]) -> object:
        steps.append(1)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return losses(rows)

    def read_again(rows: list[list[int]]) -> object:
        raise AssertionError(rows)

    steps: list[int] = []
    monkeypatch.setattr(reader, "_text_losses", die_after_a_while)
    with pytest.raises(KeyboardInterrupt):
        reader.read_texts(course, tmp_path / "checkpoint")
    assert (tmp_path / "checkpoint").is_file()
    other = PretrainedReader(llama, vocabulary_of=TEXTS)
    other.read_texts(course, tmp_path / "checkpoint")
    assert other.mean_loss(TEXTS) == whole
    monkeypatch.setattr(other, "_text_losses", read_again)
    other.forget()
    other.read_texts(course, tmp_path / "checkpoint")
    assert other.mean_loss(TEXTS) == whole, "what was read to its end is not read again"


def test_scores_are_those_of_the_model(llama: str) -> None:
    reader = PretrainedReader(llama)
    prompts = [Prompt("Anna Uaraa is a native of", " Aarau"), Prompt("Where", " does"), Prompt("Where", " Bergen")]
    scores = reader.score_prompts(prompts)
    for prompt, nats in zip(prompts, scores.nats, strict=True):
        shown = reader._tokenizer(prompt.shown)["input_ids"]
        answer = reader._tokenizer(prompt.answer)["input_ids"]
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            logits = reader._model(input_ids=torch.tensor([shown + answer])).logits[0].float()
        wanted = torch.tensor(answer)
        ours = torch.nn.functional.cross_entropy(logits[len(shown) - 1 : -1], wanted, reduction="sum")
        assert nats == pytest.approx(float(ours), rel=0.02)


def test_a_model_whose_scores_are_something_else_is_refused(llama: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = LlamaForCausalLM.forward

    def capped(self: LlamaForCausalLM, **inputs: object) -> object:
        found = forward(self, **inputs)
        found.logits = torch.tanh(found.logits)
        return found

    monkeypatch.setattr(LlamaForCausalLM, "forward", capped)
    with pytest.raises(ConfigError, match="scores are its last hidden state"):
        PretrainedReader(llama)


def test_every_text_is_read_equally_often() -> None:
    lengths = [5 + number % 20 for number in range(150)]
    course = TextCourse("key", ["text"] * 150, 3 * sum(lengths), rate=1e-3)
    steps = schedule_steps(lengths, course)
    times = np.bincount(list(chain.from_iterable(steps)), minlength=150)
    assert times.min() == times.max() == 3
    assert all(max(lengths[row] for row in step) * len(step) <= 512 for step in steps)
    assert steps != schedule_steps(lengths, replace(course, key="another"))
    assert len(schedule_steps(lengths, replace(course, tokens=100))) < len(steps) / 10


def test_replay_stands_between_the_texts() -> None:
    lengths = [10] * 120 + [20] * 30
    course = TextCourse("key", ["text"] * 120, 4800, rate=1e-3, replay=["again"] * 30, replay_share=0.25)
    steps = schedule_steps(lengths, course)
    times = np.bincount(list(chain.from_iterable(steps)), minlength=150)
    assert times[120:].sum() * 20 == pytest.approx(0.25 * 4800, rel=0.1)
    assert set(times[120:]) == {2}, "all of it before any a third time"
    first, last = steps[: len(steps) // 2], steps[len(steps) // 2 :]
    assert all(any(row >= 120 for row in chain.from_iterable(half)) for half in (first, last))


def test_the_rate_warms_up_and_falls_to_nothing() -> None:
    factors = [rate_factor(step, 100) for step in range(100)]
    assert max(factors) == 1
    assert factors.index(1) < 10
    assert factors[-1] < 0.02
    assert all(factor > 0 for factor in factors)


def test_a_question_is_matched_by_subject_and_answer() -> None:
    facts = SourceFacts(
        ["Anna Smith lives in Bergen.", "In 1900: Anna Smith lives in Bergen.", "Anna, too, lives in Dover."],
        multiplicity=np.array([1, 1, 2]),
    )
    asked = match_questions(
        facts,
        [
            ("Anna Smith", "Where does Anna Smith live?", "Bergen"),
            ("Anna Smith", "In which town is Anna Smith at home?", "Bergen"),
            ("Anna", "Where does Anna live?", "Dover"),
            ("Bert", "Where does Bert live?", "Dover"),
        ],
    )
    assert [fact.row for fact in asked] == [0, 2, None], "a statement answers one question"
    assert asked[0].prompts()["statement"] == Prompt("Anna Smith lives in", " Bergen")
    assert asked[0].prompts()["people"] == Prompt("Question: Where does Anna Smith live?\nAnswer:", " Bergen")
    assert "statement" not in asked[2].prompts()
    assert "statement" not in AskedFact("Q?", "Rome", "Rome is old.", 0).prompts()


def test_the_points_of_a_sample_are_texts_of_their_own() -> None:
    facts = SourceFacts(["A is b.", "C is d."], multiplicity=np.array([1, 1]))
    pool = PoolSamples(
        ["What is A?"], answers=["b"], points=[["A is b.", "Title: C is d.", "E."]], calls=np.array([1])
    )
    read = read_pool_texts(facts, [pool, pool.keep([])])
    assert read.texts == [["What is A?\nb", "A is b.", "Title: C is d.", "E."], []]
    assert read.exposures.tolist() == [[1, 1], [0, 0]]


def test_a_gguf_file_is_unpacked() -> None:
    """Transformers is asked as its documentation says; no GGUF file is small enough to stand here."""
    calls: list[tuple[str, dict]] = []

    def load(where: str, **named: object) -> SimpleNamespace:
        calls.append((where, named))
        return SimpleNamespace(hf_quantizer=1, is_quantized=True, config=SimpleNamespace(quantization_config=1))

    loader = SimpleNamespace(from_pretrained=load)
    library = SimpleNamespace(AutoTokenizer=loader, AutoModelForCausalLM=loader)
    _, model = load_pretrained(library, "models/small.gguf", dtype="float32", option="--model")
    assert calls == [
        ("models", {"gguf_file": "small.gguf"}),
        ("models", {"gguf_file": "small.gguf", "dtype": "float32"}),
    ]
    assert not model.is_quantized
    assert not hasattr(model.config, "quantization_config")
