import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from kdos.pool import ErrorClass
from kdos.report import tables
from kdos.report.charts import build_coverage_chart, build_kl_chart
from kdos.report.page import render_page
from kdos.report.saved_run import LoopRecord, SavedRun, read_saved_run
from kdos.report.tables import CLASS_MEANINGS, OUTCOME_NAMES, find_outcome_key, format_share


def test_fates_add_up_to_the_drafts(run: SavedRun) -> None:
    rows = tables.tabulate_draft_outcomes(run.loop)
    outcomes = [row for row in rows if row.outcome]
    reasons = [row for row in rows if row.reason]
    drafts = run.loop.verdict_counts.total()
    assert sum(row.drafts for row in outcomes) == drafts
    assert sum(row.share for row in outcomes) == pytest.approx(1)
    assert sum(row.drafts for row in reasons) == drafts - outcomes[0].drafts
    assert outcomes[0].outcome == "accepted"
    assert {row.reason for row in reasons} >= {"crowded", "logic unreadable"}
    assert all(row.example for row in reasons)


def test_every_error_class_has_a_name_and_a_meaning() -> None:
    assert set(OUTCOME_NAMES) == {"accepted", *ErrorClass}
    assert set(CLASS_MEANINGS) == set(ErrorClass)
    assert find_outcome_key("") == find_outcome_key(None) == "accepted"
    assert find_outcome_key("never heard of") == ErrorClass.FORMAT_MISMATCH


def test_cells_are_shown_with_what_they_hold_and_lack(run: SavedRun) -> None:
    thin, crowded, *short = tables.tabulate_cells(run)
    densities = [cell.log10_density for cell in thin.cells + crowded.cells[::-1]]
    assert densities == sorted(densities)
    assert run.source is not None
    texts = dict(zip(run.source.table["text"].to_pylist(), run.source.table["cell"].to_pylist(), strict=True))
    for cell in thin.cells + crowded.cells:
        assert cell.held == run.loop.points_by_cell[cell.number]
        assert {texts[text] for text in cell.examples} == {cell.number}
        assert cell.reachable == (cell.number != 5)
    for table in short:
        lacks = [cell.quota - cell.held for cell in table.cells]
        assert lacks == sorted(lacks, reverse=True)
        assert min(lacks) > 0


def test_the_balance_shows_what_is_missing() -> None:
    tally = {"in": 10, "out": 6, "refused": {"too_short": 3}}
    (stage,) = tables.tabulate_stages({"stages": {"two_words": tally}})
    assert (stage.name, stage.unaccounted_rows) == ("two words", 1)
    assert stage.refused == [("too short", 3)]


def test_the_stages_of_the_run_balance(run: SavedRun) -> None:
    stages = tables.tabulate_stages(run.summary)
    assert [stage.name for stage in stages] == ["document", "drafts"]
    assert [stage.unaccounted_rows for stage in stages] == [0, 0]


def test_costs_of_a_finished_run_are_given_in_all_and_for_a_sample(run: SavedRun) -> None:
    summary = {
        "samples": 4,
        "llm_calls": 10,
        "cost_usd": 0.5,
        "usage": {"prompt_tokens": 1000, "completion_tokens": 90},
    }
    none = LoopRecord([], Counter(), run.loop.points_by_cell, {}, None, None)
    assert tables.tabulate_costs(dataclasses.replace(run, summary=summary, loop=none)) == [
        ("calls to the model", "10", "–", "2.5"),
        ("prompt tokens", "1,000", "–", "250"),
        ("completion tokens", "90", "–", "22.5"),
        ("cost in USD", "0.50", "–", "0.12"),
    ]
    assert tables.tabulate_costs(dataclasses.replace(run, summary=None, loop=none)) == []


def test_costs_of_a_run_under_way_are_given_so_far_a_sample_and_to_come(run: SavedRun) -> None:
    parts = run.loop.parts[:2]
    held, times = parts[1]["samples"], parts[1]["needed"] / parts[1]["picks"]
    going = dataclasses.replace(run, summary=None, loop=dataclasses.replace(run.loop, parts=parts))
    each = (4 / held, 1_800 / held, 200 / held, 0.02 / held)
    rows = tables.tabulate_costs(going)
    assert [row[0] for row in rows] == list(tables.COST_NAMES.values())[:4]
    assert [row[1] for row in rows] == ["54", "2,800", "200", "0.020"]
    assert [float(row[2].replace(",", "")) for row in rows] == [pytest.approx(n, rel=0.05) for n in each]
    left = (2 * times, 900 * times, 100 * times, 0.01 * times)
    assert [float(row[3].replace(",", "")) for row in rows] == [pytest.approx(n, rel=0.05) for n in left]
    said = tables.build_headline(going).sentence
    assert f"{round(2_000 / held)} tokens and " in said
    assert "; 3,000 tokens and 0.020 USD spent; about " in said


def test_the_headline_says_what_the_run_came_to(run: SavedRun) -> None:
    headline = tables.build_headline(run)
    assert not headline.running
    assert headline.sentence.startswith("240 samples in ")
    assert "independent draws" in headline.sentence
    values = {tile.label: tile.value for tile in headline.tiles}
    assert values["samples"] == "240"
    assert run.blind is not None
    assert values["KL of the blind run"] == f"{run.blind.parts[-1]['kl']:.4f}"


