"""A run's folder in, what is wrong with it out: checksums, ledger, sums that balance, dataset."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from kdos.artifacts import RunFolder
from kdos.checksums import Damage
from kdos.errors import DamageError
from kdos.llm.reply_store import ReplyStore
from kdos.outputs import MARK_NAME, RUN
from kdos.pool import column_values
from kdos.run.provenance import describe_input_files, name_input_paths
from kdos.store import read_json_file, read_parquet


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: in which check, with which file, what, and what to do about it."""

    check: str
    path: Path
    found: str
    advice: str


def inspect_run(path: Path) -> tuple[list[str], list[Finding]]:
    """The checks that were made of the run in `path`, finished or not, and all that they found.

    Raises:
        InputError: The folder is no run.
        StoreError: Another process is working in it.
    """
    folder = RunFolder(path)
    folder.require_config()
    checks: dict[str, Callable[[RunFolder], Iterator[Finding]]] = {
        "checksums": _check_checksums,
        "ledger": _check_ledger,
        "balance": _check_balance,
        "results": _check_results,
        "dataset": _check_dataset,
        "report": _check_report,
        "inputs": _check_inputs,
    }
    findings = [finding for name, check in checks.items() for finding in _run_check(name, check, folder)]
    return list(checks), findings


def _run_check(name: str, check: Callable[[RunFolder], Iterator[Finding]], folder: RunFolder) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(check(folder))
    except (DamageError, KeyError, TypeError, AttributeError) as error:
        # A damaged file may hold anything at all where a number is looked for.
        what = str(error) if isinstance(error, DamageError) else f"a file lacks or confuses {error}"
        found.append(Finding(name, folder.path, what, "See what the checksums say."))
    return found


def _check_checksums(folder: RunFolder) -> Iterator[Finding]:
    if not folder.checksums.exists() and not folder.find_damage():
        yield Finding("checksums", folder.checksums, "there are none: an older kdos made the run", "Run it anew.")
    for damage in folder.find_damage():
        yield Finding("checksums", damage.path, damage.found, folder.advise(damage))
    if not RUN.is_named_in(folder.path):
        advice = "Run the same `kdos run` again: it is written anew."
        yield Finding("checksums", folder.path / MARK_NAME, "it is missing or has changed", advice)


def _check_ledger(folder: RunFolder) -> Iterator[Finding]:
    restore = "Restore it from a backup; without it the run cannot go on without paying again."
    if not folder.ledger.is_file() or not folder.ledger.stat().st_size:
        if folder.seed.exists():
            yield Finding("ledger", folder.ledger, "it is missing or empty", restore)
        return
    store = ReplyStore(folder.ledger, exclusive=True)
    try:
        store.total_spending()
        if damaged := store.count_damaged_replies():
            yield Finding("ledger", folder.ledger, f"{damaged:,} replies are not what was stored", restore)
    finally:
        store.close()


def _check_balance(folder: RunFolder) -> Iterator[Finding]:
    """Rows in = rows out + refusals at every stage, and as many rows as are said."""
    if folder.seed_tallies.exists():
        tallies = read_json_file(folder.seed_tallies)
        for stage, path in (("document", folder.documents), ("seed", folder.seeds)):
            yield from _compare_tally(folder.seed_tallies, stage, tallies[stage], path)
    if folder.extraction_tally.exists():
        tally = read_json_file(folder.extraction_tally)
        yield from _compare_tally(folder.extraction_tally, "extract", tally, folder.extractions)
    for one in folder.complete_parts():
        facts = read_json_file(one.facts)
        verdicts = column_values(read_parquet(one.verdicts, ["accepted"]), "accepted")
        sums = {
            "drafts": (facts["drafts"], facts["accepted"] + sum(facts["refused"].values())),
            "verdicts": (facts["drafts"], len(verdicts)),
            "accepted": (facts["accepted"], sum(verdicts)),
            "samples": (facts["accepted"], read_parquet(one.samples, ["id"]).num_rows),
        }
        for name, (said, counted) in sums.items():
            if said != counted:
                yield _unbalanced(one.facts, name, said, counted)


def _compare_tally(path: Path, stage: str, tally: dict[str, Any], table: Path) -> Iterator[Finding]:
    rows = read_parquet(table, []).num_rows
    if tally["out"] != rows:
        yield _unbalanced(path, f"{stage} rows", tally["out"], rows)
    if tally["in"] != (out := tally["out"] + sum(tally["refused"].values())):
        yield _unbalanced(path, stage, tally["in"], out)


def _unbalanced(path: Path, what: str, said: int, counted: int) -> Finding:
    advice = "Report it, with this folder, if no file of it was changed."
    return Finding("balance", path, f"{what}: {said:,} are said and {counted:,} are there", advice)


def _check_results(folder: RunFolder) -> Iterator[Finding]:
    """What a run that has ended once left, and is gone."""
    for path in folder.lost_results():
        yield Finding("results", path, "it is missing", "Run the same `kdos run` again: it is made anew.")


def _check_dataset(folder: RunFolder) -> Iterator[Finding]:
    summary = folder.current_summary()
    if summary is None or not folder.dataset_shards():
        return
    made = pa.concat_tables([read_parquet(shard) for shard in folder.dataset_shards()])
    drafts = summary["samples"] + summary["refused"]
    if summary["drafts"] != drafts:
        yield _unbalanced(folder.summary, "drafts", summary["drafts"], drafts)
    if summary["samples"] != made.num_rows:
        yield _unbalanced(folder.summary, "samples", summary["samples"], made.num_rows)
    parts = folder.read_parts("samples")
    if parts and not pa.concat_tables(parts).equals(made):
        damage = Damage(folder.dataset, "it is not what the parts hold")
        yield Finding("dataset", damage.path, damage.found, folder.advise(damage))


def _check_report(folder: RunFolder) -> Iterator[Finding]:
    """The page, and the figures beside it; all of it can be written again."""
    for damage in folder.find_report_damage():
        advice = f"Run `kdos report {folder.path}` again, with --png for the figures: it is written anew."
        yield Finding("report", damage.path, damage.found, advice)


def _check_inputs(folder: RunFolder) -> Iterator[Finding]:
    """The files that the run read; not those that are not found from here, for the run may have been moved."""
    config, then = folder.read_config(), folder.read_made_from()
    paths = name_input_paths(config)
    for name, now in describe_input_files(config).items():
        if name in then and then[name] != now:
            advice = "The run cannot go on: restore it, or give another --out. What was made of it stays good."
            found = f"{name} has changed since the run: {then[name]} then, {now} now"
            yield Finding("inputs", Path(paths[name]), found, advice)
