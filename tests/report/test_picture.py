import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdos.report.picture import (
    COLUMNS,
    ENCLOSED,
    FINE,
    HEIGHT,
    MOST_DOTS,
    ROWS,
    STEPS,
    WIDTH,
    bin_paths,
    counts_on_grid,
    dot_path,
    dots_by_step,
    draw_panels,
    enclosing_levels,
    frame_around,
    kernel_density,
    ramp_steps,
)

FINITE = st.floats(-1e3, 1e3, allow_nan=False)
SOME = st.integers(1, 60).flatmap(lambda n: arrays(np.float64, (2, n), elements=FINITE))


@given(SOME)
def test_the_frame_holds_the_points_on_one_scale(points: np.ndarray) -> None:
    frame = frame_around(points[0], points[1])
    places = frame.place(points[0], points[1])
    inside = ((places >= 0) & (places <= [WIDTH, HEIGHT])).all(1)
    assert inside.mean() >= 1 - 4 / len(inside) or inside.all()
    up, right = frame.place(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    assert right[0] - up[0] == pytest.approx(up[1] - right[1])


@given(arrays(np.float64, 40, elements=FINITE))
def test_ramp_steps_rise_with_the_values(values: np.ndarray) -> None:
    step = ramp_steps(values, -500, 500)
    assert (np.diff(step[np.argsort(values)]) >= 0).all()
    assert set(step.tolist()) <= set(range(STEPS))


def test_dots_stand_where_the_points_are() -> None:
    places = np.array([[10.0, 20.0], [10.2, 20.1], [399.5, 0.5], [-5.0, 10.0]])
    x = y = 0.0
    found = []
    for dx, dy in re.findall(r"m(-?[\d.]+) (-?[\d.]+)h0", dot_path(places)):
        x, y = x + float(dx), y + float(dy)
        found.append((x, y))
    assert found == [(10.0, 20.0), (399.5, 0.5)]


def test_of_many_dots_some_are_drawn() -> None:
    rows = dots_by_step(np.zeros(3 * MOST_DOTS, np.int64))
    assert len(rows[0]) == MOST_DOTS
    assert rows[0].max() > 2 * MOST_DOTS


def test_each_filled_square_is_drawn_once_the_fullest_darkest() -> None:
    places = np.array([[1.0, 1.0]] * 50 + [[200.0, 150.0]] + [[399.0, 299.0]] * 5)
    paths = bin_paths(places, np.ones(len(places)))
    assert sum(path.count("z") for path in paths) == 3
    assert paths[STEPS - 1].startswith("M0 0h")
    assert paths[0].count("z") == 1


def test_weights_count_as_so_many_points() -> None:
    rng = np.random.default_rng(0)
    places = rng.uniform(20, 250, (50, 2))
    weights = rng.integers(1, 5, 50)
    repeated = np.repeat(places, weights, axis=0)
    assert bin_paths(places, weights.astype(float)) == bin_paths(repeated, np.ones(len(repeated)))


def test_kernel_density_is_the_slow_sum_of_kernels() -> None:
    rng = np.random.default_rng(1)
    places = rng.normal((200, 150), (50, 25), (400, 2))
    density = kernel_density(places, np.ones(400))
    bandwidth = places.std(0) * 400 ** (-1 / 6)
    rows, columns = np.array([30, 75, 90, 110]), np.array([60, 100, 130, 150])
    centres = np.stack([columns + 0.5, rows + 0.5], 1) * FINE
    apart = (centres[:, None] - places[None]) / bandwidth
    norm = FINE**2 / (2 * math.pi * bandwidth.prod())
    slow = norm * np.exp(-(apart**2).sum(2) / 2).sum(1)
    assert density[rows, columns] == pytest.approx(slow, abs=0.02 * slow.max())


def test_contours_hold_the_shares_that_they_stand_for() -> None:
    rng = np.random.default_rng(2)
    density = kernel_density(rng.normal((200, 150), 40, (2000, 2)), np.ones(2000))
    levels = enclosing_levels(density)
    assert levels == sorted(levels)
    for level, share in zip(levels, ENCLOSED, strict=True):
        assert density[density >= level].sum() / density.sum() == pytest.approx(share, abs=0.01)


def test_the_grid_keeps_all_weight_inside_the_frame() -> None:
    places = np.array([[0.0, 0.0], [WIDTH, HEIGHT], [500.0, 10.0]])
    grid = counts_on_grid(places, np.array([1.0, 2.0, 4.0]), COLUMNS, ROWS)
    assert (grid.sum(), grid[0, 0], grid[-1, -1]) == (3.0, 1.0, 2.0)


@settings(max_examples=20)
@given(SOME)
def test_any_points_can_be_drawn(points: np.ndarray) -> None:
    frame = frame_around(points[0], points[1])
    places = frame.place(points[0], points[1])
    n = points.shape[1]
    panels = draw_panels(places, np.ones(n), np.zeros(n, np.int64))
    assert all(re.fullmatch(r"[MLhmvz\d. -]*", path) for path in panels.bins + panels.contours)
    assert len(panels.dots) == len(panels.bins) == len(panels.contours) == STEPS
