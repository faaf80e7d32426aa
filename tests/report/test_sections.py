import dataclasses
from pathlib import Path

import numpy as np
import pytest

from kdos.report import sections
from kdos.report.artefacts import Artefacts, read_run
from kdos.report.wording import figure, percent


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


def test_steered_and_blind_are_compared_on_one_footing(run: Artefacts) -> None:
    rows = {name: (steered, blind) for name, steered, blind in sections.comparison(run)}
    assert rows["samples"] == ("240", "240")
    steered, blind = (float(text.split()[0]) for text in rows["target in cells that are met"])
    assert steered > blind
    assert sections.comparison(dataclasses.replace(run, blind=None)) == []


def test_a_round_before_the_first_sample_has_no_figures(run: Artefacts) -> None:
    empty = {**run.loop.rounds[0], "kl": None, "floor": None, "samples": 0}
    loop = dataclasses.replace(run.loop, rounds=[empty, *run.loop.rounds])
    chart = sections.kl_chart(dataclasses.replace(run, loop=loop))
    assert chart is not None
    assert "nan" not in "".join(stroke.path for stroke in chart.strokes)
    alone = dataclasses.replace(run, loop=dataclasses.replace(run.loop, rounds=[empty]))
    assert sections.headline(alone).tiles[1].value == "–"


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
