"""The door to transformers for whole texts: a pretrained model reads the texts of a pool and is asked what it knows.

Its layers learn; its embeddings, which are what it answers with too, stay as they are. The loss of a text is taken
over the tokens that any of the texts may hold and a sample of the others (sampled softmax), since a vocabulary of a
quarter of a million tokens would take more time than all layers; questions are asked of the whole vocabulary.
"""

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from safetensors import safe_open
from safetensors.torch import save_file

from kdos.arrays import BoolArray, Float64Array, Int64Array
from kdos.causal_lm import TokenIds, import_libraries, load_pretrained, token_batches
from kdos.chance import keyed_generator
from kdos.errors import ConfigError
from kdos.store import atomic_file
from kdos.train.ensemble import functional, torch

TOKENS_PER_STEP, TOKENS_PER_PROBE = 512, 1024
"""Tokens of a step and of a probe, padding included."""
SCORED_AT_ONCE = 128
"""Tokens whose scores of the whole vocabulary are in memory together, 1 MB each for a quarter of a million."""
WINDOW_TEXTS = 64
"""Texts that steps are cut out of, those of like length together."""
SAMPLED_TOKENS = 4096
"""Of the vocabulary, beside the tokens of the texts, in the loss."""
WARM_UP_SHARE = 0.05
CHECKPOINT_SECONDS = 60.0
OPTIMIZER_STATE = ("step", "exp_avg", "exp_avg_sq")
TOLERATED_LOGIT_ERROR = 1e-3


class Prompt(NamedTuple):
    """What a model is shown, and how it should go on."""

    shown: str
    answer: str


@dataclass(frozen=True, slots=True)
class PromptScores:
    """How a model goes on; row i of every array, shape (n_prompts,), is prompt i.

    `right`: its first choice is every token of the answer in turn. `nats` is how unexpected the answer is.
    """

    right: BoolArray
    nats: Float64Array


@dataclass(frozen=True)
class TextCourse:
    """What a model reads: `texts` over and over in new orders, at a learning rate up to `rate`.

    It reads `tokens` in all; about a share of `replay_share` of them, in [0, 1), are of the texts `replay`, between
    the others. `key` names the course and settles the order.
    """

    key: str
    texts: Sequence[str]
    tokens: int
    rate: float
    replay: Sequence[str] = ()
    replay_share: float = 0.0

    @cached_property
    def digest(self) -> str:
        """What tells it from every other course."""
        return hashlib.sha256(orjson.dumps(astuple(self))).hexdigest()


