import dataclasses
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdos.report.panels import (
    DENSITY_GRID_STEP,
    ENCLOSED_SHARES,
    HISTOGRAM_COLUMNS,
    HISTOGRAM_ROWS,
    MAX_DOTS,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    RAMP_STEPS,
    assign_ramp_steps,
    build_panel_rows,
    collect_pool_points,
    draw_dot_path,
    draw_histogram_paths,
    draw_panel_paths,
    estimate_kernel_density,
    find_enclosing_levels,
    fit_panel_frame,
    group_dots_by_step,
    sum_weights_on_grid,
)
from kdos.report.saved_run import SavedRun

FINITE = st.floats(-1e3, 1e3, allow_nan=False)
SOME = st.integers(1, 60).flatmap(lambda n: arrays(np.float64, (2, n), elements=FINITE))


@given(SOME)
def test_the_frame_holds_the_points_on_one_scale(points: np.ndarray) -> None:
    frame = fit_panel_frame(points[0], points[1])
    places = frame.to_panel_units(points[0], points[1])
    inside = ((places >= 0) & (places <= [PANEL_WIDTH, PANEL_HEIGHT])).all(1)
    assert inside.mean() >= 1 - 4 / len(inside) or inside.all()
    up, right = frame.to_panel_units(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    assert right[0] - up[0] == pytest.approx(up[1] - right[1])


@given(arrays(np.float64, 40, elements=FINITE))
def test_ramp_steps_rise_with_the_values(values: np.ndarray) -> None:
    step = assign_ramp_steps(values, -500, 500)
    assert (np.diff(step[np.argsort(values)]) >= 0).all()
    assert set(step.tolist()) <= set(range(RAMP_STEPS))


def test_dots_stand_where_the_points_are() -> None:
    places = np.array([[10.0, 20.0], [10.2, 20.1], [399.5, 0.5], [-5.0, 10.0]])
    x = y = 0.0
    found = []
    for dx, dy in re.findall(r"m(-?[\d.]+) (-?[\d.]+)h0", draw_dot_path(places)):
        x, y = x + float(dx), y + float(dy)
        found.append((x, y))
    assert found == [(10.0, 20.0), (399.5, 0.5)]


def test_of_many_dots_some_are_drawn() -> None:
    rows = group_dots_by_step(np.zeros(3 * MAX_DOTS, np.int64))
    assert len(rows[0]) == MAX_DOTS
    assert rows[0].max() > 2 * MAX_DOTS


def test_each_filled_square_is_drawn_once_the_fullest_darkest() -> None:
    places = np.array([[1.0, 1.0]] * 50 + [[200.0, 150.0]] + [[399.0, 299.0]] * 5)
    paths = draw_histogram_paths(places, np.ones(len(places)))
    assert sum(path.count("z") for path in paths) == 3
    assert paths[RAMP_STEPS - 1].startswith("M0 0h")
    assert paths[0].count("z") == 1


def test_weights_count_as_so_many_points() -> None:
    rng = np.random.default_rng(0)
    places = rng.uniform(20, 250, (50, 2))
    weights = rng.integers(1, 5, 50)
    repeated = np.repeat(places, weights, axis=0)
    assert draw_histogram_paths(places, weights.astype(float)) == draw_histogram_paths(
        repeated, np.ones(len(repeated))
    )


def test_kernel_density_is_the_slow_sum_of_kernels() -> None:
    rng = np.random.default_rng(1)
    places = rng.normal((200, 150), (50, 25), (400, 2))
    density = estimate_kernel_density(places, np.ones(400))
    bandwidth = places.std(0) * 400 ** (-1 / 6)
    rows, columns = np.array([30, 75, 90, 110]), np.array([60, 100, 130, 150])
    centres = np.stack([columns + 0.5, rows + 0.5], 1) * DENSITY_GRID_STEP
    apart = (centres[:, None] - places[None]) / bandwidth
    norm = DENSITY_GRID_STEP**2 / (2 * math.pi * bandwidth.prod())
    slow = norm * np.exp(-(apart**2).sum(2) / 2).sum(1)
    assert density[rows, columns] == pytest.approx(slow, abs=0.02 * slow.max())


def test_contours_hold_the_shares_that_they_stand_for() -> None:
    rng = np.random.default_rng(2)
    density = estimate_kernel_density(rng.normal((200, 150), 40, (2000, 2)), np.ones(2000))
    levels = find_enclosing_levels(density)
    assert levels == sorted(levels)
    for level, share in zip(levels, ENCLOSED_SHARES, strict=True):
        assert density[density >= level].sum() / density.sum() == pytest.approx(share, abs=0.01)


def test_the_grid_keeps_all_weight_inside_the_frame() -> None:
    places = np.array([[0.0, 0.0], [PANEL_WIDTH, PANEL_HEIGHT], [500.0, 10.0]])
    grid = sum_weights_on_grid(places, np.array([1.0, 2.0, 4.0]), HISTOGRAM_COLUMNS, HISTOGRAM_ROWS)
    assert (grid.sum(), grid[0, 0], grid[-1, -1]) == (3.0, 1.0, 2.0)


@settings(max_examples=20)
@given(SOME)
def test_any_points_can_be_drawn(points: np.ndarray) -> None:
    frame = fit_panel_frame(points[0], points[1])
    places = frame.to_panel_units(points[0], points[1])
    n = points.shape[1]
    panels = draw_panel_paths(places, np.ones(n), np.zeros(n, np.int64))
    assert all(re.fullmatch(r"[MLhmvz\d. -]*", path) for path in panels.bins + panels.contours)
    assert len(panels.dots) == len(panels.bins) == len(panels.contours) == RAMP_STEPS


def test_the_picture_after_is_the_same_before_the_pool_is_written(run: SavedRun) -> None:
    going = dataclasses.replace(run, loop=dataclasses.replace(run.loop, pool_points=None))
    before, after = collect_pool_points(run), collect_pool_points(going)
    assert before is not None
    assert after is not None
    assert len(build_panel_rows(going)) == 2
    for a, b in zip(before, after, strict=True):
        assert np.sort(a) == pytest.approx(np.sort(b))
