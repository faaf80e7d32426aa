"""One decoder that learns on a processor: what `Ensemble` computes, with the gradients by hand.

A step of so small a model is a hundred operations of a few microseconds each, and most of the time
goes into calling them and into moving what they share out of the cache and back. Here the products
are torch's, all between two products is one compiled loop (`kernel`), and every result has a place
of its own that the next step uses again.
"""

from collections.abc import Mapping
from typing import Any

import torch

from kdos.arrays import Int16Array
from kdos.train import kernel

WeightShapes = Mapping[str, tuple[int, int]]


class SharedBuffer:
    """Numbers in one place, as torch (`t`) and as the compiled loops (`a`) see them."""

    __slots__ = ("a", "t")

    def __init__(self, tensor: Any) -> None:
        self.t = tensor
        self.a = tensor.numpy()


def split_weights(flat: Any, shapes: WeightShapes) -> dict[str, Any]:
    """Views of consecutive parts of the last axis of `flat`, in those shapes."""
    sizes = [rows * columns for rows, columns in shapes.values()]
    split = flat.split(sizes, dim=-1)
    return {
        name: part.unflatten(-1, shape)
        for (name, shape), part in zip(shapes.items(), split, strict=True)
    }


class ManualDecoder:
    """A decoder that learns in batches of so many facts; what it is given is changed in its place.

    `weights` are all its weights, one after the other as `shapes` names them, shape (n_weights,);
    `moments` are AdamW's, shape (2, n_weights).
    """

    def __init__(self, weights: Any, moments: Any, shapes: WeightShapes, *, batch: int) -> None:
        (vocabulary, width), (length, _) = shapes["token"], shapes["place"]
        gradients = torch.zeros_like(weights)
        self._flat, self._gradients = weights.numpy(), gradients.numpy()
        self._first, self._second = moments.numpy()
        self._w, self._g = (
            {name: SharedBuffer(part) for name, part in split_weights(flat, shapes).items()}
            for flat in (weights, gradients)
        )

        def buffers(count: int, *shape: int) -> list[SharedBuffer]:
            return [SharedBuffer(torch.zeros(shape)) for _ in range(count)]

        # One buffer for each result, used again at every step, so that a step allocates nothing and
        # finds its data in the cache. Names: x is the residual stream, y the same at the last place
        # alone; `normed` what a norm gives and `scale` what it multiplied by; `attended` what
        # attention gives and `attention` its weights; `hidden` the MLP's middle; a 2 is the second
        # layer. A leading d is the gradient of the loss; buffers whose gradients are never needed
        # at one time share one (`dnormed`, `dnormed_final`).
        rows = batch * length
        self._x, self._normed, self._attended, self._normed_mlp, self._normed2 = buffers(
            5, rows, width
        )
        self._dx, self._dnormed = buffers(2, rows, width)
        self._hidden, self._gelu_slope, self._dhidden = buffers(3, rows, 4 * width)
        self._qkv, self._dqkv = buffers(2, rows, 3 * width)
        self._kv, self._dkv = buffers(2, rows, 2 * width)
        (self._attention,) = buffers(1, batch, length, length)
        self._scale, self._scale_mlp, self._scale2 = buffers(3, rows)

        self._y, self._query, self._attended2, self._normed_mlp2, self._normed_final = buffers(
            5, batch, width
        )
        self._dy, self._dquery, self._dnormed_final = buffers(3, batch, width)
        self._hidden2, self._gelu_slope2, self._dhidden2 = buffers(3, batch, 4 * width)
        (self._attention2,) = buffers(1, batch, length)
        self._scale_mlp2, self._scale_final = buffers(2, batch)
        (self._logits,) = buffers(1, batch, vocabulary)
        self._x_last, self._normed2_last, self._dx_last, self._dnormed_last = (
            buffer.t.view(batch, length, width)[:, -1]
            for buffer in (self._x, self._normed2, self._dx, self._dnormed)
        )

    def train_step(
        self, texts: Int16Array, *, rate: float, betas: tuple[float, float], step: int
    ) -> None:
        """Step number `step`, from 1, on texts of shape (batch, length + 1): expect what is last.

        `rate` and `betas` are AdamW's.
        """
        self._forward_first_layer(texts)
        self._forward_second_layer()
        kernel.cross_entropy_backward(self._logits.a, texts)
        self._backward_second_layer()
        self._backward_first_layer(texts)
        kernel.adamw_update(
            self._flat, self._gradients, self._first, self._second, rate, betas, step
        )

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
        kernel.last_place_attention(
            self._query.a, self._kv.a, self._attended2.a, self._attention2.a
        )
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
        kernel.add_rms_norm_backward(
            self._dy.a, self._dnormed_final.a, self._normed_final.a, self._scale_final.a
        )
        g["narrow2"].t.addmm_(self._hidden2.t.T, self._dy.t)
        torch.mm(self._dy.t, w["narrow2"].t.T, out=self._dhidden2.t)
        self._dhidden2.t.mul_(self._gelu_slope2.t)
        g["widen2"].t.addmm_(self._normed_mlp2.t.T, self._dhidden2.t)
        torch.mm(self._dhidden2.t, w["widen2"].t.T, out=self._dnormed_final.t)
        kernel.add_rms_norm_backward(
            self._dy.a, self._dnormed_final.a, self._normed_mlp2.a, self._scale_mlp2.a
        )
        g["gather2"].t.addmm_(self._attended2.t.T, self._dy.t)
        torch.mm(self._dy.t, w["gather2"].t.T, out=self._dnormed_final.t)
        kernel.last_place_attention_backward(
            self._dnormed_final.a,
            self._query.a,
            self._kv.a,
            self._attention2.a,
            self._dquery.a,
            self._dkv.a,
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
        kernel.add_rms_norm_backward(
            self._dx.a, self._dnormed.a, self._normed_mlp.a, self._scale_mlp.a
        )
        g["gather"].t.addmm_(self._attended.t.T, self._dx.t)
        torch.mm(self._dx.t, w["gather"].t.T, out=self._dnormed.t)
        kernel.causal_attention_backward(
            self._dnormed.a, self._qkv.a, self._attention.a, self._dqkv.a
        )
        g["attend"].t.addmm_(self._normed.t.T, self._dqkv.t)
        torch.mm(self._dqkv.t, w["attend"].t.T, out=self._dnormed.t)
        kernel.add_rms_norm_backward(self._dx.a, self._dnormed.a, self._normed.a, self._scale.a)
        kernel.add_embedding_backward(self._dx.a, texts, g["token"].a, g["place"].a)
