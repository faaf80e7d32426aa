"""The door to torch: many small decoders of one size.

On a GPU they are trained at once in batched products, compiled and in bfloat16, and the data lie on the device. On a
processor one `ManualDecoder` after the other is twice as fast as batched products are.

Two layers, one head, no bias, tied embeddings, learned places; normalised before each part. The second layer works at
the last place alone, which is where the value is asked for.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kdos.arrays import Float32Array, Int16Array, Int64Array
from kdos.chance import keyed_generator
from kdos.errors import ConfigError

# The other files take torch from here, so that its absence is told in one place.
try:
    import torch
    from torch.nn import functional
except ImportError as error:
    raise ConfigError("Training needs torch: pip install 'kdos[train]'.") from error

from kdos.train import kernel

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
WeightShapes = Mapping[str, tuple[int, int]]


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
        drawn = [_initial_weights(keys, name, shape, scale) for name, (shape, scale) in scales.items()]
        self._flat = torch.from_numpy(np.concatenate(drawn, axis=1)).to(self._device)
        self._weights = _split_weights(self._flat, self._shapes)
        self._steps = 0
        if self._manual_gradients:
            self._moments = torch.zeros(len(keys), 2, self._flat.shape[1])
        else:
            self._prepare_autograd()

    def _prepare_autograd(self) -> None:
        """Make ready for automatic differentiation, where every weight stands by itself."""
        self._weights = {name: weight.clone().requires_grad_() for name, weight in self._weights.items()}
        self._forward: Any = self._last_place_logits
        if self._device.type == "cuda":
            self._forward = torch.compile(self._last_place_logits)
        self._optimizer = torch.optim.AdamW(
            self._weights.values(), lr=RATE_TIMES_WIDTH / self.width, betas=ADAM_BETAS, weight_decay=0.0, fused=True
        )

    def train_models(
        self, texts: Int16Array, facts: Int64Array, wordings: Int64Array, *, batch: int, rate: float = 1.0
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
        peak = rate * RATE_TIMES_WIDTH / self.width
        rates = [
            peak * min(1.0, (step + 1) / WARMUP_STEPS, (steps - step) / (COOLDOWN_SHARE * steps))
            for step in range(steps)
        ]
        # Presentations that make no whole step are cut off; shape (2, n_models, n_steps, batch).
        order = np.stack([facts, wordings])[:, :, : steps * batch]
        order = order.reshape(2, len(texts), steps, batch)
        if self._manual_gradients:
            self._train_one_by_one(texts, order, rates)
        else:
            self._train_together(texts, order, rates)
        self._steps += steps

    def _train_one_by_one(self, texts: Int16Array, order: Int64Array, rates: Sequence[float]) -> None:
        models = zip(texts, self._flat, self._moments, *order, strict=True)
        for table, flat, moments, facts, wordings in models:
            decoder = ManualDecoder(flat, moments, self._shapes, batch=order.shape[-1])
            for number, rate in enumerate(rates):
                shown = table[facts[number], wordings[number]]
                decoder.train_step(shown, rate=rate, step=self._steps + number + 1)

    def _train_together(self, texts: Int16Array, order: Int64Array, rates: Sequence[float]) -> None:
        table = torch.as_tensor(texts, device=self._device)
        facts, wordings = torch.as_tensor(order, device=self._device)
        model = torch.arange(len(texts), device=self._device)[:, None]
        for number, rate in enumerate(rates):
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            self._autograd_step(table[model, facts[:, number], wordings[:, number]].long())

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
                probe = shown[None, low : low + FACTS_PER_PROBE, :-1]
                part = torch.as_tensor(probe, device=self._device)
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


# Below: a step by hand. A step of so small a model is a hundred operations of a few microseconds
# each, and most of the time goes into calling them and into moving what they share out of the cache
# and back. Here the products are torch's, all between two products is one compiled loop (`kernel`),
# and every result has a place of its own that the next step uses again.
class _SharedBuffer:
    """Numbers in one place, as torch (`t`) and as the compiled loops (`a`) see them."""

    __slots__ = ("a", "t")

    def __init__(self, tensor: Any) -> None:
        self.t = tensor
        self.a = tensor.numpy()


def _split_weights(flat: Any, shapes: WeightShapes) -> dict[str, Any]:
    """Views of consecutive parts of the last axis of `flat`, in those shapes."""
    parts = flat.split([rows * columns for rows, columns in shapes.values()], dim=-1)
    named = zip(shapes.items(), parts, strict=True)
    return {name: part.unflatten(-1, shape) for (name, shape), part in named}


class ManualDecoder:
    """One decoder that learns on a processor, its gradients by hand; what it is given is changed.

    `weights` are all its weights, one after the other as `shapes` names them, shape (n_weights,);
    `moments` are AdamW's, shape (2, n_weights).
    """

    def __init__(self, weights: Any, moments: Any, shapes: WeightShapes, *, batch: int) -> None:
        (vocabulary, width), (length, _) = shapes["token"], shapes["place"]
        gradients = torch.zeros_like(weights)
        self._flat, self._gradients = weights.numpy(), gradients.numpy()
        self._first, self._second = moments.numpy()
        self._w, self._g = (
            {name: _SharedBuffer(part) for name, part in _split_weights(flat, shapes).items()}
            for flat in (weights, gradients)
        )

        def buffers(count: int, *shape: int) -> list[_SharedBuffer]:
            return [_SharedBuffer(torch.zeros(shape)) for _ in range(count)]

        # One buffer for each result, used again at every step, so that a step allocates nothing and finds its data in
        # the cache. Names: x is the residual stream, y the same at the last place alone; `normed` what a norm gives
        # and `scale` what it multiplied by; `attended` what attention gives and `attention` its weights; `hidden` the
        # MLP's middle; a 2 is the second layer. A leading d is the gradient of the loss; buffers whose gradients are
        # never needed at one time share one (`dnormed`, `dnormed_final`).
        rows = batch * length
        self._x, self._normed, self._attended, self._normed_mlp, self._normed2 = buffers(5, rows, width)
        self._dx, self._dnormed = buffers(2, rows, width)
        self._hidden, self._gelu_slope, self._dhidden = buffers(3, rows, 4 * width)
        self._qkv, self._dqkv = buffers(2, rows, 3 * width)
        self._kv, self._dkv = buffers(2, rows, 2 * width)
        (self._attention,) = buffers(1, batch, length, length)
        self._scale, self._scale_mlp, self._scale2 = buffers(3, rows)

        self._y, self._query, self._attended2, self._normed_mlp2, self._normed_final = buffers(5, batch, width)
        self._dy, self._dquery, self._dnormed_final = buffers(3, batch, width)
        self._hidden2, self._gelu_slope2, self._dhidden2 = buffers(3, batch, 4 * width)
        (self._attention2,) = buffers(1, batch, length)
        self._scale_mlp2, self._scale_final = buffers(2, batch)
        (self._logits,) = buffers(1, batch, vocabulary)
        self._x_last, self._normed2_last, self._dx_last, self._dnormed_last = (
            buffer.t.view(batch, length, width)[:, -1] for buffer in (self._x, self._normed2, self._dx, self._dnormed)
        )

    def train_step(self, texts: Int16Array, *, rate: float, step: int) -> None:
        """AdamW's step number `step`, from 1, on texts of shape (batch, length + 1)."""
        self._forward_first_layer(texts)
        self._forward_second_layer()
        kernel.cross_entropy_backward(self._logits.a, texts)
        self._backward_second_layer()
        self._backward_first_layer(texts)
        kernel.adamw_update(self._flat, self._gradients, self._first, self._second, rate, ADAM_BETAS, step)

    def _forward_first_layer(self, texts: Int16Array) -> None:
        # x += attention(norm(x)) gather; x += gelu(norm(x) widen) narrow, the sums by `addmm_`.
        w = self._w
        kernel.embed_tokens(texts, w["token"].a, w["place"].a, self._x.a)
        kernel.rms_norm(self._x.a, self._normed.a, self._scale.a)
        torch.mm(self._normed.t, w["attend"].t, out=self._qkv.t)
        kernel.causal_attention(self._qkv.a, self._attended.a, self._attention.a)
        self._x.t.addmm_(self._attended.t, w["gather"].t)
        kernel.rms_norm(self._x.a, self._normed_mlp.a, self._scale_mlp.a)
        torch.mm(self._normed_mlp.t, w["widen"].t, out=self._hidden.t)
        kernel.gelu_and_gradient(self._hidden.a, self._gelu_slope.a)
        self._x.t.addmm_(self._hidden.t, w["narrow"].t)

    def _forward_second_layer(self) -> None:
        """At the last place alone, and the scores of every token there."""
        w = self._w
        kernel.rms_norm(self._x.a, self._normed2.a, self._scale2.a)
        torch.mm(self._normed2.t, w["look"].t, out=self._kv.t)
        torch.mm(self._normed2_last, w["ask"].t, out=self._query.t)
        kernel.last_place_attention(self._query.a, self._kv.a, self._attended2.a, self._attention2.a)
        torch.addmm(self._x_last, self._attended2.t, w["gather2"].t, out=self._y.t)
        kernel.rms_norm(self._y.a, self._normed_mlp2.a, self._scale_mlp2.a)
        torch.mm(self._normed_mlp2.t, w["widen2"].t, out=self._hidden2.t)
        kernel.gelu_and_gradient(self._hidden2.a, self._gelu_slope2.a)
        self._y.t.addmm_(self._hidden2.t, w["narrow2"].t)
        kernel.rms_norm(self._y.a, self._normed_final.a, self._scale_final.a)
        torch.mm(self._normed_final.t, w["token"].t.T, out=self._logits.t)

    def _backward_second_layer(self) -> None:
        """From the gradients at the scores to those at the first layer's end."""
        # Backwards through each product C = A B: dA = dC Bᵀ and dB += Aᵀ dC. A residual passes its
        # gradient on unchanged, so dy is added to in place: it is first that of the sum after the
        # MLP, then, with the MLP's own share, that of the sum before it. The embeddings are tied:
        # g["token"] is added to here by the logits and, at the very end, by the input.
        w, g = self._w, self._g
        g["token"].t.addmm_(self._logits.t.T, self._normed_final.t)
        torch.mm(self._logits.t, w["token"].t, out=self._dnormed_final.t)
        self._dy.t.zero_()
        kernel.add_rms_norm_backward(self._dy.a, self._dnormed_final.a, self._normed_final.a, self._scale_final.a)
        g["narrow2"].t.addmm_(self._hidden2.t.T, self._dy.t)
        torch.mm(self._dy.t, w["narrow2"].t.T, out=self._dhidden2.t)
        self._dhidden2.t.mul_(self._gelu_slope2.t)
        g["widen2"].t.addmm_(self._normed_mlp2.t.T, self._dhidden2.t)
        torch.mm(self._dhidden2.t, w["widen2"].t.T, out=self._dnormed_final.t)
        kernel.add_rms_norm_backward(self._dy.a, self._dnormed_final.a, self._normed_mlp2.a, self._scale_mlp2.a)
        g["gather2"].t.addmm_(self._attended2.t.T, self._dy.t)
        torch.mm(self._dy.t, w["gather2"].t.T, out=self._dnormed_final.t)
        kernel.last_place_attention_backward(
            self._dnormed_final.a, self._query.a, self._kv.a, self._attention2.a, self._dquery.a, self._dkv.a
        )
        g["ask"].t.addmm_(self._normed2_last.T, self._dquery.t)
        g["look"].t.addmm_(self._normed2.t.T, self._dkv.t)
        torch.mm(self._dkv.t, w["look"].t.T, out=self._dnormed.t)
        self._dnormed_last.addmm_(self._dquery.t, w["ask"].t.T)
        # The first layer feeds all places' keys and values but the last place's residual only.
        self._dx.t.zero_()
        self._dx_last.copy_(self._dy.t)
        kernel.add_rms_norm_backward(self._dx.a, self._dnormed.a, self._normed2.a, self._scale2.a)

    def _backward_first_layer(self, texts: Int16Array) -> None:
        w, g = self._w, self._g
        g["narrow"].t.addmm_(self._hidden.t.T, self._dx.t)
        torch.mm(self._dx.t, w["narrow"].t.T, out=self._dhidden.t)
        self._dhidden.t.mul_(self._gelu_slope.t)
        g["widen"].t.addmm_(self._normed_mlp.t.T, self._dhidden.t)
        torch.mm(self._dhidden.t, w["widen"].t.T, out=self._dnormed.t)
        kernel.add_rms_norm_backward(self._dx.a, self._dnormed.a, self._normed_mlp.a, self._scale_mlp.a)
        g["gather"].t.addmm_(self._attended.t.T, self._dx.t)
        torch.mm(self._dx.t, w["gather"].t.T, out=self._dnormed.t)
        kernel.causal_attention_backward(self._dnormed.a, self._qkv.a, self._attention.a, self._dqkv.a)
        g["attend"].t.addmm_(self._normed.t.T, self._dqkv.t)
        torch.mm(self._dqkv.t, w["attend"].t.T, out=self._dnormed.t)
        kernel.add_rms_norm_backward(self._dx.a, self._dnormed.a, self._normed.a, self._scale.a)
        kernel.add_embedding_backward(self._dx.a, texts, g["token"].a, g["place"].a)
