"""What the loop starts from: seeds, knowledge points, their space, and questions to keep out.

Each stage is done once: where its files lie in the run's folder, they are read.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kdos.arrays import Float32Array
from kdos.artifacts import RunFolder
from kdos.chance import keyed_generator
from kdos.checks import AnsweredQuestion, BenchmarkIndex, find_paraphrases, make_refusal
from kdos.checks.draft_checks import MIN_KNOWLEDGE_POINTS
from kdos.config import Config
from kdos.density import Space, fit_space, measure_health, note_small_pool
from kdos.embed import Embedder, LexicalEmbedder, embed_in_blocks, note_unknown_script
from kdos.errors import EmptyRunError, UsageError
from kdos.evaluate import open_benchmark
from kdos.extract import collect_extractions, extraction_table, merge_points, merge_wordings, unit_vectors
from kdos.pool import Draft, Inventory, Refusal, Tally, column_values
from kdos.rules.engine import LANGUAGES, writes_language
from kdos.run.domains import Domains, sort_source
from kdos.run.taxonomy import read_taxonomy
from kdos.sampler import check_disciplines
from kdos.scoring import BenchmarkQuestion
from kdos.seed import DOCUMENTS, PASSAGES, SEEDS, gather_seeds, read_own_questions
from kdos.seed.own_questions import ID_PREFIX
from kdos.seed.questions import open_questions
from kdos.seed.sources import open_source
from kdos.store import (
    atomic_folder,
    open_parquet_writers,
    read_arrays,
    read_json_file,
    read_parquet,
    write_arrays,
    write_json,
    write_parquet,
)
from kdos.synthesize import Library
from kdos.tasks import Ask
from kdos.terminal import Progress, print_status

EXAMPLE_CHARS = 120
REPLY_FAULTS = {
    "unreadable": "replies were not the JSON that was asked for",
    "no_reply": "replies were failures",
    "evidence_not_in_passage": "questions quote what their passage does not say",
}
"""Reasons that speak against the model or its server, not against the source."""
SEED_TABLES = {"documents": DOCUMENTS, "passages": PASSAGES, "seeds": SEEDS}


@dataclass(frozen=True)
class LoopInputs:
    """All that the loop starts from, and what the stages before it came to, by name.

    `seed_quotes` are those that the model gave with its seed questions.
    """

    library: Library
    inventory: Inventory
    space: Space
    embedder: Embedder
    reference: pa.Table
    stages: dict[str, Any]
    seed_quotes: Tally


def prepare_inputs(
    config: Config, folder: RunFolder, *, ask: Ask, embedder: Embedder | None, progress: Progress
) -> LoopInputs:
    """Do what is not done yet of seeding, extracting and fitting the space.

    `embedder` None stands for the lexical one, which learns from the knowledge points.
    """
    seeds, passages, stages = _ensure_seeds(config, folder, ask, embedder, progress)
    library, stages["extract"] = _ensure_extractions(seeds, passages, folder, ask, progress)
    points = merge_points(library.extractions)
    _require_enough_points(points)
    embedder = embedder or _ensure_lexical_embedder(points, config, folder, progress)
    space, reference = _ensure_space(points, config, folder, embedder, progress)
    return LoopInputs(
        library=library,
        inventory=Inventory(
            column_values(reference, "text"),
            points=folder.read_reference_points(),
            cells=reference["cell"].to_numpy().astype(np.int32),
            wordings=column_values(reference, "wordings"),
        ),
        space=space,
        embedder=embedder,
        reference=reference,
        stages=stages,
        seed_quotes=_tally_seed_quotes(config, seeds, stages["seed"]["refused"]),
    )


def _ensure_seeds(
    config: Config, folder: RunFolder, ask: Ask, embedder: Embedder | None, progress: Progress
) -> tuple[pa.Table, pa.Table, dict[str, Any]]:
    """Seeds, passages, and how many documents and seeds came in and were refused."""
    if not folder.seed.exists():
        check_source_domains(config)
        domains = sort_source(config, ask=ask, embedder=embedder, progress=progress)
        with progress.stage("seed"):
            _write_seeds(config, folder, ask, domains, progress)
    stages = read_json_file(folder.seed_tallies)
    seeds, passages = read_parquet(folder.seeds), read_parquet(folder.passages)
    return seeds, passages, stages


def _tally_seed_quotes(config: Config, seeds: pa.Table, refused: Mapping[str, int]) -> Tally:
    """The quotes of seed questions, and how many do not stand in their passage; a question that was given has none."""
    if config.source.kind == "qa":
        return Tally()
    given = sum(name.startswith(ID_PREFIX) for name in column_values(seeds, "id"))
    found = seeds.num_rows - given + refused.get("answer_not_in_evidence", 0) + refused.get("more_than_asked", 0)
    return Tally(found, Counter(evidence_not_in_passage=refused.get("evidence_not_in_passage", 0)))


def check_source_domains(config: Config) -> None:
    """Raise a ConfigError where a discipline is no domain of the source: said before anything is asked or paid.

    Where a taxonomy gives the domains, only what is none of its classes is known before.
    """
    if read_taxonomy(config) is None and config.disciplines:
        records = open_questions(config.source) if config.source.kind == "qa" else open_source(config.source)
        records = chain(records, read_own_questions(config.seeds, lang=config.source.lang))
        check_disciplines(config.disciplines, {record.domain for record in records if not isinstance(record, Refusal)})


def _write_seeds(config: Config, folder: RunFolder, ask: Ask, domains: Domains | None, progress: Progress) -> None:
    """Stream the source into the seed folder, under the `domains` of a taxonomy; whole or not at all."""
    per_passage, size = config.seed.per_passage, config.seed.passage_chars
    own = read_own_questions(config.seeds, lang=config.source.lang)
    tallies, examples = {"document": Tally(), "seed": Tally()}, dict[str, str]()
    languages = Counter[str]()
    with atomic_folder(folder.seed, seal=folder.seal) as aside, open_parquet_writers(aside, SEED_TABLES) as write:
        named = domains and domains.of
        for batch in gather_seeds(config.source, ask=ask, per_passage=per_passage, size=size, own=own, domains=named):
            languages.update(column_values(batch.documents, "lang"))
            for name in SEED_TABLES:
                write(name, getattr(batch, name))
            tallies["document"].accepted += batch.documents.num_rows
            tallies["seed"].accepted += batch.seeds.num_rows
            for refusal in batch.refusals.to_pylist():
                tallies[refusal["stage"]].refused[refusal["reason"]] += 1
                examples.setdefault(refusal["reason"], refusal["detail"])
            progress.update(tallies["seed"].accepted, f"{tallies['document'].accepted} documents")
        passed_over = _describe_foreign_documents(languages, config)
        if not tallies["seed"].accepted:
            # Raised in here, so that no folder is left that the next call would take for the seeds.
            if passed_over:
                raise EmptyRunError(f"{passed_over}. Set engine.kind: http, or source.lang where that is wrong.")
            raise _empty_stage_error("seed question", tallies["seed"], examples)
        if passed_over or len(languages) > 1:
            print_status(passed_over or f"documents: {_count_by_name(languages)}")
        if domains:
            tallies["disciplines"] = domains.tally
        counts = {name: tally.as_json() for name, tally in tallies.items()}
        write_json(aside / folder.seed_tallies.name, counts)


def _describe_foreign_documents(languages: Mapping[str, int], config: Config) -> str:
    """What to say of documents in languages that the engine does not write; empty where there are none."""
    if config.engine.kind != "rules" or all(map(writes_language, languages)):
        return ""
    written = " and ".join(LANGUAGES)
    return f"the engine `rules` writes {written}, and passes over other documents: {_count_by_name(languages)}"


def _count_by_name(languages: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} in {lang}" for lang, count in sorted(languages.items()))


def _ensure_extractions(
    seeds: pa.Table, passages: pa.Table, folder: RunFolder, ask: Ask, progress: Progress
) -> tuple[Library, dict[str, Any]]:
    """The library of seeds that have knowledge points, and what the stage came to."""
    done = folder.extraction_tally
    if not done.exists():
        with progress.stage("extract", total=seeds.num_rows):
            unread, tally = Library(seeds=seeds, extractions=seeds, passages=passages), Tally()
            pairs, examples = collect_extractions(
                map(unread.seed, range(seeds.num_rows)),
                ask=ask,
                passage=unread.passage,
                tally=tally,
                note=lambda tally: progress.update(tally.received, f"{tally.accepted} extracted"),
            )
            if not pairs:
                raise _empty_stage_error("knowledge point", tally, examples)
            table = extraction_table(pairs)
            write_parquet(folder.extractions, table, table.schema, seal=folder.seal)
            write_json(done, tally.as_json(), seal=folder.seal)
    extractions = read_parquet(folder.extractions)
    kept = pc.is_in(seeds["id"], value_set=extractions["seed"].combine_chunks())
    library = Library(seeds=seeds.filter(kept), extractions=extractions, passages=passages)
    return library, read_json_file(done)


def _empty_stage_error(wanted: str, tally: Tally, examples: Mapping[str, str]) -> EmptyRunError:
    """Why nothing came of a stage: the model's replies, or what the source holds."""
    refused = tally.refused
    if not refused:
        return EmptyRunError(
            f"the source must give at least one {wanted}. Its passages gave none, and no reply was refused. "
            "Look at the texts, and at the answers in the ledger."
        )
    reason, count = refused.most_common(1)[0]
    total, example = sum(refused.values()), " ".join(examples.get(reason, "").split())[:EXAMPLE_CHARS]
    if reason in REPLY_FAULTS:
        return EmptyRunError(
            f"the model must answer with at least one {wanted}. {count / total:.0%} of {total:,} "
            f"{REPLY_FAULTS[reason]}, as in {example!r}. Try another engine.model, or "
            "`kdos doctor` on the configuration."
        )
    return EmptyRunError(
        f"the source must give at least one {wanted}. {count:,} of {sum(refused.values()):,} were refused as "
        f"{reason}, as in {example!r}. Look at the texts and at what the model makes of them."
    )


