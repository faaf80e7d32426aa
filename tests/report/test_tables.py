from pathlib import Path

import pytest

from kdos.pool import ErrorClass
from kdos.report import tables
from kdos.report.artefacts import Artefacts, read_run
from kdos.report.wording import CLASS_MEANINGS, OUTCOMES, outcome_of


@pytest.fixture(scope="module")
def run(finished_run: Path) -> Artefacts:
    return read_run(finished_run)


def test_fates_add_up_to_the_drafts(run: Artefacts) -> None:
    rows = tables.fates(run.loop)
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
    thin, crowded, *short = tables.cell_tables(run)
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


def test_the_balance_shows_what_is_missing() -> None:
    tally = {"in": 10, "out": 6, "refused": {"too_short": 3}}
    (stage,) = tables.balance({"stages": {"two_words": tally}})
    assert (stage.name, stage.missing) == ("two words", 1)
    assert stage.refused == [("too short", 3)]


def test_the_stages_of_the_run_balance(run: Artefacts) -> None:
    stages = tables.balance(run.summary)
    assert [stage.name for stage in stages] == ["document", "drafts"]
    assert [stage.missing for stage in stages] == [0, 0]


def test_costs_are_given_in_all_and_for_a_sample() -> None:
    summary = {"samples": 4, "llm_calls": 10, "cost_usd": 0.5, "usage": {"prompt_tokens": 1000}}
    assert tables.costs(summary) == [
        ("calls to the model", "10", "2.5"),
        ("prompt tokens", "1,000", "250"),
        ("cost in USD", "0.5", "0.125"),
    ]
    assert tables.costs(None) == []
