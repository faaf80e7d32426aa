"""The lab's models against the same models trained one by one with plain PyTorch, on one core.

    python benchmarks/train_throughput.py

Both train two layers of one head on batches of 128 facts with the loss on the value. Rounds take
turns, and processor time is counted, so that other work on the machine touches both alike.
"""

import json
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from kdos.train import FACTS_A_STEP, Pupil, in_epochs, made_up_world, teach, tokens
from kdos.train.ensemble import BETAS, RATE
from kdos.train.lab import TOGETHER

WIDTHS = (16, 24, 32, 48)
STEPS = 150
ROUNDS = 3
WORLD = made_up_world(0)
LESSON = in_epochs(np.arange(2000), STEPS * FACTS_A_STEP, np.random.default_rng(0))


class Block(nn.Module):
    """One layer, as it is usually written."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)
        self.attend = nn.Linear(width, 3 * width, bias=False)
        self.gather = nn.Linear(width, width, bias=False)
        self.widen = nn.Linear(width, 4 * width, bias=False)
        self.narrow = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = self.attend(self.norm1(x)).chunk(3, dim=-1)
        found = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.gather(found)
        return x + self.narrow(functional.gelu(self.widen(self.norm2(x))))


class Decoder(nn.Module):
    """A decoder, as it is usually written."""

    def __init__(self, width: int, vocabulary: int, length: int) -> None:
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.place = nn.Parameter(torch.randn(length, width) * 0.1)
        self.layers = nn.Sequential(Block(width), Block(width))
        self.norm = nn.RMSNorm(width)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.norm(self.layers(self.token(ids) + self.place))[:, -1] @ self.token.weight.T


def plain(width: int) -> float:
    """Presentations a second of one model after the other."""
    texts = torch.as_tensor(tokens(WORLD)).long()
    facts, wordings = torch.as_tensor(LESSON), torch.randint(0, 4, (len(LESSON),))
    model = Decoder(width, WORLD.vocabulary, texts.shape[2] - 1)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=RATE / width, betas=BETAS, weight_decay=0.0
    )
    begun = process_time()
    for low in range(0, len(LESSON), FACTS_A_STEP):
        step = slice(low, low + FACTS_A_STEP)
        shown = texts[facts[step], wordings[step]]
        loss = functional.cross_entropy(model(shown[:, :-1]), shown[:, -1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return len(LESSON) / (process_time() - begun)


def together(width: int) -> float:
    """Presentations a second of the lab, to all models of a group."""
    pupils = [Pupil(("bench", place), WORLD, (LESSON,)) for place in range(TOGETHER)]
    begun = process_time()
    teach(pupils, width=width)
    return TOGETHER * len(LESSON) / (process_time() - begun)


def main() -> dict[str, object]:
    """Medians of the rounds by width."""
    torch.set_num_threads(1)
    rows = []
    for width in WIDTHS:
        rounds = [(plain(width), together(width)) for _ in range(ROUNDS)]
        one, lab = (median(column) for column in zip(*rounds, strict=True))
        ratio = median(ours / theirs for theirs, ours in rounds)
        rows.append({"width": width, "plain": one, "lab": lab, "ratio": ratio})
        print(f"width {width}: plain {one:,.0f}/s, lab {lab:,.0f}/s a core: {ratio:.2f} times")
    return {"torch": torch.__version__, "models_together": TOGETHER, "rows": rows}


if __name__ == "__main__":
    path = Path(__file__).parent / "results" / "train_throughput.json"
    path.write_text(json.dumps(main(), indent=2) + "\n")
