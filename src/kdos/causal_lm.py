"""The door to causal language models of the transformers library: greedy answers, and losses.

A model with a chat template gets chats; one without, as base models are, gets the same turns as
``Question: … Answer: …`` and is cut off at the end of the line.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kdos.errors import ConfigError
from kdos.tasks import Reply, Request, Usage

NEW_TOKENS = 64
"""Tokens that a greedy answer may have: the answers asked for are short."""
BATCH_TOKENS = 2048
"""Tokens, padding included, that losses are taken of at a time: a vocabulary's logits each."""
BATCH_REQUESTS = 64
"""Answers written at a time."""
Chat = Sequence[Mapping[str, str]]
Ids = list[int]


@dataclass(frozen=True, slots=True)
class Loss:
    """How unexpected an answer is to a model: nats a token, over `tokens` tokens."""

    nats: float
    tokens: int


class CausalModel:
    """A model by its name on the hub or its folder; an `Engine` whose answers are greedy."""

    def __init__(self, name: str, *, device: str = "") -> None:
        self._torch, transformers = _libraries()
        self._device = device or ("cuda" if self._torch.cuda.is_available() else "cpu")
        kind = self._torch.float32 if self._device == "cpu" else self._torch.bfloat16
        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(name)
            model: Any = transformers.AutoModelForCausalLM.from_pretrained(name, dtype=kind)
        except (OSError, ValueError) as error:
            raise ConfigError(
                "--transformers must be a causal language model that can be loaded. "
                f"{name}: {str(error).splitlines()[0]}"
            ) from error
        self._model: Any = model.to(self._device).eval()
        self.name = name
        self.fingerprint = f"transformers/{name}/{kind}/{NEW_TOKENS}"

    def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, in their order, `BATCH_REQUESTS` at a time."""
        waiting = iter(requests)
        while held := list(islice(waiting, BATCH_REQUESTS)):
            prompts = [self._prompt(request.messages) for request in held]
            written = self._write(prompts)
            for request, prompt, ids in zip(held, prompts, written, strict=True):
                yield Reply(request, text=self._text(ids), usage=Usage(len(prompt), len(ids)))

    def losses(self, pairs: Sequence[tuple[Chat, str]]) -> list[Loss]:
        """The loss of each answer after its chat, in the order of the pairs."""
        rows = [(self._prompt(chat), self._answer(text)) for chat, text in pairs]
        lengths = [len(prompt) + len(answer) for prompt, answer in rows]
        found: dict[int, Loss] = {}
        for batch in in_batches(lengths, BATCH_TOKENS):
            losses = self._losses([rows[row] for row in batch])
            found |= dict(zip(batch, losses, strict=True))
        return [found[row] for row in range(len(rows))]

    @property
    def _chats(self) -> bool:
        return bool(self._tokenizer.chat_template)

    def _prompt(self, chat: Chat) -> Ids:
        """The tokens of a chat up to where the answer begins."""
        if not self._chats:
            return self._tokenizer(as_plain(chat))["input_ids"]
        text = self._tokenizer.apply_chat_template(
            without_system(chat), tokenize=False, add_generation_prompt=True
        )
        return self._tokenizer(text, add_special_tokens=False)["input_ids"]

    def _answer(self, text: str) -> Ids:
        """The tokens of an answer as it follows its prompt."""
        shown = text if self._chats else f" {text}"
        return self._tokenizer(shown, add_special_tokens=False)["input_ids"]

    def _text(self, ids: Ids) -> str:
        text = self._tokenizer.decode(ids, skip_special_tokens=True).strip()
        return text if self._chats else text.partition("\n")[0]

    def _write(self, prompts: Sequence[Ids]) -> list[Ids]:
        """Greedy continuations of the prompts, without what ends them."""
        padding = self._padding()
        longest = max(map(len, prompts))
        ids = self._tensor([[padding] * (longest - len(p)) + p for p in prompts])
        mask = self._tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
        with self._torch.inference_mode():
            rows = self._model.generate(
                input_ids=ids,
                attention_mask=mask,
                do_sample=False,
                max_new_tokens=NEW_TOKENS,
                pad_token_id=padding,
            )
        special = set(self._tokenizer.all_special_ids)
        written = rows[:, longest:].tolist()
        return [[token for token in row if token not in special] for row in written]

    def _losses(self, rows: Sequence[tuple[Ids, Ids]]) -> list[Loss]:
        """The losses of one batch: the answers' tokens, each from those before it."""
        padding = self._padding()
        longest = max(len(prompt) + len(answer) for prompt, answer in rows)
        whole = [prompt + answer for prompt, answer in rows]
        ids = self._tensor([row + [padding] * (longest - len(row)) for row in whole])
        mask = self._tensor([[1] * len(row) + [0] * (longest - len(row)) for row in whole])
        with self._torch.inference_mode():
            logits = self._model(input_ids=ids, attention_mask=mask).logits
        losses: list[Loss] = []
        for row, (prompt, answer) in enumerate(rows):
            first, last = len(prompt), len(prompt) + len(answer)
            among = logits[row, first - 1 : last - 1].float()
            nats = self._torch.nn.functional.cross_entropy(among, ids[row, first:last])
            losses.append(Loss(float(nats), len(answer)))
        return losses

    def _padding(self) -> int:
        known = (self._tokenizer.pad_token_id, self._tokenizer.eos_token_id)
        return next((token for token in known if token is not None), 0)

    def _tensor(self, rows: Sequence[Ids]) -> Any:
        return self._torch.tensor(rows, device=self._device)


def as_plain(chat: Chat) -> str:
    """A chat as text that an untuned model goes on with; the instructions stand first."""
    shown = {"system": "{}\n\n", "user": "Question: {}\nAnswer:", "assistant": " {}\n\n"}
    return "".join(shown[turn["role"]].format(turn["content"].strip()) for turn in chat)


def without_system(chat: Chat) -> list[dict[str, str]]:
    """A chat with its instructions in the first question: not every template has room for them."""
    if not chat or chat[0]["role"] != "system":
        return [dict(turn) for turn in chat]
    instructions, first, *rest = chat
    content = f"{instructions['content'].strip()}\n\n{first['content']}"
    return [{"role": first["role"], "content": content}, *map(dict, rest)]


def in_batches(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Row numbers in batches of at most `most` tokens, padding included; long rows first."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        if batch and lengths[batch[0]] * (len(batch) + 1) > most:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _libraries() -> tuple[Any, Any]:
    try:
        import torch  # pyright: ignore[reportMissingImports]
        import transformers  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ConfigError(
            "--transformers needs torch and transformers: pip install 'kdos[train]'."
        ) from error
    return torch, transformers
