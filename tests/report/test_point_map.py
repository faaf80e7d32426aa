import base64
import json
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from kdos.report.point_map import (
    COORDINATE_RANGE,
    EXPOSURE_CLASSES,
    RAMP_LEVELS,
    MapLayer,
    build_colour_classes,
    build_colour_ramp,
    build_map_layers,
    build_part_classes,
    compute_cell_midpoints,
    pack_map_layers,
)
from kdos.report.saved_run import RandomRows, read_saved_run


@pytest.fixture(scope="module")
def layers(finished_run: Path) -> list[MapLayer]:
    return build_map_layers(read_saved_run(finished_run))


def test_the_map_shows_all_knowledge_points_and_placed_drafts(layers: list[MapLayer], finished_run: Path) -> None:
    knowledge, drafts = layers
    run = read_saved_run(finished_run)
    assert len(knowledge.text) == knowledge.total == 420
    assert run.loop.drafts is not None
    placed = sum(bool(cells) for cells in run.loop.drafts.table["cells"].to_pylist())
    assert len(drafts.text) == placed < drafts.total


def test_every_point_has_a_place_and_every_colour(layers: list[MapLayer]) -> None:
    for layer in layers:
        n = len(layer.text)
        assert len(layer.x) == len(layer.y) == n
        assert min(layer.x.min(), layer.y.min()) >= 0
        assert max(layer.x.max(), layer.y.max()) <= COORDINATE_RANGE
        for colouring in layer.colourings:
            top = RAMP_LEVELS if colouring.kind == "ramp" else len(colouring.labels) - 1
            assert len(colouring.values) == n
            assert colouring.values.min() >= 0
            assert colouring.values.max() <= top


def test_what_is_taught_is_counted(layers: list[MapLayer], finished_run: Path) -> None:
    taught = next(c for c in layers[0].colourings if c.name == "taught")
    loop = read_saved_run(finished_run).loop
    assert (taught.values > 0).sum() == len(loop.taught_points)
    assert list(taught.labels) == list(EXPOSURE_CLASSES)


def test_outcomes_of_drafts_are_those_of_the_verdicts(layers: list[MapLayer], finished_run: Path) -> None:
    outcome = next(c for c in layers[1].colourings if c.name == "outcome")
    accepted = np.sum(outcome.values == outcome.labels.index("accepted"))
    assert accepted == read_saved_run(finished_run).loop.verdict_counts["", ""]


def test_a_draft_lies_in_the_middle_of_its_cells() -> None:
    table = pa.table({"x": [0.0, 2.0, 10.0], "y": [0.0, 0.0, 4.0], "cell": [0, 0, 2]})
    x, y = compute_cell_midpoints([[0], [0, 2], [2, 2]], RandomRows(table, 3, np.zeros(3, np.int64)))
    assert x.tolist() == [1.0, 5.5, 10.0]
    assert y.tolist() == [0.0, 2.0, 4.0]


def test_a_ramp_keeps_order_and_says_its_ends() -> None:
    numbers = np.linspace(-3, 5, 2000)
    found = build_colour_ramp("x", numbers)
    assert (np.diff(found.values) >= 0).all()
    assert (found.values.min(), found.values.max()) == (0, RAMP_LEVELS)
    assert (found.low, found.high) == pytest.approx((-2.96, 4.96), abs=0.01)


def test_classes_come_by_how_often_they_occur() -> None:
    found = build_colour_classes("domain", ["b", "a", "b", "", "b", "a"])
    assert list(found.labels) == ["b", "a", "not stated"]
    assert found.values.tolist() == [0, 1, 0, 2, 0, 1]


@pytest.mark.parametrize("last", [1, 3, 6, 40])
def test_parts_fall_into_classes_that_name_them(last: int) -> None:
    parts = np.arange(last + 1)
    found = build_part_classes("first taught", parts, last)
    assert found.labels[0] == "never"
    assert found.values[0] == 0
    for number in range(1, last + 1):
        ends = [int(w) for w in found.labels[found.values[number]].split() if w.isdigit()]
        assert ends[0] <= number <= ends[-1]
    assert "never" not in build_part_classes("part", parts[1:], last).labels


def test_the_packed_map_unpacks_to_itself(layers: list[MapLayer]) -> None:
    data = json.loads(zlib.decompress(base64.b64decode(pack_map_layers(layers))))
    assert [layer["name"] for layer in data] == [layer.name for layer in layers]
    assert data[0]["text"] == list(layers[0].text)
    assert data[1]["x"] == layers[1].x.tolist()
