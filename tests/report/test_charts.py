import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.report.charts import (
    CHART_HEIGHT,
    CHART_WIDTH,
    FULLNESS_EDGES,
    MARGIN_BOTTOM,
    MARGIN_LEFT,
    MARGIN_RIGHT,
    MARGIN_TOP,
    MIN_LABEL_DISTANCE,
    LineSeries,
    build_coverage_chart,
    collect_sample_series,
    compute_fullness_shares,
    label_tick,
    lay_out_fullness_bars,
    lay_out_line_chart,
    name_fullness_bins,
)
from kdos.report.saved_run import SavedRun

VALUES = st.lists(st.floats(0, 1e6) | st.just(math.nan), min_size=1, max_size=40)


def a_line(values: list[float], role: str = "steered") -> LineSeries:
    return LineSeries(role, list(range(1, len(values) + 1)), values)


@given(VALUES, st.booleans())
def test_every_chart_stays_in_its_frame(values: list[float], logarithmic: bool) -> None:
    chart = lay_out_line_chart([a_line(values)], logarithmic=logarithmic)
    numbers = chart.strokes[0].path.replace("M", " ").replace("L", " ").split()
    assert all(MARGIN_LEFT <= float(x) <= CHART_WIDTH - MARGIN_RIGHT for x in numbers[::2])
    assert all(MARGIN_TOP <= float(y) <= CHART_HEIGHT - MARGIN_BOTTOM for y in numbers[1::2])
    assert len(numbers) == 2 * sum(map(math.isfinite, values))
    assert all(MARGIN_TOP <= tick.at <= CHART_HEIGHT - MARGIN_BOTTOM for tick in chart.up)
    assert 2 <= len(chart.up) <= 7
    assert 1 <= len(chart.across) <= 8


def test_the_curve_of_coverage_counts_samples_from_none(run: SavedRun) -> None:
    chart = build_coverage_chart(run)
    assert chart is not None
    assert chart.unit == "samples"
    assert [stroke.role for stroke in chart.strokes] == ["steered", "blind"]
    assert run.blind is not None
    for stroke, loop in zip(chart.strokes, (run.loop, run.blind), strict=True):
        assert stroke.path.startswith(f"M{MARGIN_LEFT} {CHART_HEIGHT - MARGIN_BOTTOM}L")
        assert stroke.path.count("L") == len(loop.parts)
    ends = [collect_sample_series(loop, "distinct", role="").y[-1] for loop in (run.loop, run.blind)]
    assert ends == [run.loop.parts[-1]["distinct"], run.blind.parts[-1]["distinct"]]
    assert [tick.label for tick in chart.across] == ["0", "50", "100", "150", "200"]


@pytest.mark.parametrize(
    ("value", "label"), [(0, "0"), (0.001, "0.001"), (5000, "5000"), (25_000, "25k"), (1_200_000, "1.2M")]
)
def test_ticks_are_short(value: float, label: str) -> None:
    assert label_tick(value) == label


def test_a_value_that_is_missing_breaks_the_line() -> None:
    path = lay_out_line_chart([a_line([1.0, 2.0, math.nan, 3.0, 4.0])]).strokes[0].path
    assert [part.count("L") for part in path.split("M")[1:]] == [1, 1]


def test_larger_values_stand_higher() -> None:
    chart = lay_out_line_chart([a_line([0.001, 0.01, 0.1])], logarithmic=True)
    heights = [float(part.split()[1]) for part in chart.strokes[0].path[1:].split("L")]
    steps = np.diff(heights)
    assert (steps < 0).all()
    assert steps[0] == pytest.approx(steps[1], abs=0.11)
    assert [tick.label for tick in chart.up] == ["0.001", "0.01", "0.1"]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=4))
def test_names_of_lines_never_cover_each_other(ends: list[float]) -> None:
    lines = [a_line([1.0, end], role) for end, role in zip(ends, "abcd", strict=False)]
    heights = sorted(stroke.label_at for stroke in lay_out_line_chart(lines).strokes)
    assert (np.diff(heights) >= MIN_LABEL_DISTANCE - 1e-9).all()
    assert heights[-1] <= CHART_HEIGHT - MARGIN_BOTTOM + 1e-9


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=30).filter(any),
    st.integers(1, 9),
    st.randoms(use_true_random=False),
)
def test_fullness_shares_are_shares_at_any_scale(quota: list[int], scale: int, random) -> None:
    wanted = np.array(quota, float)
    held = np.array([random.randint(0, 60) for _ in quota], float)
    shares = compute_fullness_shares(held, wanted)
    assert shares.sum() == pytest.approx(1)
    assert compute_fullness_shares(wanted * scale, wanted)[FULLNESS_EDGES.index(0.8)] == pytest.approx(1)


def test_fullness_names_each_bin_of_each_loop() -> None:
    quota = np.array([10.0, 10.0])
    groups = lay_out_fullness_bars([("steered", quota), ("blind", np.array([20.0, 0.0]))], quota)
    assert [group.label for group in groups] == name_fullness_bins()
    by_label = {group.label: [bar.share for bar in group.bars] for group in groups}
    assert by_label["met"] == [1.0, 0.0]
    assert by_label["< ⅛"] == [0.0, 0.5]
    assert by_label["2–4"] == [0.0, 0.5]
    assert max(bar.height for group in groups for bar in group.bars) == 1.0
