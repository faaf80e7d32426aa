"""The door to causal language models of the transformers library: greedy answers, losses, likelihoods.

A model with a chat template gets chats; one without, as base models are, gets the same turns as
``Question: … Answer: …`` and is cut off at the end of the line.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from kdos.errors import ConfigError
from kdos.tasks import Reply, Request, Usage

# Tokens that a greedy answer may have: the answers asked for are short.
MAX_NEW_TOKENS = 64
# Tokens, padding included, that losses are taken of at a time: a vocabulary's logits each.
BATCH_TOKENS = 2048
# Answers written at a time.
BATCH_REQUESTS = 64
# Characters of what the library says of a model that it cannot load.
REASON_CHARS = 200
Chat = Sequence[Mapping[str, str]]
TokenIds = list[int]
TokenRow = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AnswerLoss:
    """How unexpected an answer is to a model: nats a token, over `tokens` tokens."""

    nats: float
    tokens: int


class CausalModel:
    """A model by its name on the hub or its folder; an `Engine` whose answers are greedy."""

    def __init__(self, name: str, *, device: str = "") -> None:
        self._torch, transformers = import_libraries("--transformers needs torch and transformers")
        self._device = device or ("cuda" if self._torch.cuda.is_available() else "cpu")
        kind = self._torch.float32 if self._device == "cpu" else self._torch.bfloat16
        self._tokenizer, model = load_pretrained(transformers, name, dtype=kind, option="--transformers")
        self._model: Any = model.to(self._device).eval()
        self.name = name
        self.fingerprint = f"transformers/{name}/{kind}/{MAX_NEW_TOKENS}"

    def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, in their order, `BATCH_REQUESTS` at a time."""
        waiting = iter(requests)
        while held := list(islice(waiting, BATCH_REQUESTS)):
            prompts = [self._prompt_ids(request.messages) for request in held]
            written = self._generate_greedily(prompts)
            for request, prompt, ids in zip(held, prompts, written, strict=True):
                yield Reply(request, text=self._decode_answer(ids), usage=Usage(len(prompt), len(ids)))

    def answer_losses(self, pairs: Sequence[tuple[Chat, str]]) -> list[AnswerLoss]:
        """The loss of each answer after its chat, in the order of the pairs."""
        rows = [(self._prompt_ids(chat), self._answer_ids(text)) for chat, text in pairs]
        lengths = [len(prompt) + len(answer) for prompt, answer in rows]
        found: dict[int, AnswerLoss] = {}
        for batch in token_batches(lengths, BATCH_TOKENS):
            losses = self._batch_losses([rows[row] for row in batch])
            found |= dict(zip(batch, losses, strict=True))
        return [found[row] for row in range(len(rows))]

    def continuation_likelihoods(self, pairs: Sequence[tuple[str, Sequence[str]]]) -> list[list[float]]:
        """The log-likelihood, in nats, of each continuation of each text, in the order of the pairs.

        Text goes to the model as it is, no chat of it: so lm-evaluation-harness (0.4.13) measures, whose tokens these
        are. What a model has no room for is left out at the left.
        """
        asked = [self._continued_ids(text, end) for text, ends in pairs for end in ends]
        # A choice of letters is one forward pass: what comes before their last tokens is the same.
        rows = list(dict.fromkeys(row for row, _ in asked))
        wanted: dict[TokenRow, list[int]] = {row: [] for row in rows}
        for number, (row, _) in enumerate(asked):
            wanted[row].append(number)
        found: dict[int, float] = {}
        for batch in token_batches(list(map(len, rows)), BATCH_TOKENS):
            ends = [[(number, asked[number][1]) for number in wanted[rows[row]]] for row in batch]
            found |= self._batch_likelihoods([rows[row] for row in batch], ends)
        given = iter(range(len(asked)))
        return [[found[next(given)] for _ in ends] for _, ends in pairs]

    def _continued_ids(self, text: str, end: str) -> tuple[TokenRow, TokenRow]:
        """The tokens that a model reads to be asked for the last of `end`, and those of `end`."""
        # Spaces go with what follows them, as the tokens of most vocabularies have them.
        start = text.rstrip()
        prompt = self._tokenizer(start)["input_ids"]
        ids = self._tokenizer(text + end)["input_ids"][len(prompt) :]
        return tuple([*prompt, *ids][-(self._most_tokens() + 1) : -1]), tuple(ids)

    def _most_tokens(self) -> int:
        """Tokens that the model has room for."""
        config = getattr(self._model.config, "text_config", None) or self._model.config
        names = ("n_positions", "max_position_embeddings", "n_ctx")
        found = (getattr(config, name, None) for name in names)
        return next((int(most) for most in found if most), self._tokenizer.model_max_length)

    def _batch_likelihoods(
        self, rows: Sequence[TokenRow], ends: Sequence[Sequence[tuple[int, TokenRow]]]
    ) -> dict[int, float]:
        """The summed log-likelihoods of the tokens that end each row and come after it, by their numbers."""
        padding, longest = self._padding_id(), max(map(len, rows))
        ids = self._as_tensor([[*row, *[padding] * (longest - len(row))] for row in rows])
        mask = self._as_tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        with self._torch.inference_mode():
            logits = self._model(input_ids=ids, attention_mask=mask).logits
        found: dict[int, float] = {}
        for number, (row, each) in enumerate(zip(rows, ends, strict=True)):
            last = max(len(tokens) for _, tokens in each)
            among = self._torch.log_softmax(logits[number, len(row) - last : len(row)].float(), -1)
            for name, tokens in each:
                nats = among[len(among) - len(tokens) :].gather(-1, self._as_tensor([[token] for token in tokens]))
                found[name] = float(nats.sum())
        return found

    @property
    def _has_chat_template(self) -> bool:
        return bool(self._tokenizer.chat_template)

    def _prompt_ids(self, chat: Chat) -> TokenIds:
        """The tokens of a chat up to where the answer begins."""
        if not self._has_chat_template:
            return self._tokenizer(plain_prompt(chat))["input_ids"]
        text = self._tokenizer.apply_chat_template(fold_system_turn(chat), tokenize=False, add_generation_prompt=True)
        return self._tokenizer(text, add_special_tokens=False)["input_ids"]

    def _answer_ids(self, text: str) -> TokenIds:
        """The tokens of an answer as it follows its prompt."""
        shown = text if self._has_chat_template else f" {text}"
        return self._tokenizer(shown, add_special_tokens=False)["input_ids"]

    def _decode_answer(self, ids: TokenIds) -> str:
        text = self._tokenizer.decode(ids, skip_special_tokens=True).strip()
        return text if self._has_chat_template else text.partition("\n")[0]

    def _generate_greedily(self, prompts: Sequence[TokenIds]) -> list[TokenIds]:
        """Greedy continuations of the prompts, without what ends them."""
        # Padding stands on the left, so that all continuations begin at one place.
        padding = self._padding_id()
        longest = max(map(len, prompts))
        ids = self._as_tensor([[padding] * (longest - len(p)) + p for p in prompts])
        mask = self._as_tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
        with self._torch.inference_mode():
            rows = self._model.generate(
                input_ids=ids,
                attention_mask=mask,
                do_sample=False,
                max_new_tokens=MAX_NEW_TOKENS,
                pad_token_id=padding,
            )
        special = set(self._tokenizer.all_special_ids)
        written = rows[:, longest:].tolist()
        return [[token for token in row if token not in special] for row in written]

    def _batch_losses(self, rows: Sequence[tuple[TokenIds, TokenIds]]) -> list[AnswerLoss]:
        """The losses of one batch: the answers' tokens, each from those before it."""
        padding = self._padding_id()
        longest = max(len(prompt) + len(answer) for prompt, answer in rows)
        whole = [prompt + answer for prompt, answer in rows]
        ids = self._as_tensor([row + [padding] * (longest - len(row)) for row in whole])
        mask = self._as_tensor([[1] * len(row) + [0] * (longest - len(row)) for row in whole])
        with self._torch.inference_mode():
            logits = self._model(input_ids=ids, attention_mask=mask).logits
        losses: list[AnswerLoss] = []
        # Logits at place i are of token i + 1, so an answer's begin one place before it.
        for row, (prompt, answer) in enumerate(rows):
            first, last = len(prompt), len(prompt) + len(answer)
            among = logits[row, first - 1 : last - 1].float()
            nats = self._torch.nn.functional.cross_entropy(among, ids[row, first:last])
            losses.append(AnswerLoss(float(nats), len(answer)))
        return losses

    def _padding_id(self) -> int:
        known = (self._tokenizer.pad_token_id, self._tokenizer.eos_token_id)
        return next((token for token in known if token is not None), 0)

    def _as_tensor(self, rows: Sequence[TokenIds]) -> Any:
        return self._torch.tensor(rows, device=self._device)


