import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.causal_lm import CausalModel, fold_system_turn, plain_prompt, token_batches
from kdos.errors import ConfigError
from kdos.tasks import ask_recall

CHAT = [
    {"role": "system", "content": "Answer."},
    {"role": "user", "content": "Capital of Spain?"},
    {"role": "assistant", "content": "Madrid"},
    {"role": "user", "content": "Capital of France?"},
]


def test_a_chat_as_plain_text():
    assert plain_prompt(CHAT) == (
        "Answer.\n\nQuestion: Capital of Spain?\nAnswer: Madrid\n\nQuestion: Capital of France?\nAnswer:"
    )


def test_instructions_go_into_the_first_question():
    assert fold_system_turn(CHAT)[0] == {"role": "user", "content": "Answer.\n\nCapital of Spain?"}
    assert fold_system_turn(CHAT)[1:] == CHAT[2:]
    assert fold_system_turn(CHAT[1:]) == CHAT[1:]


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 120))
def test_batches_hold_every_row_once_and_fit(lengths, most):
    batches = list(token_batches(lengths, most))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= most


def test_missing_packages_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ConfigError, match=r"pip install 'kdos\[train\]'"):
        CausalModel("somewhere")


@pytest.fixture(scope="module", params=["plain", "chat"])
def folder(request, tmp_path_factory):
    """A tiny Llama with random weights and a tokenizer of characters."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    path = tmp_path_factory.mktemp("model") / request.param
    letters = ["<pad>", "</s>", *map(chr, range(32, 127)), "\n"]
    words = tokenizers.models.WordLevel({c: n for n, c in enumerate(letters)}, unk_token="<pad>")
    characters = tokenizers.Tokenizer(words)
    characters.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex(r"[\s\S]"), "isolated")
    characters.decoder = tokenizers.decoders.Fuse()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=characters, pad_token="<pad>", eos_token="</s>")
    if request.param == "chat":
        tokenizer.chat_template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant] "
    tokenizer.save_pretrained(path)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(letters),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(path)
    return str(path)


def test_losses_are_those_of_one_answer_at_a_time(folder):
    torch = pytest.importorskip("torch")
    model = CausalModel(folder, device="cpu")
    pairs = [(CHAT, "Paris"), (CHAT[:2], "x"), (CHAT[1:2], "Somewhere in the north of it")] * 9
    losses = model.answer_losses(pairs)
    for (chat, answer), loss in zip(pairs, losses, strict=True):
        prompt, ids = model._prompt_ids(chat), model._answer_ids(answer)
        assert loss.tokens == len(ids) >= len(answer)
        with torch.inference_mode():
            logits = model._model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
        each = -torch.log_softmax(logits, -1)[range(len(ids)), ids]
        assert loss.nats == pytest.approx(float(each.mean()), rel=1e-4)


def test_answers_are_the_same_alone_and_in_a_batch(folder):
    model = CausalModel(folder, device="cpu")
    requests = [ask_recall(str(n), question="Who? " * n) for n in range(1, 8)]
    together = [reply.text for reply in model.complete(requests)]
    alone = [next(iter(model.complete([request]))).text for request in requests]
    assert together == alone
    assert any(together)


def test_a_folder_that_is_no_model(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(ConfigError, match=r"--transformers must be a causal language model"):
        CausalModel(str(tmp_path))


def test_likelihoods_are_those_of_one_continuation_at_a_time(folder):
    torch = pytest.importorskip("torch")
    model = CausalModel(folder, device="cpu")
    pairs = [
        ("Capital of France?\nA. Paris\nB. Rome\nAnswer:", [" A", " B"]),
        ("Question: Who?\nAnswer: ", ["Ada Lovelace", "Grace", "x", "x"]),
        ("Longer than there is room for. " * 40 + "Answer:", [" A", " C"]),
    ] * 3
    found = model.continuation_likelihoods(pairs)
    assert [len(each) for each in found] == [2, 4, 2] * 3
    for (text, ends), nats in zip(pairs, found, strict=True):
        for end, one in zip(ends, nats, strict=True):
            start = text.rstrip()
            tail = f"{text}{end}"[len(start) :]
            prompt, answer = (model._tokenizer(part, add_special_tokens=False)["input_ids"] for part in (start, tail))
            ids = [*prompt, *answer][-513:]  # the model has room for 512 tokens, and the last is not read
            with torch.inference_mode():
                logits = model._model(torch.tensor([ids[:-1]])).logits[0, -len(answer) :]
            each = torch.log_softmax(logits, -1)[range(len(answer)), answer]
            assert one == pytest.approx(float(each.sum()), abs=1e-4)
