from collections.abc import Callable

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from kdos.export import split_by_document

Make = Callable[[int], pa.Table]
NAMES = st.sampled_from([f"d{i}" for i in range(12)])
ROWS = st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=3)), max_size=40)


def a_pool(rows: list[tuple[str, list[str]]]) -> tuple[pa.Table, dict[str, str]]:
    """Samples with a document each and seeds of other documents."""
    table = pa.table(
        {
            "id": pa.array([str(i) for i in range(len(rows))], pa.string()),
            "document": pa.array([document for document, _ in rows], pa.string()),
            "seeds": pa.array([[f"q-{d}" for d in s] for _, s in rows], pa.list_(pa.string())),
        }
    )
    return table, {f"q-d{i}": f"d{i}" for i in range(12)}


def documents_of(table: pa.Table) -> set[str]:
    rows = table.to_pylist()
    own = {row["document"] for row in rows}
    return own | {seed.removeprefix("q-") for row in rows for seed in row["seeds"]}


@given(ROWS, st.integers(0, 99), st.floats(0.1, 0.9))
def test_no_document_has_samples_on_both_sides(
    rows: list[tuple[str, list[str]]], random_seed: int, share: float
) -> None:
    samples, seeds = a_pool(rows)
    split = split_by_document(samples, seeds, test_share=share, random_seed=random_seed)
    train, test = split.tables["train"], split.tables["test"]
    assert not documents_of(train) & documents_of(test)
    assert train.num_rows + test.num_rows + split.straddling == samples.num_rows


@given(ROWS, st.integers(0, 99))
def test_a_document_stays_on_its_side_when_the_pool_grows(rows: list[tuple[str, list[str]]], random_seed: int) -> None:
    samples, seeds = a_pool(rows)
    part = samples.slice(0, samples.num_rows // 2)
    few, many = (split_by_document(pool, seeds, test_share=0.3, random_seed=random_seed) for pool in (part, samples))
    for side in ("train", "test"):
        assert set(few.tables[side]["id"].to_pylist()) <= set(many.tables[side]["id"].to_pylist())


def test_the_share_is_met_over_many_documents() -> None:
    samples, _ = a_pool([(f"d{i}", []) for i in range(5000)])
    split = split_by_document(samples, {}, test_share=0.1, random_seed=1)
    assert 430 <= split.tables["test"].num_rows <= 570
    assert split.straddling == 0


def test_given_questions_without_documents_stand_for_themselves(some_samples: Make) -> None:
    rows = some_samples(200)
    bare = rows.set_column(rows.column_names.index("document"), "document", pa.array([""] * 200))
    split = split_by_document(bare, {}, test_share=0.5, random_seed=3)
    sides = [set(t["seeds"].combine_chunks().flatten().to_pylist()) for t in split.tables.values()]
    assert sides[0] and sides[1]
    assert not sides[0] & sides[1]
