"""A run whose documents are sorted by a taxonomy: what it finds, what a user's own file may hold, and by whom."""

import json
from collections import Counter

import pytest
import yaml
from run_corpus import PLACES, config_of, dataset_hash, rows_of, samples_of

from kdos.cli import main
from kdos.commands.serve_rules import PROMPTS
from kdos.config import read_config
from kdos.errors import InputError
from kdos.llm.mock_server import MockServer, serve_app
from kdos.llm.reply_store import ReplyStore
from kdos.rules import RulesEngine
from kdos.run import run_config
from kdos.run.taxonomy import MOST_CLASSES, MOST_CLASSES_ASKED, MOST_EXAMPLES, MOST_FILE_BYTES, read_classes
from kdos.tasks import Reply

FIELDS = {
    "chemistry": (
        ("laboratory", "refinery", "distillery", "dyeworks"),
        "Acids, salts and molecules, the reaction of an acid with a base, and the pH of a solution.",
    ),
    "law": (
        ("court", "tribunal", "prison", "chancery"),
        "The judge of the court heard the plaintiff and the defendant, and the jury of the trial.",
    ),
    "history": (
        ("castle", "fortress", "palace", "citadel"),
        "The king and his dynasty, the war and the treaty, the battle of the empire.",
    ),
}
CLASSES = [
    {"name": "chemistry", "description": "Substances and their reactions.", "examples": ["acid", "salt"]},
    {"name": "law", "description": "Courts and cases.", "examples": ["defendants", "a court decided"]},
    {"name": "history", "examples": ["a battle was fought", "kings and soldiers"]},
]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Ten documents of each of three fields; what their own `domain` says is wrong."""
    with (path := tmp_path_factory.mktemp("mixed") / "mixed.jsonl").open("w") as file:
        for field, (buildings, about) in FIELDS.items():
            for i, place in enumerate(PLACES):
                paragraphs = [
                    f"{about} The {building} of {place} was opened in {1700 + 13 * i + 7 * j}. "
                    f"It was designed by Maria {place}{building.title()} for {1000 + 37 * i + j} crowns. "
                    f"Some {200 + 11 * j + i} people built the {building} of {place} in {3 + j} years."
                    for j, building in enumerate(buildings)
                ]
                text = "\n\n".join(paragraphs)
                row = {"id": f"{field} {i}", "title": about, "text": text, "domain": "wrong"}
                file.write(json.dumps(row) + "\n")
    return path


@pytest.fixture
def classes_file(tmp_path):
    (path := tmp_path / "classes.yaml").write_text(yaml.safe_dump(CLASSES))
    return path


def config_with(mixed, taxonomy, **changes):
    return config_of(mixed, taxonomy=taxonomy, budget={"samples": 40}, exposures=1, **changes)


def command(config, folder, capsys):
    (path := folder / "c.yaml").write_text(json.dumps(config))
    code = main(["run", str(path), "--out", str(folder / "run")])
    return code, capsys.readouterr()


def domains_of(run, table):
    return {row["id"]: row["domain"] for row in rows_of(run / "seed" / f"{table}.parquet")}


def test_documents_passages_and_seeds_get_their_class_whatever_the_source_says(mixed, tmp_path, capsys):
    code, shown = command(config_with(mixed, "broad"), tmp_path, capsys)
    assert code == 0
    for table in ("documents", "passages", "seeds"):
        found = domains_of(tmp_path / "run", table)
        assert found and all(domain == name.split()[0] for name, domain in found.items())
    assert "disciplines of 30 documents: chemistry 10, law 10, history 10\n" in shown.err
    tally = json.loads(shown.out.splitlines()[-1])["stages"]["disciplines"]
    assert tally == {"in": 30, "out": 30, "refused": {}}
    assert {row["domain"] for row in samples_of(tmp_path / "run")} == set(FIELDS)


def test_shares_name_classes_and_move_the_samples_towards_them(mixed, classes_file, tmp_path):
    counts = []
    for name, shares in (("plain", {}), ("shares", {"law": 0.6, "history": 0.1})):
        run_config(read_config(config_with(mixed, str(classes_file), disciplines=shares)), tmp_path / name)
        counts.append(Counter(row["domain"] for row in samples_of(tmp_path / name)))
    plain, wanted = counts
    assert plain.total() == wanted.total()
    assert wanted["law"] > plain["law"] and wanted["history"] < plain["history"]


def test_the_same_bytes_for_any_number_of_workers(mixed, classes_file, tmp_path):
    for workers in (1, 2):
        for by in ("embedding", "model"):
            taxonomy = {"classes": str(classes_file), "by": by}
            config = read_config(config_with(mixed, taxonomy, workers=workers))
            run_config(config, tmp_path / f"{by}{workers}")
    for by in ("embedding", "model"):
        one, other = tmp_path / f"{by}1", tmp_path / f"{by}2"
        assert (one / "seed/documents.parquet").read_bytes() == (other / "seed/documents.parquet").read_bytes()
        assert dataset_hash(one) == dataset_hash(other)


def test_a_taxonomy_is_part_of_what_a_run_is(mixed, classes_file, tmp_path, capsys):
    assert command(config_with(mixed, str(classes_file)), tmp_path, capsys)[0] == 0
    code, shown = command(config_with(mixed, "broad"), tmp_path, capsys)
    assert code == 2 and "taxonomy" in shown.err
    classes_file.write_text(yaml.safe_dump([*CLASSES, {"name": "art"}]))
    code, shown = command(config_with(mixed, str(classes_file)), tmp_path, capsys)
    assert code == 2 and "made from something else: `taxonomy` is " in shown.err


def test_a_class_that_no_document_belongs_to_is_one_line(mixed, tmp_path, capsys):
    code, shown = command(config_with(mixed, "broad", disciplines={"mathematics": 0.2, "law": 0.2}), tmp_path, capsys)
    assert code == 2
    assert "`disciplines.mathematics` must be found in the source" in shown.err
    assert "chemistry 10, law 10, history 10. Leave it out" in shown.err
    assert shown.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("taxonomy", "disciplines", "says"),
    [
        ("broad", {"low": 0.2}, "must be classes of the taxonomy broad. Got 'low'. Did you mean 'law'?"),
        ("mmlu", {"xyzzy": 0.2}, "Got 'xyzzy'. There are: abstract_algebra, anatomy,"),
        ("mmul", {}, "must be broad, mmlu, cmmlu or a file of classes. Got 'mmul'. Did you mean 'mmlu'?"),
        ({"classes": "broad", "by": "hand"}, {}, "`taxonomy.by` must be one of embedding, model. Got 'hand'."),
        ({"class": "broad"}, {}, "`taxonomy` has no key `class`. Did you mean `classes`?"),
        ({"by": "model"}, {}, "`taxonomy` needs the key `classes`"),
        (3, {}, "`taxonomy` must be a mapping"),
    ],
)
def test_a_wrong_key_or_name_is_one_line(taxonomy, disciplines, says, mixed, tmp_path, capsys):
    code, shown = command(config_with(mixed, taxonomy, disciplines=disciplines), tmp_path, capsys)
    assert code == 2
    assert says in shown.err
    assert shown.err.count("\n") == 1


def test_what_a_word_says_is_what_the_mapping_says():
    source = {"kind": "pydocs"}
    short, long = (read_config({"source": source, "taxonomy": one}) for one in ("mmlu", {"classes": "mmlu"}))
    assert short == long
    assert read_config(short.to_dict()).taxonomy == short.taxonomy


def test_classes_may_be_yaml_or_a_table(tmp_path, classes_file):
    read = read_classes(classes_file)
    assert [one.name for one in read] == list(FIELDS)
    (tmp_path / "classes.jsonl").write_text("\n".join(map(json.dumps, CLASSES)))
    (tmp_path / "classes.json").write_text(json.dumps(CLASSES))
    cells = [[one["name"], one.get("description", ""), json.dumps(one["examples"])] for one in CLASSES]
    lines = [["name", "description", "examples"], *cells]
    (tmp_path / "classes.tsv").write_text("\n".join("\t".join(row) for row in lines))
    for name in ("classes.jsonl", "classes.json", "classes.tsv"):
        assert read_classes(tmp_path / name) == read, name


def many(count):
    return json.dumps([{"name": f"class {n}"} for n in range(count)])


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("classes.yaml", "- {name: law}\n- {name: Law}\n", "class 2, field name: must be different"),
        ("classes.jsonl", '{"name": "a"}\n{"name": "a"}', "line 2, field name: must be different"),
        ("classes.json", '[{"name": "a"}, {"title": "b"}]', "row 2: a class has no field 'title'. There are: name,"),
        ("classes.yaml", "- {name: law, exmaples: [a]}", "class 1: a class has no field 'exmaples'. Did you"),
        ("classes.yaml", "- {name: law}", "must hold at least 2 classes. Got 1."),
        ("classes.yaml", "", "must be a list of classes, as in"),
        ("classes.yaml", "law: [courts]", "must be a list of classes, as in"),
        ("classes.yaml", "- law\n- art", "class 1: must be a mapping with a name"),
        ("classes.yaml", "- {name: [x}", "line 1: must be YAML."),
        ("classes.yaml", "- name: law\n  name: art\n", "line 1: must be YAML. name stands there twice"),
        ("classes.yaml", "- {? [a, [b]] : 1}", "must be YAML. found unhashable key"),
        ("classes.yaml", "- {name: ''}\n- {name: b}", "class 1, field name: must be one line of text"),
        ("classes.json", '[{"name": "a\\nb"}, {"name": "b"}]', "field name: must be one line of text"),
        ("classes.yaml", "- {name: 3}\n- {name: b}", "field name: must be text of at most 100 characters"),
        ("classes.json", json.dumps([{"name": "a" * 101}]), "field name: must be text of at most 100 characters"),
        (
            "classes.json",
            json.dumps([{"name": "a", "description": "a" * 2001}]),
            "description: must be text of at most",
        ),
        ("classes.json", '[{"name": "a", "examples": [7]}]', "field examples: must be texts of at most"),
        (
            "classes.json",
            json.dumps([{"name": "a", "examples": ["x"] * (MOST_EXAMPLES + 1)}]),
            "at most 100. Got 101.",
        ),
        ("classes.json", many(MOST_CLASSES + 1), "must hold at most 1,000 classes. Got more."),
        ("classes.txt", "law", "a kind we read"),
        ("classes.yaml", "[" * 3000, "must be YAML."),
        ("classes.yaml", "x" * (MOST_FILE_BYTES + 1), "must hold at most 1,048,576 bytes."),
    ],
)
def test_a_file_of_classes_that_cannot_be_used_is_one_line(name, text, says, mixed, tmp_path, capsys):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as fault:
        read_classes(tmp_path / name)
    assert says in str(fault.value)
    code, shown = command(config_with(mixed, str(tmp_path / name)), tmp_path, capsys)
    assert (code, shown.err.count("\n")) == (2, 1)
    assert says in shown.err


def test_a_model_is_shown_no_more_classes_than_a_request_holds(mixed, tmp_path):
    (path := tmp_path / "classes.json").write_text(many(MOST_CLASSES_ASKED + 1))
    config = read_config(config_with(mixed, {"classes": str(path), "by": "model"}))
    with pytest.raises(InputError, match="at most 200 classes where a model finds them"):
        run_config(config, tmp_path / "run")


class Obstinate(RulesEngine):
    """The built-in engine, which calls one field by a name of its own and says nothing of another."""

    def complete(self, requests):
        for reply in super().complete(requests):
            if reply.request.task == "classify" and "dynasty" in reply.request.inputs["text"]:
                yield Reply(reply.request, text=json.dumps({"class": "warfare"}))
            elif reply.request.task == "classify" and "molecules" in reply.request.inputs["text"]:
                yield Reply(reply.request, text="I cannot say.")
            else:
                yield reply


def test_a_model_is_asked_over_http_and_a_reply_that_names_no_class_is_counted(mixed, classes_file, tmp_path, capsys):
    with serve_app(MockServer(Obstinate(), PROMPTS).build_app()) as url:
        engine = {"kind": "http", "url": url, "model": "m"}
        taxonomy = {"classes": str(classes_file), "by": "model"}
        code, shown = command(config_with(mixed, taxonomy, engine=engine), tmp_path, capsys)
    assert code == 0
    found = domains_of(tmp_path / "run", "documents")
    assert {(name.split()[0], domain) for name, domain in found.items()} == {
        ("law", "law"),
        ("chemistry", ""),
        ("history", ""),
    }
    tally = json.loads(shown.out.splitlines()[-1])["stages"]["disciplines"]
    assert tally == {"in": 30, "out": 10, "refused": {"unreadable": 10, "unknown_class": 10}}
    assert "disciplines of 30 documents: law 10; " in shown.err and "10 have none (unknown_class)" in shown.err


def test_a_dry_run_foretells_the_calls_that_find_classes(mixed, classes_file, tmp_path, capsys):
    config = config_with(mixed, {"classes": str(classes_file), "by": "model"})
    (path := tmp_path / "c.yaml").write_text(json.dumps(config))
    assert main(["run", str(path), "--out", str(tmp_path / "run"), "--dry-run"]) == 0
    foretold = json.loads(capsys.readouterr().out.splitlines()[-1])["calls"]
    code, shown = command(config, tmp_path, capsys)
    assert code == 0
    assert abs(json.loads(shown.out.splitlines()[-1])["llm_calls"] - foretold) <= 2
    store = ReplyStore(tmp_path / "run" / "ledger.sqlite", exclusive=True)
    asked = Counter(
        task for (task,) in store._connection.execute("SELECT task FROM replies JOIN prompts ON prompt = hash")
    )
    store.close()
    assert asked["classify"] == 30


def test_questions_alone_and_those_of_a_user_are_sorted_one_by_one(mixed, tmp_path):
    rows = [
        {
            "id": "q1",
            "question": "Which acid dissolves the salt of copper?",
            "answer": "nitric acid",
            "domain": "wrong",
        },
        {"id": "q2", "question": "哪位法官在法院判决了被告人的犯罪？", "answer": "王某"},
        {
            "id": "q3",
            "question": "Who lost the battle?",
            "answer": "the king",
            "passage": "The king lost the war in 1815.",
        },
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, rows)))
    own = [
        {"id": "o1", "question": "Which court decided against the plaintiff?", "answer": "the Supreme Court"},
        {"id": "o2", "question": "Where is it?", "answer": "Lisbon", "document": "history 0", "domain": "wrong"},
    ]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, own)))
    source = {"kind": "qa", "path": str(tmp_path / "q.jsonl")}
    from_questions = seeds_of({"source": source}, tmp_path / "one")
    assert from_questions == {"q1": "chemistry", "q2": "law", "q3": "history"}
    both = seeds_of(
        {"source": {"kind": "text", "path": str(mixed)}, "seeds": str(tmp_path / "own.jsonl")}, tmp_path / "two"
    )
    assert both["given/o1"] == "law"
    assert both["given/o2"] == "history"


def seeds_of(config, run):
    """The domain of each seed of a run."""
    run_config(read_config({**config, "taxonomy": "broad", "budget": {"samples": 2}}), run)
    return domains_of(run, "seeds")