def _ensure_lexical_embedder(points: pa.Table, config: Config, folder: RunFolder, progress: Progress) -> Embedder:
    """The embedder that learns from the reference texts: fitted once and kept."""
    if not folder.embedder.exists():
        with progress.stage("embed"):
            texts = column_values(points, "text")
            fitted = LexicalEmbedder.fit(texts, random_seed=config.random_seed)
            write_arrays(folder.embedder, {"name": fitted.name}, fitted.to_arrays(), seal=folder.seal)
    return LexicalEmbedder(**read_arrays(folder.embedder)[1])


def _ensure_space(
    points: pa.Table, config: Config, folder: RunFolder, embedder: Embedder, progress: Progress
) -> tuple[Space, pa.Table]:
    """The frozen space and the reference: its knowledge points with their places in it."""
    if not folder.knowledge_points.exists():
        with progress.stage("space"):
            texts = column_values(points, "text")
            if (note := note_unknown_script(embedder, texts)) is not None:
                print_status(note)
            vectors = wordings = embed_in_blocks(embedder, texts)
            facts = None
            if _knows_meaning(embedder):
                points, grouping = merge_wordings(points, wordings)
                vectors, facts = wordings[grouping.first], grouping.group
                _require_enough_points(points)
            space, reference = fit_space(
                vectors,
                embedder=embedder.name,
                dim=config.space.dim,
                n_cells=config.space.cells,
                k=config.space.k,
                random_seed=config.random_seed,
            )
            if config.space.placebo:
                turn = keyed_generator(config.random_seed, "placebo").permutation(points.num_rows)
                reference = reference.take(turn)
            health = measure_health(texts, space.project(wordings), space, facts=facts, random_seed=config.random_seed)
            if health and health.groups_wordings:
                print_status(health.sentence)
            if (note := note_small_pool(reference, k=config.space.k, n_cells=config.space.cells)) is not None:
                print_status(note)
            header, arrays = space.to_arrays()
            header["health"] = health.as_json() if health else None
            write_arrays(folder.space, header, arrays, seal=folder.seal)
            write_arrays(folder.reference, {"rows": points.num_rows}, {"points": reference.points}, seal=folder.seal)
            table = (
                points.append_column("cell", pa.array(reference.cells, pa.int32()))
                .append_column("log10_density", pa.array(reference.log_density / math.log(10)))
                .append_column("novel", pa.array(reference.radius > space.novel_radius))
            )
            for name, column in place_columns(reference.points).items():
                table = table.append_column(name, pa.array(column))
            write_parquet(folder.knowledge_points, table, table.schema, seal=folder.seal)
    return folder.read_space(), read_parquet(folder.knowledge_points)


