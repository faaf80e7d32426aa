import json
import pydoc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import kdos
import kdos.density
from kdos import api
from kdos.errors import UsageError

METALS = ("copper", "iron", "zinc", "tin", "lead", "silver", "gold", "nickel")


def questions(count: int) -> list[str]:
    chance = np.random.default_rng(0)
    return [
        f"At how many degrees does {METALS[int(kind)]} number {place} melt in <b>air</b>?"
        for place, kind in enumerate(chance.zipf(1.6, count) % len(METALS))
    ]


@pytest.fixture(scope="module")
def measured() -> api.DatasetDensity:
    return kdos.density(questions(900), n_cells=8)


def test_texts_are_measured_as_the_command_does(measured, tmp_path: Path, capsys) -> None:
    from kdos.cli import main

    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps({"question": text}) + "\n" for text in questions(900)))
    assert main(["density", str(path), "--cells", "8", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.pop("field") == "question"  # in memory it is called text
    assert found == {
        name: value for name, value in json.loads(json.dumps(measured.summary)).items() if name != "field"
    }
    assert measured.summary["health"]["sentence"] == measured.health.sentence
    assert measured.health.verdict in repr(measured)
    assert measured.log10_density.shape == measured.cells.shape == (900,)


def test_a_choice_can_be_made_again_without_measuring(measured) -> None:
    chosen = measured.select(200, "uniform", dedup="exact")
    other = chosen.again(100, "natural")
    assert (len(chosen.rows), len(other.rows)) == (200, 100)
    assert chosen.summary["kl"] == pytest.approx(chosen.summary["kl_optimum"], abs=1e-3)
    texts = questions(900)
    assert chosen.table()["text"].to_pylist() == [texts[row] for row in chosen.rows]
    assert len(repr(measured)) < 1000 and len(repr(chosen)) < 1000


def test_tables_keep_their_columns(tmp_path: Path) -> None:
    table = pa.table({"question": questions(300), "id": list(range(300))})
    chosen = kdos.select(table, 50, "sqrt")
    assert chosen.save(tmp_path / "chosen.parquet") == 50
    assert chosen.table()["id"].to_pylist() == chosen.rows.tolist()
    assert chosen.table().column_names == ["question", "id", "cell"]


def test_vectors_are_taken_as_they_are() -> None:
    points = np.random.default_rng(0).standard_normal((500, 6))
    found = kdos.density(points)
    assert found.summary["dim"] == 6
    assert found.health is None
    assert "health not known" in repr(found)


def test_a_hub_dataset_and_a_frame_are_tables() -> None:
    datasets = pytest.importorskip("datasets")
    frame = pytest.importorskip("pandas").DataFrame({"question": questions(200)})
    held = datasets.Dataset.from_pandas(frame)
    assert kdos.density(held).summary == kdos.density(frame).summary


def test_what_is_shown_is_escaped(measured) -> None:
    shown = measured._repr_html_() + measured.select(20)._repr_html_()
    assert "<b>air" not in shown
    assert "&lt;b&gt;air" in shown
    assert shown.count("<img") == 1


def test_a_run_is_read_back(tmp_path: Path) -> None:
    source = tmp_path / "metals.jsonl"
    towns = ("Aden", "Bonn", "Cork", "Dover", "Essen")
    with source.open("w") as file:
        for place, metal in enumerate(METALS):
            said = [
                f"In {1801 + 7 * place + at} the {metal} works of {town} employed {90 + at} people."
                for at, town in enumerate(towns)
            ]
            file.write(json.dumps({"id": metal, "text": " ".join(said)}) + "\n")
    config = {"source": {"kind": "text", "path": str(source), "text": "text", "id": "id"}, "budget": {"samples": 12}}
    made = kdos.run(config, tmp_path / "run")
    assert made.samples().num_rows == made.summary["samples"] > 0
    assert len(made.kl_by_part()) == made.summary["parts"]
    assert made.report.exists()
    assert made.samples()["question"][0].as_py().split()[0] in made._repr_html_()
    assert len(repr(made)) < 1000
    held = f"{made.summary['distinct']:,} knowledge points, {made.summary['coverage']:.1%} of the source"
    assert held in repr(made) and held in made._repr_html_()
    assert "exposures are still wanted" in repr(made) and "KL" in repr(made)
    assert made.distinct_by_samples()[-1] == (made.summary["samples"], made.summary["distinct"])
    card = (made.path / "dataset" / "README.md").read_text()
    assert f"| distinct knowledge points of the source | {made.summary['distinct']} |" in card
    assert f"| coverage of the source | {made.summary['coverage']:.4g} |" in card
    wanted = made.summary["order"] - made.summary["filled"]
    assert f"| exposures still wanted of what can be reached | {wanted} |" in card
    exported = kdos.export(made.path, "trl", tmp_path / "trl")
    assert exported["rows"] == {"train": made.summary["samples"]}
    assert kdos.report(made.path).page == made.report


@pytest.mark.parametrize("data", [[], 3, pa.table({"x": [1]}), [1, 2]])
def test_data_that_cannot_be_measured_is_named(data) -> None:
    with pytest.raises(UsageError, match="data"):
        kdos.density(data)


def test_public_functions_are_what_the_package_shows() -> None:
    assert dir(kdos) == kdos.__all__
    assert {"density", "export", "report", "run", "select"} < set(kdos.__all__)
    assert kdos.density is api.density  # though its subpackage of that name is imported above
    assert "vectors of shape (n, n_features)" in pydoc.render_doc(kdos.density)
    with pytest.raises(AttributeError, match="nothing"):
        kdos.nothing  # noqa: B018


def test_a_package_of_a_functions_name_is_still_imported() -> None:
    from kdos.density import fit_space

    assert callable(fit_space)
