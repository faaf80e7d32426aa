import numpy as np
import pytest

from kdos.density import fit_space
from kdos.embed import LexicalEmbedder
from kdos.errors import StoreError, UsageError
from kdos.evaluate import place_questions, summarise_by_density, tabulate_by_cell
from kdos.scoring import BenchmarkQuestion
from kdos.store import write_arrays

TOPICS = {
    "river": [f"The river Arn{n} flows {n} km through the valley of Tosk." for n in range(60)],
    "king": [f"King Oskar {n} of Vestria was crowned in the year {1500 + n}." for n in range(60)],
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    texts = [text for topic in TOPICS.values() for text in topic]
    embedder = LexicalEmbedder.fit(texts)
    space, reference = fit_space(embedder.embed(texts), embedder=embedder.name, dim=8, n_cells=8, k=5, random_seed=0)
    write_arrays(folder / "space", *space.to_arrays())
    write_arrays(folder / "embed", {"name": embedder.name}, embedder.to_arrays())
    write_arrays(folder / "extract" / "reference", {}, {"points": reference.points})
    (folder / "run.yaml").write_text("source: {kind: pydocs}\nembed: lexical\n")
    return folder


QUESTIONS = [
    BenchmarkQuestion("a", "How long is the river Arn7 through the valley of Tosk?", ("7 km",)),
    BenchmarkQuestion("b", "When was King Oskar 9 of Vestria crowned?", ("1509",)),
    BenchmarkQuestion("c", "Which enzyme splits lactose?", ("lactase",)),
]


def test_questions_lie_with_the_knowledge_they_ask_for(run):
    places = place_questions(QUESTIONS, run)
    known = [BenchmarkQuestion(str(n), text, ()) for n, text in enumerate(TOPICS["river"] + TOPICS["king"])]
    cells = place_questions(known, run).cells
    assert places.cells[0] in cells[:60]
    assert places.cells[1] in cells[60:]
    assert places.novel.tolist()[2]
    assert places.as_row(0) == {
        "cell": int(places.cells[0]),
        "log10_density": float(places.log10_density[0]),
        "novel": bool(places.novel[0]),
    }


def test_cells_and_fifths_hold_every_question_once(run):
    places = place_questions(QUESTIONS, run)
    rows = [{"id": "a", "correct": 1.0}, {"id": "b", "correct": 0.0}, {"id": "c", "unscored": "x"}]
    against = {"a": {"correct": 0.0}, "b": {"correct": 0.0}}
    cells = tabulate_by_cell(rows, places, against).to_pylist()
    assert sum(row["questions"] for row in cells) == 3
    assert sum(row["scored"] for row in cells) == 2
    at = {row["cell"]: row for row in cells}
    assert at[int(places.cells[0])]["difference"] == 1.0
    assert at[int(places.cells[1])]["correct"] == 0.0
    parts = summarise_by_density(rows, places, against)
    assert sum(part["questions"] for part in parts) == 3
    levels = [part["log10_density"][0] for part in parts]
    assert levels == sorted(levels)
    assert summarise_by_density(rows, places, {})[-1]["difference"] is None


def test_the_same_questions_have_the_same_places(run):
    one, other = place_questions(QUESTIONS, run), place_questions(QUESTIONS[:2], run)
    np.testing.assert_array_equal(one.cells[:2], other.cells)


def test_a_folder_that_is_no_run(run, tmp_path):
    with pytest.raises(UsageError, match=r"--run must be the folder of a run that has a space"):
        place_questions(QUESTIONS, tmp_path / "nowhere")
    (tmp_path / "space").symlink_to(run / "space")
    (tmp_path / "extract").symlink_to(run / "extract")
    (tmp_path / "run.yaml").write_text("target: sqrt\n")
    with pytest.raises(StoreError, match=r"run\.yaml must be a run's configuration"):
        place_questions(QUESTIONS, tmp_path)