class PretrainedReader:
    """A causal language model by its name on the hub, its folder, or its GGUF file.

    Raises:
        ConfigError: It cannot be loaded, or its scores are not its last hidden state times a matrix.
    """

    def __init__(self, name: str, *, vocabulary_of: Sequence[str] = ()) -> None:
        torch.set_num_threads(1)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        _, transformers = import_libraries("--model needs transformers")
        self._tokenizer, model = load_pretrained(transformers, name, dtype=torch.float32, option="--model")
        self._model: Any = model.to(self._device).eval()
        self._output: Any = self._model.get_output_embeddings().weight
        self._output.requires_grad_(False)
        self._model.get_input_embeddings().weight.requires_grad_(False)
        self._learned = {key: each for key, each in self._model.named_parameters() if each.requires_grad}
        self._begin = {key: each.detach().clone() for key, each in self._learned.items()}
        self._check_output()
        self._loss_tokens = self._sample_vocabulary(vocabulary_of)
        self._loss_output = self._output[self._loss_tokens].to(torch.bfloat16)

    @property
    def params(self) -> int:
        """Its parameters, embeddings not counted."""
        return sum(each.numel() for each in self._learned.values())

    def forget(self) -> None:
        """Be as it was loaded."""
        with torch.no_grad():
            for key, each in self._learned.items():
                each.copy_(self._begin[key])

    def read_texts(self, course: TextCourse, checkpoint: Path) -> int:
        """Learn from texts; returns how many steps it took.

        `checkpoint` holds how far it has come, at most a minute ago; at the end, that it has come there.
        """
        texts = self._tokenize([*course.texts, *course.replay])
        steps = schedule_steps([len(text) for text in texts], course)
        self.forget()
        optimizer = torch.optim.AdamW(self._learned.values(), lr=course.rate, weight_decay=0.0, fused=True)
        done = self._load_checkpoint(checkpoint, course, optimizer)
        saved = time.monotonic()
        for number, rows in enumerate(steps[done:], done):
            if number > done and time.monotonic() > saved + CHECKPOINT_SECONDS:
                self._save_checkpoint(checkpoint, course, optimizer, number)
                saved = time.monotonic()
            for group in optimizer.param_groups:
                group["lr"] = course.rate * rate_factor(number, len(steps))
            loss = self._text_losses([texts[row] for row in rows]).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        self._save_checkpoint(checkpoint, course, optimizer, len(steps))
        return len(steps)

    def score_prompts(self, prompts: Sequence[Prompt]) -> PromptScores:
        """Ask each prompt, greedily and of the whole vocabulary."""
        rows = [self._tokenize_prompt(prompt) for prompt in prompts]
        right, nats = np.zeros(len(rows), bool), np.zeros(len(rows))
        for batch in token_batches([len(ids) for ids, _ in rows], TOKENS_PER_PROBE):
            asked = [rows[row] for row in batch]
            losses, hits = self._score_tokens([ids for ids, _ in asked], [start for _, start in asked])
            ends = np.cumsum([len(ids) - start for ids, start in asked])[:-1]
            right[batch] = [part.all() for part in np.split(hits, ends)]
            nats[batch] = [part.sum() for part in np.split(losses, ends)]
        return PromptScores(right, nats)

    def mean_loss(self, texts: Sequence[str]) -> float:
        """Nats a token of some texts, of the whole vocabulary."""
        rows = self._tokenize(texts)
        batches = token_batches([len(row) for row in rows], TOKENS_PER_PROBE)
        losses = [self._score_tokens([rows[row] for row in batch], [1] * len(batch))[0] for batch in batches]
        return float(np.concatenate(losses).mean())

    def _score_tokens(self, rows: Sequence[TokenIds], starts: Sequence[int]) -> tuple[Float64Array, BoolArray]:
        """Of the tokens from `starts` on, row after row: nats, and whether each was the first choice."""
        with torch.inference_mode():
            states = self._hidden_states(rows)
            places = list(zip(rows, starts, strict=True))
            kept = torch.cat([states[n, start - 1 : len(row) - 1] for n, (row, start) in enumerate(places)])
            wanted = torch.tensor([token for row, start in places for token in row[start:]], device=self._device)
            losses: list[Any] = []
            hits: list[Any] = []
            for some, these in zip(kept.split(SCORED_AT_ONCE), wanted.split(SCORED_AT_ONCE), strict=True):
                scores = some.float() @ self._output.T
                losses.append(functional.cross_entropy(scores, these, reduction="none"))
                hits.append(scores.argmax(-1) == these)
        return torch.cat(losses).double().cpu().numpy(), torch.cat(hits).cpu().numpy()

    def _tokenize(self, texts: Sequence[str]) -> list[TokenIds]:
        """With what the model is used to at the begin of a text."""
        return self._tokenizer(list(texts))["input_ids"]

    def _tokenize_prompt(self, prompt: Prompt) -> tuple[TokenIds, int]:
        """The tokens of a prompt and its answer, and where the answer begins."""
        shown = self._tokenizer(prompt.shown)["input_ids"]
        return shown + self._tokenizer(prompt.answer, add_special_tokens=False)["input_ids"], len(shown)

    def _hidden_states(self, rows: Sequence[TokenIds]) -> Any:
        """The last hidden states of some texts, shape (n, longest, width); padding at the end changes none."""
        ids = torch.zeros((len(rows), max(map(len, rows))), dtype=torch.long)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = torch.tensor(row)
        with torch.autocast(self._device, torch.bfloat16):
            return self._model.base_model(input_ids=ids.to(self._device)).last_hidden_state

    def _text_losses(self, rows: Sequence[TokenIds]) -> Any:
        """Nats of every token but the first of some texts, over the tokens of the loss."""
        states = self._hidden_states(rows)
        kept = torch.cat([states[place, : len(row) - 1] for place, row in enumerate(rows)])
        wanted = torch.tensor([token for row in rows for token in row[1:]], device=self._device)
        scores = (kept.to(torch.bfloat16) @ self._loss_output.T).float()
        return functional.cross_entropy(scores, torch.searchsorted(self._loss_tokens, wanted), reduction="none")

    def _sample_vocabulary(self, texts: Sequence[str]) -> Any:
        """The tokens of texts and a random sample of all others, in order."""
        tokens = {token for row in self._tokenize(texts) for token in row} if texts else set[int]()
        others = keyed_generator(0, "vocabulary").permutation(len(self._output))[:SAMPLED_TOKENS]
        return torch.tensor(sorted(tokens.union(others.tolist())), device=self._device)

    def _check_output(self) -> None:
        """Scores are taken from the last hidden state here: a model that does more with it is refused."""
        ids = torch.arange(1, 9, device=self._device)[None]
        with torch.inference_mode():
            scores = self._model(input_ids=ids).logits.float()
            ours = self._model.base_model(input_ids=ids).last_hidden_state.float() @ self._output.T.float()
        if float((scores - ours).abs().max()) > TOLERATED_LOGIT_ERROR * float(scores.abs().max()):
            raise ConfigError(
                "--model must be a model whose scores are its last hidden state times its output embeddings. "
                f"{type(self._model).__name__} caps or shifts them. Take another one."
            )

    def _save_checkpoint(self, path: Path, course: TextCourse, optimizer: Any, done: int) -> None:
        tensors = {f"{key}.weight": each.detach() for key, each in self._learned.items()}
        for key, each in self._learned.items():
            tensors |= {f"{key}.{name}": value for name, value in optimizer.state[each].items()}
        with atomic_file(path) as file:  # by its name: the tensors as one text would be in memory twice more
            save_file(tensors, file.name, {"course": course.digest, "done": str(done)})

    def _load_checkpoint(self, path: Path, course: TextCourse, optimizer: Any) -> int:
        """How many steps were done; 0 without a checkpoint of this course."""
        if not path.is_file():
            return 0
        with safe_open(path, framework="pt", device=self._device) as file:
            if file.metadata()["course"] != course.digest:
                return 0
            for key, each in self._learned.items():
                with torch.no_grad():
                    each.copy_(file.get_tensor(f"{key}.weight"))
                optimizer.state[each] = {name: file.get_tensor(f"{key}.{name}") for name in OPTIMIZER_STATE}
            return int(file.metadata()["done"])


