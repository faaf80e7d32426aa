import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from kdos.train import fact_tokens, kernel, made_up_world, shuffled_epochs
from kdos.train.ensemble import Ensemble

WORLD = made_up_world(0, subjects=64)
TEXTS = fact_tokens(WORLD)
KEYS = [("a",), ("b",)]


def taught(*, by_hand: bool, steps: int, width: int = 24, batch: int = 20) -> list[np.ndarray]:
    """The log-probabilities of both models after two phases of so many steps."""
    ensemble = Ensemble(
        KEYS, width=width, vocabulary=WORLD.vocabulary, length=TEXTS.shape[2], manual_gradients=by_hand
    )
    rng = np.random.default_rng(0)
    for rate in (1.0, 0.3):
        facts = np.stack([shuffled_epochs(np.arange(300), steps * batch, rng) for _ in KEYS])
        wordings = rng.integers(0, 4, facts.shape)
        ensemble.train_models(np.stack([TEXTS, TEXTS]), facts, wordings, batch=batch, rate=rate)
    return [ensemble.value_log_probs(model, TEXTS[:200, 0], values=WORLD.values) for model in range(2)]


@pytest.mark.parametrize(("width", "batch"), [(24, 20), (7, 3)])
def test_slopes_by_hand_are_those_of_automatic_differentiation(width: int, batch: int) -> None:
    ours = taught(by_hand=True, steps=8, width=width, batch=batch)
    theirs = taught(by_hand=False, steps=8, width=width, batch=batch)

    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


def test_the_same_again() -> None:
    np.testing.assert_array_equal(*(taught(by_hand=True, steps=3) for _ in range(2)))


def test_gelu_is_exact() -> None:
    x = np.linspace(-30, 30, 4001, dtype=np.float32)
    wanted = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    torch.nn.functional.gelu(wanted).sum().backward()
    ours, slope = x.copy(), np.empty_like(x)
    kernel.gelu_and_gradient(ours, slope)

    np.testing.assert_allclose(ours, torch.nn.functional.gelu(wanted).detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slope, wanted.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_scores_however_far_apart_give_slopes() -> None:
    scores = np.array([[0, -200, 300], [1e4, 0, -1e4]], np.float32)
    kernel.cross_entropy_backward(scores, np.array([[0, 2], [0, 0]], np.int16))

    np.testing.assert_allclose(scores, [[0, 0, 0], [0, 0, 0]], atol=1e-6)