def test_a_distance_that_is_rounding_alone_is_printed_as_nothing(run: SavedRun) -> None:
    none = {"kl": 5.551e-17, "tv": 5.551e-17, "floor": 0.0}
    loop = dataclasses.replace(run.loop, parts=[*run.loop.parts[:-1], {**run.loop.parts[-1], **none}])
    near = dataclasses.replace(run, loop=loop)
    tiles = {tile.label: tile.value for tile in tables.build_headline(near).tiles}
    assert (tiles["KL to the target, nats"], tiles["total variation"]) == ("0.0000", "0.0000")
    assert render_page(near).count('<td class="n">0.0000</td>') >= 3, "in the table of parts"


def test_the_first_screen_says_what_is_covered_and_what_is_missing(run: SavedRun) -> None:
    headline = tables.build_headline(run)
    tiles = {tile.label: (tile.value, tile.note) for tile in headline.tiles}
    assert run.blind is not None
    last, blind, total = run.loop.parts[-1], run.blind.parts[-1], 420
    held, share = f"{last['distinct']:,}", format_share(last["distinct"] / total)
    assert f"hold {held} knowledge points, {share} of the source's" in headline.sentence
    assert f"(the blind run {format_share(blind['distinct'] / total)})" in headline.sentence
    assert tiles["distinct knowledge points"] == (held, f"of {total} in the source, blind {blind['distinct']:,}")
    assert tiles["of the source covered"] == (share, f"blind {format_share(blind['distinct'] / total)}")
    left = last["order"] - last["filled"]
    assert tiles["exposures still wanted"] == (f"{left:,}", f"of {last['order']:,} within reach")


def test_parts_of_an_older_kdos_have_no_coverage(run: SavedRun) -> None:
    old = [{key: value for key, value in each.items() if key != "distinct"} for each in run.loop.parts]
    older = dataclasses.replace(run, loop=dataclasses.replace(run.loop, parts=old), blind=None)
    assert "knowledge points" not in tables.build_headline(older).sentence
    assert "distinct knowledge points" not in {tile.label for tile in tables.build_headline(older).tiles}
    assert build_coverage_chart(older) is None


def test_a_run_that_goes_on_shows_how_far_it_is(running_run: Path) -> None:
    (running_run / "run.yaml").write_text("budget: {samples: 480}\n")
    headline = tables.build_headline(read_saved_run(running_run))
    assert headline.running
    assert headline.done == 0.5
    assert headline.sentence.startswith("The run is going on: 240 samples")


@pytest.mark.parametrize("config", ["[", "budget: 3", "budget: {samples: many}", ""])
def test_a_configuration_that_does_not_say_the_size_gives_no_share(config: str) -> None:
    assert tables.read_wanted_samples(config) is None


def test_steered_and_blind_are_compared_on_one_footing(run: SavedRun) -> None:
    rows = {name: (steered, blind) for name, steered, blind in tables.compare_with_blind_run(run)}
    assert rows["samples"] == ("240", "240")
    assert run.blind is not None
    ends = (run.loop.parts[-1]["distinct"], run.blind.parts[-1]["distinct"])
    assert rows["distinct knowledge points of the source"] == tuple(map(str, ends))
    assert rows["coverage of the source"] == tuple(format_share(end / 420) for end in ends)
    assert float(rows["drafts for a sample"][0]) > 1
    steered, blind = (float(text.split()[0]) for text in rows["target in cells that are met"])
    assert steered > blind
    assert tables.compare_with_blind_run(dataclasses.replace(run, blind=None)) == []


def test_a_part_before_the_first_sample_has_no_figures(run: SavedRun) -> None:
    empty = {**run.loop.parts[0], "kl": None, "floor": None, "samples": 0}
    loop = dataclasses.replace(run.loop, parts=[empty, *run.loop.parts])
    chart = build_kl_chart(dataclasses.replace(run, loop=loop))
    assert chart is not None
    assert "nan" not in "".join(stroke.path for stroke in chart.strokes)
    alone = dataclasses.replace(run, loop=dataclasses.replace(run.loop, parts=[empty]))
    tiles = {tile.label: tile.value for tile in tables.build_headline(alone).tiles}
    assert tiles["KL to the target, nats"] == "–"


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0 %"), (0.0001, "< 0.1 %"), (0.012, "1.2 %"), (0.5, "50 %"), (1.0, "100 %")]
)
def test_percentages(share: float, text: str) -> None:
    assert format_share(share) == text


def test_levels_are_shown_by_discipline_beside_what_was_wanted(run: SavedRun) -> None:
    parts = [{"levels": {"law": {"D1": 3, "D3": 1}, "": {"D2": 2}}}, {"levels": {"law": {"D1": 1}, "art": {"D5": 4}}}]
    config = "difficulty: {D1: 0.5, D5: 0.5}"
    table = tables.tabulate_levels(
        dataclasses.replace(run, loop=dataclasses.replace(run.loop, parts=parts), config=config)
    )
    assert table is not None
    assert [(row.name, row.samples) for row in table.rows] == [("all", 11), ("law", 5), ("art", 4)]
    assert [cell.samples for cell in table.rows[1].cells] == [4, 0, 1, 0, 0]
    assert [cell.shade for cell in table.rows[1].cells] == [7, 0, 2, 0, 0]
    assert table.wanted == (0.5, 0, 0, 0, 0.5)


def test_parts_of_an_older_kdos_have_no_levels(run: SavedRun) -> None:
    assert (
        tables.tabulate_levels(dataclasses.replace(run, loop=dataclasses.replace(run.loop, parts=[{"samples": 3}])))
        is None
    )
