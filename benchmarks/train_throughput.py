"""The lab's models against the same models trained one by one with plain PyTorch, on one core.

    python benchmarks/train_throughput.py

Each side trains two layers of one head on the same batches of 128 facts from the same weights at
the same rates, with the loss on the value; what the models then know is compared. `plain` is a
decoder as it is usually written; `lean` has the lab's own saving too, a second layer that works at
the last place alone. Both have AdamW fused and the faster of two ways to attend. Rounds take turns,
and processor time is counted, so that other work on the machine touches all alike. What the lab
does before its first step counts, what the others do does not.
"""

import json
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from kdos.train import (
    FACTS_PER_STEP,
    TrainingSpec,
    evaluate_proxy,
    fact_tokens,
    made_up_world,
    shuffled_epochs,
    train_proxies,
)
from kdos.train.ensemble import ADAM_BETAS, COOLDOWN_SHARE, RATE_TIMES_WIDTH, WARMUP_STEPS, Ensemble
from kdos.train.proxies import MODELS_PER_GROUP, scheduled_wordings

WIDTHS = (16, 24, 32, 48)
EXPERIMENT = {16: 24 * 672_000, 24: 24 * 192_000, 32: 24 * 192_000, 48: 24 * 192_000}
"""What the standard experiment shows all its models of a width."""
STEPS = 150
ROUNDS = 3
WORLD = made_up_world(0)
TEXTS = fact_tokens(WORLD)
LESSON = shuffled_epochs(np.arange(2000), STEPS * FACTS_PER_STEP, np.random.default_rng(0))
PUPILS = [TrainingSpec(("bench", place), WORLD, (LESSON,)) for place in range(MODELS_PER_GROUP)]
PROBED = np.arange(500)


class Block(nn.Module):
    """One layer, as it is usually written; a `lean` one works at the last place alone."""

    def __init__(self, width: int, *, lean: bool) -> None:
        super().__init__()
        self.lean = lean
        self.norm1, self.norm2 = norm(width), norm(width)
        self.attend = nn.Linear(width, 3 * width, bias=False)
        self.gather = nn.Linear(width, width, bias=False)
        self.widen = nn.Linear(width, 4 * width, bias=False)
        self.narrow = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = self.norm1(x)
        if self.lean:
            query, rest = self.attend.weight.split([x.shape[2], 2 * x.shape[2]])
            query = functional.linear(seen[:, -1:], query)
            key, value = functional.linear(seen, rest).chunk(2, dim=-1)
            x = x[:, -1:]
        else:
            query, key, value = self.attend(seen).chunk(3, dim=-1)
        x = x + self.gather(attended(query, key, value, causal=not self.lean))
        return x + self.narrow(functional.gelu(self.widen(self.norm2(x))))


def norm(width: int) -> nn.Module:
    """The lab's norms have no gains."""
    return nn.RMSNorm(width, elementwise_affine=False)


def attended(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, causal: bool):
    """Attention of one head in batched products: faster here than PyTorch's own function."""
    scores = torch.bmm(query * query.shape[-1] ** -0.5, key.transpose(1, 2))
    if causal:
        scores = scores + torch.full(scores.shape[1:], -1e9).triu(1)
    return torch.bmm(scores.softmax(-1), value)


class Decoder(nn.Module):
    """A decoder, as it is usually written, with the weights that the lab's first model has."""

    def __init__(self, width: int, *, lean: bool) -> None:
        super().__init__()
        vocabulary, length = WORLD.vocabulary, TEXTS.shape[2] - 1
        self.token = nn.Embedding(vocabulary, width)
        self.place = nn.Parameter(torch.empty(length, width))
        self.layers = nn.Sequential(Block(width, lean=False), Block(width, lean=lean))
        self.norm = norm(width)
        lab = Ensemble([PUPILS[0].key], width=width, vocabulary=vocabulary, length=length + 1)
        first, second = self.layers
        w = {name: weight[0] for name, weight in lab._weights.items()}
        with torch.no_grad():
            self.token.weight.copy_(w["token"])
            self.place.copy_(w["place"])
            first.attend.weight.copy_(w["attend"].T)
            second.attend.weight.copy_(torch.cat([w["ask"], w["look"]], dim=1).T)
            for name in ("gather", "widen", "narrow"):
                getattr(first, name).weight.copy_(w[name].T)
                getattr(second, name).weight.copy_(w[name + "2"].T)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.norm(self.layers(self.token(ids) + self.place))[:, -1] @ self.token.weight.T


