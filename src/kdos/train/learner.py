"""One decoder that learns on a processor: what `Ensemble` computes, with the slopes by hand.

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

Shapes = Mapping[str, tuple[int, int]]


class Slab:
    """Numbers in one place, as torch (`t`) and as the compiled loops (`a`) see them."""

    __slots__ = ("a", "t")

    def __init__(self, tensor: Any) -> None:
        self.t = tensor
        self.a = tensor.numpy()


def parts(flat: Any, shapes: Shapes) -> dict[str, Any]:
    """Views of consecutive parts of the last axis of `flat`, in those shapes."""
    sizes = [rows * columns for rows, columns in shapes.values()]
    split = flat.split(sizes, dim=-1)
    return {
        name: part.unflatten(-1, shape)
        for (name, shape), part in zip(shapes.items(), split, strict=True)
    }


class Learner:
    """A decoder that learns in batches of so many facts; what it is given is changed in its place.

    `weights` are all its weights, one after the other as `shapes` names them, shape (n_weights,);
    `moments` are AdamW's, shape (2, n_weights).
    """

    def __init__(self, weights: Any, moments: Any, shapes: Shapes, *, batch: int) -> None:
        (vocabulary, width), (length, _) = shapes["token"], shapes["place"]
        slopes = torch.zeros_like(weights)
        self._flat, self._slopes = weights.numpy(), slopes.numpy()
        self._first, self._second = moments.numpy()
        self._w, self._g = (
            {name: Slab(part) for name, part in parts(flat, shapes).items()}
            for flat in (weights, slopes)
        )

        def slabs(count: int, *shape: int) -> list[Slab]:
            return [Slab(torch.zeros(shape)) for _ in range(count)]

        rows = batch * length
        self._x, self._seen, self._found, self._seen_wide, self._seen2 = slabs(5, rows, width)
        self._dx, self._dseen = slabs(2, rows, width)
        self._wide, self._bend, self._dwide = slabs(3, rows, 4 * width)
        self._qkv, self._dqkv = slabs(2, rows, 3 * width)
        self._kv, self._dkv = slabs(2, rows, 2 * width)
        (self._shares,) = slabs(1, batch, length, length)
        self._scale, self._scale_wide, self._scale2 = slabs(3, rows)

        self._y, self._query, self._found2, self._seen_wide2, self._end = slabs(5, batch, width)
        self._dy, self._dquery, self._dend = slabs(3, batch, width)
        self._wide2, self._bend2, self._dwide2 = slabs(3, batch, 4 * width)
        (self._shares2,) = slabs(1, batch, length)
        self._scale_wide2, self._scale_end = slabs(2, batch)
        (self._scores,) = slabs(1, batch, vocabulary)
        self._x_last, self._seen2_last, self._dx_last, self._dseen_last = (
            slab.t.view(batch, length, width)[:, -1]
            for slab in (self._x, self._seen2, self._dx, self._dseen)
        )

    def learn(
        self, texts: Int16Array, *, rate: float, betas: tuple[float, float], step: int
    ) -> None:
        """Step number `step`, from 1, on texts of shape (batch, length + 1): expect what is last.

        `rate` and `betas` are AdamW's.
        """
        self._first_layer(texts)
        self._second_layer()
        kernel.surprise_back(self._scores.a, texts)
        self._second_layer_back()
        self._first_layer_back(texts)
        kernel.adam(self._flat, self._slopes, self._first, self._second, rate, betas, step)

    def _first_layer(self, texts: Int16Array) -> None:
        w = self._w
        kernel.embed(texts, w["token"].a, w["place"].a, self._x.a)
        kernel.norm(self._x.a, self._seen.a, self._scale.a)
        torch.mm(self._seen.t, w["attend"].t, out=self._qkv.t)
        kernel.attend(self._qkv.a, self._found.a, self._shares.a)
        self._x.t.addmm_(self._found.t, w["gather"].t)
        kernel.norm(self._x.a, self._seen_wide.a, self._scale_wide.a)
        torch.mm(self._seen_wide.t, w["widen"].t, out=self._wide.t)
        kernel.gelu(self._wide.a, self._bend.a)
        self._x.t.addmm_(self._wide.t, w["narrow"].t)

    def _second_layer(self) -> None:
        """At the last place alone, and the scores of every token there."""
        w = self._w
        kernel.norm(self._x.a, self._seen2.a, self._scale2.a)
        torch.mm(self._seen2.t, w["look"].t, out=self._kv.t)
        torch.mm(self._seen2_last, w["ask"].t, out=self._query.t)
        kernel.look(self._query.a, self._kv.a, self._found2.a, self._shares2.a)
        torch.addmm(self._x_last, self._found2.t, w["gather2"].t, out=self._y.t)
        kernel.norm(self._y.a, self._seen_wide2.a, self._scale_wide2.a)
        torch.mm(self._seen_wide2.t, w["widen2"].t, out=self._wide2.t)
        kernel.gelu(self._wide2.a, self._bend2.a)
        self._y.t.addmm_(self._wide2.t, w["narrow2"].t)
        kernel.norm(self._y.a, self._end.a, self._scale_end.a)
        torch.mm(self._end.t, w["token"].t.T, out=self._scores.t)

    def _second_layer_back(self) -> None:
        """From the slopes at the scores to those at the first layer's end."""
        w, g = self._w, self._g
        g["token"].t.addmm_(self._scores.t.T, self._end.t)
        torch.mm(self._scores.t, w["token"].t, out=self._dend.t)
        self._dy.t.zero_()
        kernel.add_norm_back(self._dy.a, self._dend.a, self._end.a, self._scale_end.a)
        g["narrow2"].t.addmm_(self._wide2.t.T, self._dy.t)
        torch.mm(self._dy.t, w["narrow2"].t.T, out=self._dwide2.t)
        self._dwide2.t.mul_(self._bend2.t)
        g["widen2"].t.addmm_(self._seen_wide2.t.T, self._dwide2.t)
        torch.mm(self._dwide2.t, w["widen2"].t.T, out=self._dend.t)
        kernel.add_norm_back(self._dy.a, self._dend.a, self._seen_wide2.a, self._scale_wide2.a)
        g["gather2"].t.addmm_(self._found2.t.T, self._dy.t)
        torch.mm(self._dy.t, w["gather2"].t.T, out=self._dend.t)
        kernel.look_back(
            self._dend.a, self._query.a, self._kv.a, self._shares2.a, self._dquery.a, self._dkv.a
        )
        g["ask"].t.addmm_(self._seen2_last.T, self._dquery.t)
        g["look"].t.addmm_(self._seen2.t.T, self._dkv.t)
        torch.mm(self._dkv.t, w["look"].t.T, out=self._dseen.t)
        self._dseen_last.addmm_(self._dquery.t, w["ask"].t.T)
        self._dx.t.zero_()
        self._dx_last.copy_(self._dy.t)
        kernel.add_norm_back(self._dx.a, self._dseen.a, self._seen2.a, self._scale2.a)

    def _first_layer_back(self, texts: Int16Array) -> None:
        w, g = self._w, self._g
        g["narrow"].t.addmm_(self._wide.t.T, self._dx.t)
        torch.mm(self._dx.t, w["narrow"].t.T, out=self._dwide.t)
        self._dwide.t.mul_(self._bend.t)
        g["widen"].t.addmm_(self._seen_wide.t.T, self._dwide.t)
        torch.mm(self._dwide.t, w["widen"].t.T, out=self._dseen.t)
        kernel.add_norm_back(self._dx.a, self._dseen.a, self._seen_wide.a, self._scale_wide.a)
        g["gather"].t.addmm_(self._found.t.T, self._dx.t)
        torch.mm(self._dx.t, w["gather"].t.T, out=self._dseen.t)
        kernel.attend_back(self._dseen.a, self._qkv.a, self._shares.a, self._dqkv.a)
        g["attend"].t.addmm_(self._seen.t.T, self._dqkv.t)
        torch.mm(self._dqkv.t, w["attend"].t.T, out=self._dseen.t)
        kernel.add_norm_back(self._dx.a, self._dseen.a, self._seen.a, self._scale.a)
        kernel.add_embed_back(self._dx.a, texts, g["token"].a, g["place"].a)