def load_pretrained(transformers: Any, name: str, *, dtype: Any, option: str) -> tuple[Any, Any]:
    """The tokenizer and the model of a name on the hub, a folder, or a GGUF file, whose weights are unpacked.

    Raises:
        ConfigError: It cannot be loaded; `option` names the flag that it came from.
    """
    where, packed = _locate_model(name)
    with _explain_unloadable(name, option):
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, **packed)
        model = transformers.AutoModelForCausalLM.from_pretrained(where, dtype=dtype, **packed)
    if packed:  # else it would not be saved: transformers takes it for packed still
        model.hf_quantizer, model.is_quantized = None, False
        del model.config.quantization_config
    return tokenizer, model


def check_pretrained(transformers: Any, name: str, *, option: str) -> None:
    """Refuse a model whose configuration or tokenizer cannot be loaded, before long work; no weights are read.

    Raises:
        ConfigError: It cannot be loaded; `option` names the flag that it came from.
    """
    where, packed = _locate_model(name)
    with _explain_unloadable(name, option):
        transformers.AutoConfig.from_pretrained(where, **packed)
        transformers.AutoTokenizer.from_pretrained(where, **packed)


def _locate_model(name: str) -> tuple[str, dict[str, str]]:
    """What transformers calls a model, and the file in it that is packed."""
    return (str(Path(name).parent), {"gguf_file": Path(name).name}) if name.endswith(".gguf") else (name, {})


