"""The exports in the trainers that they are made for; skipped where those are not installed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import orjson
import pyarrow as pa
import pytest
import yaml

from kdos.export import load_tokenizer, write_llamafactory, write_packed, write_trl

Make = Callable[[int], pa.Table]
END = "<end>"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture
def tokenizer(tmp_path: Path, some_samples: Make) -> Path:
    """A byte-level tokenizer of the samples' own text, as a Hugging Face folder."""
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.ByteLevelBPETokenizer()
    texts = [row["question"] + row["answer"] for row in some_samples(40).to_pylist()]
    made.train_from_iterator(texts, vocab_size=400, special_tokens=[END])
    folder = tmp_path / "model"
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))
    template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": END,
        "chat_template": template,
    }
    (folder / "tokenizer_config.json").write_bytes(orjson.dumps(config))
    return folder


def tiny_llama(n_tokens: int) -> Any:
    """A Llama of two small layers with random weights."""
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        vocab_size=n_tokens,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=512,
    )
    return transformers.LlamaForCausalLM(config)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("kind", ["prompt_completion", "conversational"])
def test_trl_trains_on_both_layouts(tmp_path: Path, some_samples: Make, tokenizer: Path, kind: str) -> None:
    trl = pytest.importorskip("trl")
    transformers = pytest.importorskip("transformers")
    write_trl({"train": some_samples(40)}, tmp_path / "out")
    rows = datasets.load_dataset(str(tmp_path / "out" / kind), cache_dir=str(tmp_path / "cache"))
    reader = transformers.AutoTokenizer.from_pretrained(tokenizer)
    settings = trl.SFTConfig(
        output_dir=str(tmp_path / "trained"),
        max_steps=5,
        per_device_train_batch_size=4,
        report_to="none",
        use_cpu=True,
        bf16=False,
        save_strategy="no",
    )
    trainer = trl.SFTTrainer(
        model=tiny_llama(len(reader)), args=settings, train_dataset=rows["train"], processing_class=reader
    )
    result = trainer.train()
    assert result.global_step == 5
    assert result.training_loss > 0


def test_a_model_trains_on_packed_sequences(tmp_path: Path, some_samples: Make, tokenizer: Path) -> None:
    torch = pytest.importorskip("torch")
    encoder = load_tokenizer(tokenizer)
    splits = {"train": some_samples(40)}
    write_packed(splits, encoder, tmp_path / "out", length=128, random_seed=0)
    rows = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))["train"]
    torch.manual_seed(0)
    model = tiny_llama(400)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for row in rows.select(range(6)):
        ids = torch.tensor([row["input_ids"]])
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("layout", ["kdos_alpaca", "kdos_sharegpt"])
def test_llamafactory_loads_what_it_is_given(
    tmp_path: Path, some_samples: Make, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = pytest.importorskip("llamafactory.data.parser")
    converter = pytest.importorskip("llamafactory.data.converter")
    hparams = pytest.importorskip("llamafactory.hparams")
    samples = some_samples(40)
    write_llamafactory({"train": samples}, tmp_path / "out")
    training = yaml.safe_load((tmp_path / "out" / "train.yaml").read_text())
    monkeypatch.chdir(tmp_path / "out")
    (attributes,) = parser.get_dataset_list([layout], training["dataset_dir"])
    rows = datasets.load_dataset("json", data_files=attributes.dataset_name, cache_dir=str(tmp_path / "cache"))[
        "train"
    ]
    data_args = hparams.DataArguments(dataset=layout, template=training["template"])
    aligned = rows.map(converter.get_dataset_converter(attributes.formatting, attributes, data_args))
    turns = [(row["_prompt"][-1]["content"], row["_response"][0]["content"]) for row in aligned]
    assert turns == [(row["question"], row["answer"]) for row in samples.to_pylist()]


def test_llamafactory_reads_the_training_settings(
    tmp_path: Path, some_samples: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    hparams = pytest.importorskip("llamafactory.hparams")
    samples = some_samples(40)
    write_llamafactory({"train": samples, "test": samples.slice(0, 5)}, tmp_path / "out")
    monkeypatch.chdir(tmp_path / "out")
    settings = yaml.safe_load(Path("train.yaml").read_text()) | {"bf16": False, "use_cpu": True}
    _, data, training, *_ = hparams.get_train_args(settings)
    assert data.dataset == ["kdos_alpaca"]
    assert data.eval_dataset == ["kdos_alpaca_test"]
    assert training.num_train_epochs == 3