def place_columns(points: Float32Array) -> dict[str, Float32Array]:
    """Where points of shape (n_points, dim) are drawn: their first two coordinates, 0 for one that they lack."""
    return {"x": points[:, 0], "y": points[:, 1] if points.shape[1] > 1 else np.zeros(len(points), np.float32)}


def _require_enough_points(points: pa.Table) -> None:
    if points.num_rows < MIN_KNOWLEDGE_POINTS:
        raise UsageError(
            f"a sample links at least {MIN_KNOWLEDGE_POINTS} knowledge points. The source states {points.num_rows}: "
            f"{'; '.join(column_values(points, 'text'))!r:.{EXAMPLE_CHARS}}. Give a source that states more."
        )


def _knows_meaning(embedder: Embedder) -> bool:
    """Whether near vectors mean the same; the lexical embedder's share words and may not."""
    return embedder.name != LexicalEmbedder.name


def read_benchmark_questions(names: Sequence[str]) -> list[BenchmarkQuestion]:
    """All questions of these files, or of benchmarks known by name."""
    return [question for name in names for question in open_benchmark(name)]


def index_benchmarks(questions: Sequence[BenchmarkQuestion]) -> BenchmarkIndex | None:
    """The questions by their words; None where there are none."""
    benchmarks = BenchmarkIndex()
    for each in questions:
        benchmarks.add_question(each.question, each.answers, name=_question_name(each))
    return benchmarks or None


def paraphrase_check(
    questions: Sequence[BenchmarkQuestion], embedder: Embedder
) -> Callable[[Sequence[Draft]], list[Refusal | None]] | None:
    """A check of many drafts at once by the vectors of their questions; None where none can be."""
    if not questions or not _knows_meaning(embedder):
        return None
    theirs = [AnsweredQuestion(each.question, each.answers) for each in questions]
    vectors = unit_vectors(embedder.embed([each.question for each in questions]))

    def find_refusals(drafts: Sequence[Draft]) -> list[Refusal | None]:
        if not drafts:
            return []
        ours = [AnsweredQuestion(each.question, [each.answer]) for each in drafts]
        our_vectors = unit_vectors(embedder.embed([each.question for each in drafts]))
        found = find_paraphrases(ours, theirs, our_vectors=our_vectors, their_vectors=vectors)
        same = {one.row: questions[one.other] for one in found}
        refusals = {row: make_refusal("contaminated", f"{_question_name(q)}: {q.question}") for row, q in same.items()}
        return [refusals.get(row) for row in range(len(drafts))]

    return find_refusals


def _question_name(question: BenchmarkQuestion) -> str:
    return f"{question.benchmark}:{question.id}"