def rate_factor(step: int, steps: int) -> float:
    """Of the learning rate: it warms up, then falls to 0 in a line."""
    warm_up = max(1, round(WARM_UP_SHARE * steps))
    return min((step + 1) / warm_up, (steps - step) / max(1, steps - warm_up))


def schedule_steps(lengths: Sequence[int], course: TextCourse) -> list[list[int]]:
    """The texts of each step by their row: all of them in a new random order each time round, replay between them.

    `lengths` are the tokens of each text, those of the replay last.
    """
    rng = keyed_generator(0, "course", course.key)
    count = len(course.texts)
    replayed = _shuffled_rounds(np.arange(count, len(lengths)), rng)
    replay_tokens = sum(lengths[:count]) * course.replay_share / (1 - course.replay_share)
    steps: list[list[int]] = []
    read = 0
    while True:
        rows, mixed_in = list(range(count)), 0
        while course.replay and mixed_in < replay_tokens:
            rows.append(next(replayed))
            mixed_in += lengths[rows[-1]]
        for step in _cut_into_steps(rng.permutation(rows).tolist(), lengths):
            if read >= course.tokens:
                return steps
            steps.append(step)
            read += sum(lengths[row] for row in step)


def _shuffled_rounds(rows: Int64Array, rng: np.random.Generator) -> Iterator[int]:
    """Rows for ever, in a new order each time round."""
    while True:
        yield from rng.permutation(rows).tolist()


def _cut_into_steps(order: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    for low in range(0, len(order), WINDOW_TEXTS):
        window = order[low : low + WINDOW_TEXTS]
        for batch in token_batches([lengths[row] for row in window], TOKENS_PER_STEP):
            yield [window[place] for place in batch]