def plain(width: int, *, lean: bool) -> tuple[float, float]:
    """Presentations a second of one model after the other, and the nats that one ends with."""
    texts = torch.as_tensor(TEXTS).long()
    facts, wordings = torch.as_tensor(LESSON), torch.as_tensor(scheduled_wordings(PUPILS[0], 0))
    model = Decoder(width, lean=lean)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=RATE_TIMES_WIDTH / width, betas=ADAM_BETAS, weight_decay=0.0, fused=True
    )
    begun = process_time()
    for number in range(STEPS):
        cooling = (STEPS - number) / (COOLDOWN_SHARE * STEPS)
        optimizer.param_groups[0]["lr"] = RATE_TIMES_WIDTH / width * min(1.0, (number + 1) / WARMUP_STEPS, cooling)
        step = slice(number * FACTS_PER_STEP, (number + 1) * FACTS_PER_STEP)
        shown = texts[facts[step], wordings[step]]
        loss = functional.cross_entropy(model(shown[:, :-1]), shown[:, -1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    speed = len(LESSON) / (process_time() - begun)
    with torch.no_grad():
        probe = texts[PROBED, (PROBED + 1) % 4]
        return speed, float(functional.cross_entropy(model(probe[:, :-1]), probe[:, -1]))


def together(width: int) -> tuple[float, float]:
    """Presentations a second of the lab, to all models of a group, and the first one's nats."""
    begun = process_time()
    ensemble = train_proxies(PUPILS, width=width)
    speed = MODELS_PER_GROUP * len(LESSON) / (process_time() - begun)
    return speed, float(evaluate_proxy(ensemble, 0, PUPILS[0], PROBED).nats.mean())


def main() -> dict[str, object]:
    """Medians of the rounds by width, and what the whole standard experiment takes."""
    torch.set_num_threads(1)
    together(WIDTHS[0])
    rows = []
    for width in WIDTHS:
        rounds = [(plain(width, lean=False), plain(width, lean=True), together(width)) for _ in range(ROUNDS)]
        speeds = np.array([[speed for speed, _ in one] for one in rounds])
        usual, lean, lab = np.median(speeds, axis=0).tolist()
        row = {"width": width, "plain": usual, "lean": lean, "lab": lab}
        row["ratio"] = median((speeds[:, 2] / speeds[:, 0]).tolist())
        row["ratio_lean"] = median((speeds[:, 2] / speeds[:, 1]).tolist())
        row["nats"] = [nats for _, nats in rounds[0]]
        rows.append(row)
        print(
            f"width {width}: plain {usual:,.0f}/s, lean {lean:,.0f}/s, lab {lab:,.0f}/s a core: "
            f"{row['ratio']:.2f} and {row['ratio_lean']:.2f} times; nats {row['nats']}"
        )
    seconds = {side: sum(EXPERIMENT[row["width"]] / row[side] for row in rows) for side in ("plain", "lean", "lab")}
    print("the standard experiment in core seconds:", seconds)
    return {
        "torch": torch.__version__,
        "models_a_group": MODELS_PER_GROUP,
        "rows": rows,
        "experiment_core_seconds": seconds,
        "experiment_ratio": seconds["plain"] / seconds["lab"],
        "experiment_ratio_lean": seconds["lean"] / seconds["lab"],
    }


if __name__ == "__main__":
    path = Path(__file__).parent / "results" / "train_throughput.json"
    path.write_text(json.dumps(main(), indent=2) + "\n")
