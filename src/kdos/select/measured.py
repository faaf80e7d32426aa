"""A dataset opened, embedded and measured: the glue between `kdos.rows`, embedders and density."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kdos.arrays import Int64Array
from kdos.density import (
    Reference,
    RowDensities,
    SampledSpace,
    Space,
    fit_space,
    measure_other_dataset,
    measure_sampled_dataset,
    sample_rows,
)
from kdos.embed import Embedder, LexicalEmbedder, load_embedder
from kdos.errors import UsageError
from kdos.rows.dataset import Dataset, open_dataset
from kdos.targets import demand_file

REFERENCE_ROWS = 1 << 20
"""Rows that a space is fitted on at most; of a larger dataset, a random sample."""
FITTED_TEXTS = 100_000
"""Texts that the lexical embedder learns from at most."""
TEXT_DIM = 64


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """How a dataset is measured. `dim` None takes vectors as they are; texts are reduced to 64."""

    embed: str = "lexical"
    dim: int | None = None
    normalize: bool = False
    n_cells: int | None = None
    k: int = 10
    random_seed: int = 0
    reference_rows: int = REFERENCE_ROWS


@dataclass(frozen=True)
class FittedDataset:
    """A dataset and the space fitted on a sample of its rows."""

    dataset: Dataset
    fitted: SampledSpace

    @property
    def space(self) -> Space:
        """The frozen space."""
        return self.fitted.space

    @property
    def reference(self) -> Reference:
        """The sample that the space was fitted on, measured in it."""
        return self.fitted.reference


def fit_dataset(dataset: Dataset, options: MeasureOptions) -> FittedDataset:
    """Fit a space on a dataset, in one pass; memory is bounded by the sample and one batch."""
    sample = sample_rows(
        dataset.read_batches(), most=options.reference_rows, random_seed=options.random_seed
    )
    if not len(sample.rows):
        raise _nothing_to_measure(dataset)
    embedder = None if sample.vectors is not None else _fit_embedder(sample.texts, options)
    vectors = sample.vectors if embedder is None else embedder.embed(sample.texts)
    if vectors is None:
        raise UsageError(f"{dataset.path} must hold texts or vectors. Got neither.")
    is_text = embedder is not None
    space, reference = fit_space(
        vectors,
        embedder=embedder.name if embedder else "given",
        dim=(options.dim or TEXT_DIM) if is_text else options.dim,
        n_cells=options.n_cells,
        k=options.k,
        normalize=is_text or options.normalize,
        random_seed=options.random_seed,
    )
    embed = embedder.embed if embedder else None
    sample = replace(sample, vectors=None)  # the points hold as much
    return FittedDataset(dataset, SampledSpace(space, reference, sample, embed))


def measure_dataset(found: FittedDataset) -> RowDensities:
    """Where each row of the dataset lies; what the space was not fitted on is measured now."""
    return measure_sampled_dataset(found.fitted, found.dataset.read_batches())


def measure_in_space_of(found: FittedDataset, dataset: Dataset) -> RowDensities:
    """Where each row of another dataset lies in a fitted space, measured among its sample."""
    usable = [batch.usable for batch in dataset.read_batches()]
    if not any(part.any() for part in usable):
        raise _nothing_to_measure(dataset)
    return measure_other_dataset(found.fitted, dataset.read_batches(), np.concatenate(usable))


def demand_in_cells(target: str, found: FittedDataset) -> Int64Array | None:
    """The questions of a ``demand:FILE`` target by cell, shape (n_cells,); None for others."""
    path = demand_file(target)
    if path is None:
        return None
    return measure_in_space_of(found, open_dataset(path)).profile.exposures


def _fit_embedder(texts: Sequence[str], options: MeasureOptions) -> Embedder:
    """The embedder that the options name, fitted where it must be."""
    ready = load_embedder(options.embed)
    if ready is not None:
        return ready
    step = -(-len(texts) // FITTED_TEXTS)
    return LexicalEmbedder.fit(texts[::step], random_seed=options.random_seed)


def _nothing_to_measure(dataset: Dataset) -> UsageError:
    return UsageError(f"{dataset.path} must hold at least one row to measure. Got none.")
