from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.errors import UsageError
from kdos.graph import IncidenceBuilder, build_transitions, incidence_from_lists, measure_structure
from kdos.graph.incidence import component_labels

LISTS = st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=12)


@settings(deadline=None)
@given(LISTS)
def test_both_ways_hold_the_same_incidences(lists: list[list[int]]) -> None:
    graph = incidence_from_lists(lists, n_kps=10)

    for sample, kps in enumerate(lists):
        held = graph.sample_kps[graph.sample_starts[sample] : graph.sample_starts[sample + 1]]
        assert held.tolist() == sorted(set(kps))
    for kp in range(10):
        held = graph.kp_samples[graph.kp_starts[kp] : graph.kp_starts[kp + 1]]
        assert held.tolist() == [s for s, kps in enumerate(lists) if kp in kps]
    assert graph.sample_kps.dtype == graph.kp_samples.dtype == np.int32


@pytest.mark.parametrize("kps", [[[-1]], [[10]]])
def test_an_id_out_of_range_is_named(kps: list[list[int]]) -> None:
    with pytest.raises(UsageError, match=r"in \[0, 10\)"):
        incidence_from_lists(kps, n_kps=10)


@settings(deadline=None)
@given(LISTS, st.lists(st.integers(0, 12), max_size=3))
def test_arrow_batches_give_the_graph_of_the_lists(lists: list[list[int]], cuts: list[int]) -> None:
    column = pa.array([[f"kp {k}" for k in kps] for kps in lists], pa.list_(pa.string()))
    builder = IncidenceBuilder()
    places = [0, *sorted(min(cut, len(lists)) for cut in cuts), len(lists)]
    for low, high in pairwise(places):
        builder.add(column.slice(low, high - low))
    graph, names = builder.build()

    assert names.to_pylist() == list(dict.fromkeys(f"kp {k}" for kps in lists for k in kps))
    ids = {name: i for i, name in enumerate(names.to_pylist())}
    expected = incidence_from_lists([[ids[f"kp {k}"] for k in kps] for kps in lists], n_kps=len(ids))
    assert graph.sample_starts.tolist() == expected.sample_starts.tolist()
    assert graph.sample_kps.tolist() == expected.sample_kps.tolist()
    assert graph.kp_samples.tolist() == expected.kp_samples.tolist()


def test_nulls_hold_nothing_and_routes_become_one_line() -> None:
    builder = IncidenceBuilder()
    builder.add(pa.array([["a", None, "b"], None, [], ["b"]], pa.list_(pa.string())))
    builder.add(pa.array([[["maths", "sums"], ["a"]], None]))
    graph, names = builder.build()

    assert names.to_pylist() == ["a", "b", "maths > sums"]
    assert graph.sizes.tolist() == [2, 0, 0, 1, 2, 0]


@settings(deadline=None)
@given(LISTS)
def test_components_are_those_of_a_plain_search(lists: list[list[int]]) -> None:
    label = list(range(10))
    for kps in lists:
        for a in kps:
            old, new = label[a], label[kps[0]]
            label = [new if x == old else x for x in label]
    numbers: dict[int, int] = {}
    expected = [numbers.setdefault(x, len(numbers)) for x in label]

    assert component_labels(incidence_from_lists(lists, n_kps=10)).tolist() == expected


def test_structure_counts_what_walks_can_and_cannot_reach() -> None:
    graph = incidence_from_lists([[0, 1], [1, 2], [3], [3], [4, 5], []], n_kps=7)
    found = measure_structure(graph)

    assert (found.kps, found.samples, found.incidences, found.empty_samples) == (7, 6, 8, 1)
    assert found.components == 4
    assert found.isolated == 2
    assert found.singletons == 4
    assert found.coverage == pytest.approx(5 / 7)
    assert found.largest_component == pytest.approx(3 / 7)
    assert found.degrees["1"] == 2
    assert found.sizes["0"] == 0


def test_an_empty_graph_has_a_structure() -> None:
    found = measure_structure(incidence_from_lists([], n_kps=0))

    assert (found.kps, found.components, found.coverage) == (0, 0, 0.0)


@settings(deadline=None)
@given(LISTS, st.data())
def test_strength_is_the_law_of_the_co_occurrence_walk(lists: list[list[int]], data: st.DataObject) -> None:
    weight = data.draw(st.lists(st.floats(0.1, 9), min_size=len(lists), max_size=len(lists)))
    graph = incidence_from_lists(lists, n_kps=10)
    for weights in (None, np.array(weight)):
        found = build_transitions(graph, weights=weights)
        flow = np.zeros((10, 10))
        for kps, w in zip(lists, weight, strict=True):
            for a in set(kps):
                for b in set(kps) - {a}:
                    flow[a, b] += (1.0 if weights is None else w) / (len(set(kps)) - 1)
        np.testing.assert_allclose(found.strength, flow.sum(axis=1), atol=1e-9)
        np.testing.assert_allclose(flow, flow.T)


def test_a_sample_of_no_weight_is_no_route() -> None:
    found = build_transitions(incidence_from_lists([[0, 1], [1, 2]], n_kps=3), weights=np.array([0.0, 2.0]))

    assert found.strength.tolist() == [0, 2, 2]
    assert found.kp_samples.tolist() == [1, 1]
    assert found.cumulative.tolist() == [2, 2]
