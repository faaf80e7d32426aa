"""The door to torch: many small decoders of one size.

On a GPU they are trained at once in batched products, compiled and in bfloat16, and the data lie on
the device. On a processor one `ManualDecoder` after the other is twice as fast as batched products
are.

Two layers, one head, no bias, tied embeddings, learned places; normalised before each part. The
second layer works at the last place alone, which is where the value is asked for.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kdos.arrays import Float32Array, Int16Array, Int64Array
from kdos.chance import keyed_generator
from kdos.errors import ConfigError

try:
    import torch
    from torch.nn import functional
except ImportError as error:
    raise ConfigError("Training needs torch: pip install 'kdos[train]'.") from error

from kdos.train.learner import ManualDecoder, WeightShapes, split_weights

DECODER_LAYERS = 2
# The learning rate is this over the width: the best of five at each width (LOG.md, 2026-11-21). One
# that falls with the square root of the width was too low for narrow models (recall at K50 and
# width 16: 0.48, and 0.53 at 1.67 times the rate).
RATE_TIMES_WIDTH = 0.16
ADAM_BETAS = (0.9, 0.98)
WARMUP_STEPS = 40
# The rate rises over so many steps, holds, and falls to nothing over the last share of them.
COOLDOWN_SHARE = 0.2
# Facts that are probed at a time.
FACTS_PER_PROBE = 1024


def count_parameters(width: int) -> int:
    """The parameters of one decoder, embeddings not counted."""
    return DECODER_LAYERS * 12 * width**2


class Ensemble:
    """Decoders of one width; model i is `keys[i]`'s, whatever others there are.

    `manual_gradients` has a processor train by `ManualDecoder`, not by automatic differentiation.
    """

    def __init__(
        self,
        keys: Sequence[Sequence[str | int]],
        *,
        width: int,
        vocabulary: int,
        length: int,
        manual_gradients: bool = True,
    ) -> None:
        self.width = width
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._manual_gradients = manual_gradients and self._device.type == "cpu"
        # Shape and standard deviation of each weight at its start. Layer 1: `attend` makes query,
        # key and value, `gather` is the output projection, `widen` and `narrow` the MLP. Layer 2
        # looks from the last place alone: its query (`ask`) and key and value (`look`) are apart.
        # Trap: the names key the chance of the start; under other names it is another model.
        scales = {
            "token": ((vocabulary, width), 0.5),
            "place": ((length - 1, width), 0.1),
            "attend": ((width, 3 * width), width**-0.5),
            "gather": ((width, width), width**-0.5 / 2),
            "widen": ((width, 4 * width), width**-0.5),
            "narrow": ((4 * width, width), width**-0.5 / 4),
            "ask": ((width, width), width**-0.5),
            "look": ((width, 2 * width), width**-0.5),
            "gather2": ((width, width), width**-0.5 / 2),
            "widen2": ((width, 4 * width), width**-0.5),
            "narrow2": ((4 * width, width), width**-0.5 / 4),
        }
        self._shapes: WeightShapes = {name: shape for name, (shape, _) in scales.items()}
        drawn = [
            _initial_weights(keys, name, shape, scale) for name, (shape, scale) in scales.items()
        ]
        self._flat = torch.from_numpy(np.concatenate(drawn, axis=1)).to(self._device)
        self._weights = split_weights(self._flat, self._shapes)
        self._steps = 0
        if self._manual_gradients:
            self._moments = torch.zeros(len(keys), 2, self._flat.shape[1])
        else:
            self._prepare_autograd()

    def _prepare_autograd(self) -> None:
        """Make ready for automatic differentiation, where every weight stands by itself."""
        self._weights = {
            name: weight.clone().requires_grad_() for name, weight in self._weights.items()
        }
        self._forward: Any = self._last_place_logits
        if self._device.type == "cuda":
            self._forward = torch.compile(self._last_place_logits)
        self._optimizer = torch.optim.AdamW(
            self._weights.values(),
            lr=RATE_TIMES_WIDTH / self.width,
            betas=ADAM_BETAS,
            weight_decay=0.0,
            fused=True,
        )

    def train_models(
        self,
        texts: Int16Array,
        facts: Int64Array,
        wordings: Int64Array,
        *,
        batch: int,
        rate: float = 1.0,
    ) -> None:
        """Show each model its facts in their order, `batch` at a time; a rest is left out.

        Args:
            texts: Every fact in every wording, shape (n_models, n_facts, n_wordings, n_tokens).
            facts: The fact of each presentation, shape (n_models, n_presentations).
            wordings: Its wording, same shape.
            batch: Presentations of a step, to each model.
            rate: The learning rate's peak, of the usual one.
        """
        # Linear warm-up, a plateau, and a linear fall to zero (a trapezoid).
        steps = facts.shape[1] // batch
        rates = [
            rate * RATE_TIMES_WIDTH / self.width * min(1.0, (step + 1) / WARMUP_STEPS, cooling)
            for step in range(steps)
            for cooling in [(steps - step) / (COOLDOWN_SHARE * steps)]
        ]
        if self._manual_gradients:
            self._train_one_by_one(texts, facts, wordings, rates, batch)
        else:
            self._train_together(texts, facts, wordings, rates, batch)
        self._steps += steps

    def _train_one_by_one(
        self,
        texts: Int16Array,
        facts: Int64Array,
        wordings: Int64Array,
        rates: Sequence[float],
        batch: int,
    ) -> None:
        for model, (table, flat, moments) in enumerate(
            zip(texts, self._flat, self._moments, strict=True)
        ):
            learner = ManualDecoder(flat, moments, self._shapes, batch=batch)
            for number, rate in enumerate(rates):
                part = slice(number * batch, (number + 1) * batch)
                shown = table[facts[model, part], wordings[model, part]]
                learner.train_step(
                    shown, rate=rate, betas=ADAM_BETAS, step=self._steps + number + 1
                )

    def _train_together(
        self,
        texts: Int16Array,
        facts: Int64Array,
        wordings: Int64Array,
        rates: Sequence[float],
        batch: int,
    ) -> None:
        table = torch.as_tensor(texts, device=self._device)
        order = torch.as_tensor(np.stack([facts, wordings]), device=self._device)
        model = torch.arange(len(texts), device=self._device)[:, None]
        for number, rate in enumerate(rates):
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            fact, wording = order[:, :, number * batch : (number + 1) * batch]
            self._autograd_step(table[model, fact, wording].long())

    def _autograd_step(self, shown: Any) -> None:
        """One step on texts, shape (n_models, n_facts, n_tokens); models do not touch another."""
        with torch.autocast("cuda", torch.bfloat16, enabled=self._device.type == "cuda"):
            scores = self._forward(shown[:, :, :-1]).float()
        answers = shown[:, :, -1].flatten()
        # A sum over models of means over facts: no model's gradient depends on how many others.
        loss = functional.cross_entropy(scores.flatten(0, 1), answers, reduction="sum")
        self._optimizer.zero_grad(set_to_none=True)
        (loss / shown.shape[1]).backward()
        self._optimizer.step()

    def value_log_probs(self, model: int, shown: Int16Array, *, values: int) -> Float32Array:
        """The log-probabilities of the values after each text of one model, shape (n, values).

        `shown` has shape (n, n_tokens); what stands last in it is not looked at.
        """
        parts: list[Any] = []
        with torch.inference_mode():
            for low in range(0, len(shown), FACTS_PER_PROBE):
                part = torch.as_tensor(
                    shown[None, low : low + FACTS_PER_PROBE, :-1], device=self._device
                )
                scores = self._last_place_logits(part.long(), models=slice(model, model + 1))[0]
                parts.append(scores.float().log_softmax(-1)[:, :values].cpu().numpy())
        return np.concatenate(parts)

    def _last_place_logits(self, shown: Any, *, models: slice = slice(None)) -> Any:
        """The scores of every token at the last place, shape (n_models, n_facts, vocabulary)."""
        w = {name: weight[models] for name, weight in self._weights.items()}
        size, facts, length = shown.shape
        # All models in one program: a batch of matrices for each product, and the embeddings of all
        # models in one table, each model's tokens moved to its own part of it.
        vocabulary, width = w["token"].shape[1:]
        offsets = vocabulary * torch.arange(size, device=shown.device)[:, None, None]
        x = functional.embedding(shown + offsets, w["token"].flatten(0, 1)) + w["place"][:, None]
        x = x.view(size, facts * length, width)
        qkv = torch.bmm(_rms_norm(x), w["attend"]).view(size * facts, length, 3, width)
        x = torch.baddbmm(x, _causal_attention(*qkv.unbind(2)).view_as(x), w["gather"])
        x = torch.baddbmm(x, functional.gelu(torch.bmm(_rms_norm(x), w["widen"])), w["narrow"])
        # The value is asked for at the last place only, so layer 2 has one query a fact.
        seen = _rms_norm(x)
        keys = torch.bmm(seen, w["look"]).view(size, facts, length, 2, width)
        last = seen.view(size, facts, length, width)[:, :, -1]
        found = _last_place_attention(torch.bmm(last, w["ask"]), *keys.unbind(3))
        y = torch.baddbmm(x.view(size, facts, length, width)[:, :, -1], found, w["gather2"])
        y = torch.baddbmm(y, functional.gelu(torch.bmm(_rms_norm(y), w["widen2"])), w["narrow2"])
        return torch.bmm(_rms_norm(y), w["token"].transpose(1, 2))


def _initial_weights(
    keys: Sequence[Sequence[str | int]], name: str, shape: tuple[int, int], scale: float
) -> Float32Array:
    """A weight of every model at its start, shape (n_models, rows * columns)."""
    values = [keyed_generator(0, *key, name).normal(0, scale, shape).ravel() for key in keys]
    return np.stack(values).astype(np.float32)


def _rms_norm(x: Any) -> Any:
    return functional.rms_norm(x, x.shape[-1:])


def _causal_attention(query: Any, key: Any, value: Any) -> Any:
    # All of shape (n, length, width). One head by `baddbmm`: 25,100 presentations a second at width
    # 32 where `scaled_dot_product_attention` gave 17,800 and heads of 16 gave 20,800 (LOG.md).
    length, width = query.shape[1:]
    ahead = torch.full((length, length), -1e9, device=query.device).triu(1)
    weights = torch.baddbmm(ahead, query * width**-0.5, key.transpose(1, 2)).softmax(-1)
    return torch.bmm(weights, value)


def _last_place_attention(query: Any, key: Any, value: Any) -> Any:
    """What the last place, shape (n_models, n_facts, width), takes from all places before it."""
    scores = (query[:, :, None] * key).sum(-1, keepdim=True) * query.shape[-1] ** -0.5
    return (scores.softmax(2) * value).sum(2)
