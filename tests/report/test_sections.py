import dataclasses
from pathlib import Path

import numpy as np
import pytest

from kdos.pool import ErrorClass
from kdos.report import sections
from kdos.report.artefacts import Artefacts, read_run
from kdos.report.wording import CLASS_MEANINGS, OUTCOMES, figure, outcome_of, percent


@pytest.fixture(scope="module")
def run(finished_run: Path) -> Artefacts:
    return read_run(finished_run)


def test_the_headline_says_what_the_run_came_to(run: Artefacts) -> None:
    headline = sections.headline(run)
    assert not headline.running
    assert headline.sentence.startswith("240 samples in ")
    assert "independent draws" in headline.sentence
    values = {tile.label: tile.value for tile in headline.tiles}
    assert values["samples"] == "240"
    assert run.blind is not None
    assert values["KL of the blind run"] == figure(run.blind.rounds[-1]["kl"])


def test_a_run_that_goes_on_shows_how_far_it_is(running_run: Path) -> None:
    (running_run / "run.yaml").write_text("budget: {samples: 480}\n")
    headline = sections.headline(read_run(running_run))
    assert headline.running
    assert headline.done == 0.5
    assert headline.sentence.startswith("The run is going on: 240 samples")


@pytest.mark.parametrize("config", ["[", "budget: 3", "budget: {samples: many}", ""])
def test_a_configuration_that_does_not_say_the_size_gives_no_share(config: str) -> None:
    assert sections.wanted_samples(config) is None


def test_the_picture_after_is_the_same_before_the_pool_is_written(run: Artefacts) -> None:
    going = dataclasses.replace(run, loop=dataclasses.replace(run.loop, points=None))
    before, after = sections.pool_points(run), sections.pool_points(going)
    assert before is not None
    assert after is not None
    assert len(sections.panel_rows(going)) == 2
    for a, b in zip(before, after, strict=True):
        assert np.sort(a) == pytest.approx(np.sort(b))


def test_fates_add_up_to_the_drafts(run: Artefacts) -> None:
    rows = sections.fates(run.loop)
    outcomes = [row for row in rows if row.outcome]
    reasons = [row for row in rows if row.reason]
    drafts = run.loop.fates.total()
    assert sum(row.drafts for row in outcomes) == drafts
    assert sum(row.share for row in outcomes) == pytest.approx(1)
    assert sum(row.drafts for row in reasons) == drafts - outcomes[0].drafts
    assert outcomes[0].outcome == "accepted"
    assert {row.reason for row in reasons} >= {"crowded", "logic unreadable"}
    assert all(row.example for row in reasons)


def test_every_error_class_has_a_name_and_a_meaning() -> None:
    assert set(OUTCOMES) == {"accepted", *ErrorClass}
    assert set(CLASS_MEANINGS) == set(ErrorClass)
    assert outcome_of("") == outcome_of(None) == "accepted"
    assert outcome_of("never heard of") == ErrorClass.FORMAT_MISMATCH


def test_cells_are_shown_with_what_they_hold_and_lack(run: Artefacts) -> None:
    thin, crowded, *short = sections.cell_tables(run)
    densities = [cell.log10_density for cell in thin.cells + crowded.cells[::-1]]
    assert densities == sorted(densities)
    assert run.source is not None
    texts = dict(
        zip(run.source.table["text"].to_pylist(), run.source.table["cell"].to_pylist(), strict=True)
    )
    for cell in thin.cells + crowded.cells:
        assert cell.held == run.loop.held[cell.number]
        assert {texts[text] for text in cell.examples} == {cell.number}
        assert cell.reachable == (cell.number != 5)
    for table in short:
        lacks = [cell.quota - cell.held for cell in table.cells]
        assert lacks == sorted(lacks, reverse=True)
        assert min(lacks) > 0


def test_steered_and_blind_are_compared_on_one_footing(run: Artefacts) -> None:
    rows = {name: (steered, blind) for name, steered, blind in sections.comparison(run)}
    assert rows["samples"] == ("240", "240")
    steered, blind = (float(text.split()[0]) for text in rows["target in cells that are met"])
    assert steered > blind
    assert sections.comparison(dataclasses.replace(run, blind=None)) == []


def test_the_balance_shows_what_is_missing() -> None:
    tally = {"in": 10, "out": 6, "refused": {"too_short": 3}}
    (stage,) = sections.balance({"stages": {"two_words": tally}})
    assert (stage.name, stage.missing) == ("two words", 1)
    assert stage.refused == [("too short", 3)]


def test_the_stages_of_the_run_balance(run: Artefacts) -> None:
    stages = sections.balance(run.summary)
    assert [stage.name for stage in stages] == ["document", "drafts"]
    assert [stage.missing for stage in stages] == [0, 0]


def test_costs_are_given_in_all_and_for_a_sample() -> None:
    summary = {"samples": 4, "llm_calls": 10, "cost_usd": 0.5, "usage": {"prompt_tokens": 1000}}
    assert sections.costs(summary) == [
        ("calls to the model", "10", "2.5"),
        ("prompt tokens", "1,000", "250"),
        ("cost in USD", "0.5", "0.125"),
    ]
    assert sections.costs(None) == []


def test_a_logic_that_cannot_be_read_is_shown_with_its_fault(run: Artefacts) -> None:
    broken = {**run.examples[0], "logic": "flowchart TD\n a[ --> "}
    (example,) = sections.examples(dataclasses.replace(run, examples=[broken]))
    assert example.drawing is None
    assert "unreadable" in example.fault


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (0.0001, "< 0.1 %"), (0.012, "1.2 %"), (0.5, "50 %"), (1.0, "100 %")],
)
def test_percentages(share: float, text: str) -> None:
    assert percent(share) == text