@contextmanager
def _explain_unloadable(name: str, option: str) -> Generator[None]:
    try:
        yield
    except (ImportError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:REASON_CHARS]
        raise ConfigError(f"{option} must be a causal language model that can be loaded. {name}: {reason}") from error


def plain_prompt(chat: Chat) -> str:
    """A chat as text that an untuned model goes on with; the instructions stand first."""
    shown = {"system": "{}\n\n", "user": "Question: {}\nAnswer:", "assistant": " {}\n\n"}
    return "".join(shown[turn["role"]].format(turn["content"].strip()) for turn in chat)


def fold_system_turn(chat: Chat) -> list[dict[str, str]]:
    """A chat with its instructions in the first question: not every template has room for them."""
    if not chat or chat[0]["role"] != "system":
        return [dict(turn) for turn in chat]
    instructions, first, *rest = chat
    content = f"{instructions['content'].strip()}\n\n{first['content']}"
    return [{"role": first["role"], "content": content}, *map(dict, rest)]


def token_batches(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Row numbers in batches of at most `most` tokens, padding included; long rows first."""
    # Longest first: a batch is as wide as its first row, and rows of like length share it.
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        if batch and lengths[batch[0]] * (len(batch) + 1) > most:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def import_libraries(need: str) -> tuple[Any, Any]:
    """Torch and transformers; without them a `ConfigError` that says the `need`."""
    try:
        import torch  # pyright: ignore[reportMissingImports]
        import transformers  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ConfigError(f"{need}: pip install 'kdos[train]'.") from error
    return torch, transformers
