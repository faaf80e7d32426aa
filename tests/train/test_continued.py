import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers")

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from kdos.cli import main
from kdos.train import ContinuedTraining, Triple
from kdos.train.continued import distractor_values, scheduled_texts

VALUES = ("red ink", "blue", "green", "black", "white")


def facts(kind: str, count: int) -> list[Triple]:
    return [Triple(f"{kind}{n}", "colour", VALUES[(3 * n) % 5]) for n in range(count)]


@pytest.fixture
def llama(tmp_path: Path) -> str:
    """A tiny Llama with random weights, and a tokenizer of whole words."""
    said = [f"{kind}{n}" for kind in ("old", "new") for n in range(12)]
    words = [
        "<pad>",
        *said,
        *["the", "colour", "of", "is", "has", "as", "for", ",", "red", "ink", "blue", "green", "black", "white"],
    ]
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, "<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>").save_pretrained(tmp_path)
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    return str(tmp_path)


def table(path: Path, rows: list[Triple]) -> str:
    lines = ({"subject": s, "relation": r, "object": v} for s, r, v in rows)
    path.write_text("\n".join(map(json.dumps, lines)))
    return str(path)


def test_a_model_learns_facts_and_replay_keeps_the_base(
    llama: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new, old = (table(tmp_path / "new.jsonl", facts("new", 12)), table(tmp_path / "old.jsonl", facts("old", 12)))

    def taught(model: str, out: str, *flags: str) -> dict:
        command = ["train", "--model", model, "--rate", "3e-3", "--out", str(tmp_path / out)]
        assert main([*command, *flags]) == 0
        return json.loads(capsys.readouterr().out)

    first = taught(llama, "first", "--facts", old, "--exposures", "60")
    assert first["after"]["recall"] > 0.9 > 0.5 > first["before"]["recall"]
    assert first["after"]["nats"] < first["before"]["nats"]
    base = str(tmp_path / "first" / "model")
    kept = taught(base, "kept", "--facts", new, "--base", old, "--replay-share", "0.5")
    lost = taught(base, "lost", "--facts", new, "--base", old, "--replay-share", "0")

    assert kept["before"]["base_recall"] == first["after"]["recall"]
    assert kept["after"]["base_nats"] < lost["after"]["base_nats"]
    assert (kept["presentations"], lost["presentations"]) == (720, 360)


def test_a_course_shows_each_fact_equally_often_and_never_its_held_out_wording() -> None:
    course = ContinuedTraining(facts("new", 12), facts("old", 6), 30, share=0.25, rate=1e-3, random_seed=0)
    shown = scheduled_texts(course)
    new = [(fact, wording) for fact, wording in shown if fact in course.facts]

    assert len(shown) == 480
    assert len(new) == 360
    assert all(wording != course.facts.index(fact) % 4 for fact, wording in new)
    assert set(np.unique([fact.subject for fact, _ in new], return_counts=True)[1]) == {30}


def test_rivals_are_other_values() -> None:
    columns = distractor_values(facts("new", 12), random_seed=0)
    for fact, *rivals in zip(facts("new", 12), *columns, strict=True):
        assert len({fact.value, *rivals}) == 4


def test_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert main(["train", "--model", "m", *out]) == 2
    assert "--model needs --facts" in capsys.readouterr().err
    few = table(tmp_path / "few.jsonl", facts("new", 3))
    assert main(["train", "--model", "m", "--facts", few, *out]) == 2
    assert "must hold 4 different objects" in capsys.readouterr().err
    known = table(tmp_path / "known.jsonl", facts("new", 12))
    assert main(["train", "--model", str(tmp_path / "no"), "--facts", known, *out]) == 2
    assert "--model must be a causal language model" in " ".join(capsys.readouterr().err.split())
