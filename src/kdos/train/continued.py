"""The door to transformers: a causal language model taught facts on top of what it knows.

It is shown what proxies are shown, in words: three wordings of each fact, the loss on the value,
a share of base facts between them. And it is probed as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kdos.causal_lm import import_libraries, load_pretrained
from kdos.chance import keyed_generator
from kdos.store import atomic_folder
from kdos.train.ensemble import functional, torch
from kdos.train.facts import WORDINGS, Triple, fact_sentence, held_out_wordings
from kdos.train.proxies import CHOICE_OPTIONS, FactRecall, mix_in_replay

# Texts in one step, and in one probe.
TEXTS_PER_BATCH = 16
# The label that a loss passes over.
IGNORED_LABEL = -100


@dataclass(frozen=True, slots=True)
class ContinuedTraining:
    """What a model is taught: `facts`, `exposures` times each at the learning rate `rate`.

    `share` of what it is shown, in [0, 1), are `base` facts, which it is to keep.
    """

    facts: Sequence[Triple]
    base: Sequence[Triple]
    exposures: int
    share: float
    rate: float
    random_seed: int


class PretrainedModel:
    """A causal language model by its name on the hub or its folder."""

    def __init__(self, name: str) -> None:
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        kind = torch.bfloat16 if self._device == "cuda" else torch.float32
        _, transformers = import_libraries("--model needs transformers")
        self._tokenizer, model = load_pretrained(transformers, name, dtype=kind, option="--model")
        self._model: Any = model.to(self._device)

    @property
    def params(self) -> int:
        """Its parameters, embeddings not counted."""
        embedded = self._model.get_input_embeddings().weight.numel()
        return int(self._model.num_parameters() - embedded)

    def train_on_facts(self, training: ContinuedTraining) -> int:
        """Train on the schedule; returns how many texts were shown."""
        shown = scheduled_texts(training)
        optimizer = torch.optim.AdamW(self._model.parameters(), lr=training.rate, weight_decay=0.0)
        self._model.train()
        for low in range(0, len(shown), TEXTS_PER_BATCH):
            ids, labels = self._tokenize_batch(shown[low : low + TEXTS_PER_BATCH])
            loss = functional.cross_entropy(self._next_token_logits(ids), labels.flatten())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        return len(shown)

    def evaluate_facts(self, facts: Sequence[Triple], *, random_seed: int) -> FactRecall:
        """What it knows of some facts; nats are of the whole value."""
        unseen = held_out_wordings(len(facts))
        shown = list(zip(facts, (unseen + 1) % len(WORDINGS), strict=True))
        exact, nats = self._probe_texts(shown)
        paraphrase, paraphrase_nats = self._probe_texts(list(zip(facts, unseen, strict=True)))
        best = np.full(len(facts), np.inf)
        for rivals in distractor_values(facts, random_seed=random_seed):
            other = [
                (fact._replace(value=value), wording) for (fact, wording), value in zip(shown, rivals, strict=True)
            ]
            best = np.minimum(best, self._probe_texts(other)[1])
        return FactRecall(exact, paraphrase, nats < best, nats, paraphrase_nats)

    def save_pretrained(self, folder: Path) -> None:
        """Write the model and its tokenizer."""
        with atomic_folder(folder) as aside:
            self._model.save_pretrained(aside)
            self._tokenizer.save_pretrained(aside)

    def _probe_texts(self, texts: Sequence[tuple[Triple, int]]) -> tuple[Any, Any]:
        """Whether each token of the value is the first choice, and the value's nats."""
        right: list[Any] = []
        nats: list[Any] = []
        self._model.eval()
        with torch.inference_mode():
            for low in range(0, len(texts), TEXTS_PER_BATCH):
                ids, labels = self._tokenize_batch(texts[low : low + TEXTS_PER_BATCH])
                scores = self._next_token_logits(ids)
                loss = functional.cross_entropy(scores, labels.flatten(), reduction="none")
                missed = (scores.argmax(-1).view_as(labels) != labels) & (labels != IGNORED_LABEL)
                right.append(~missed.any(dim=1).cpu().numpy())
                nats.append(loss.view_as(labels).sum(dim=1).double().cpu().numpy())
        return np.concatenate(right), np.concatenate(nats)

    def _tokenize_batch(self, texts: Sequence[tuple[Triple, int]]) -> tuple[Any, Any]:
        """The tokens of some texts, padded, and those that are asked for, one place on."""
        rows: list[list[int]] = []
        starts: list[int] = []
        # Trap: a value is tokenized with the space before it, as it stands in the sentence; its
        # first token is where the sentence without the value (and without that space) ends.
        for fact, wording in texts:
            text = fact_sentence(fact, wording)
            ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
            known = text.removesuffix(fact.value).rstrip()
            starts.append(len(self._tokenizer(known, add_special_tokens=False)["input_ids"]))
            rows.append(ids)
        ids = torch.zeros((len(rows), max(map(len, rows))), dtype=torch.long)
        labels = torch.full_like(ids[:, 1:], IGNORED_LABEL)
        for row, (found, start) in enumerate(zip(rows, starts, strict=True)):
            ids[row, : len(found)] = torch.tensor(found)
            labels[row, start - 1 : len(found) - 1] = ids[row, start : len(found)]
        return ids.to(self._device), labels.to(self._device)

    def _next_token_logits(self, ids: Any) -> Any:
        """The scores of the token after each but the last; padding at the end changes none."""
        return self._model(input_ids=ids).logits[:, :-1].float().flatten(0, 1)


def scheduled_texts(training: ContinuedTraining) -> list[tuple[Triple, int]]:
    """Every text in the order of showing: a fact and one of its three wordings."""
    rng = keyed_generator(training.random_seed, "course")
    taught, base = np.arange(len(training.facts)), np.arange(len(training.base))
    new = len(taught) * training.exposures
    total = round(new / (1 - training.share))
    presented, replayed = mix_in_replay(taught, base, total, total - new, rng)
    wording = (presented + rng.integers(1, len(WORDINGS), total)) % len(WORDINGS)
    shown = zip(presented.tolist(), wording.tolist(), replayed.tolist(), strict=True)
    return [((training.base if again else training.facts)[fact], said) for fact, said, again in shown]


def distractor_values(facts: Sequence[Triple], *, random_seed: int) -> list[list[str]]:
    """Three other values for each fact, those of its relation first, shape (3, n_facts)."""
    rng = keyed_generator(random_seed, "rivals")
    values = {fact.value for fact in facts}
    kin: dict[str, set[str]] = {}
    for fact in facts:
        kin.setdefault(fact.relation, set()).add(fact.value)
    among = {relation: sorted(own if len(own) >= CHOICE_OPTIONS else values) for relation, own in kin.items()}
    rows: list[list[str]] = []
    for fact in facts:
        others = [value for value in among[fact.relation] if value != fact.value]
        rows.append([others[place] for place in rng.permutation(len(others))[: CHOICE_OPTIONS - 1]])
    return [list(column) for column in zip(*rows, strict=True)]
