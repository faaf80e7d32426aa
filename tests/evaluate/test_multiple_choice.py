"""Examinations: answers given, choices by likelihood, letters of a model; by subject and discipline."""

import json

import pytest

from kdos.cli import main
from kdos.errors import InputError, UsageError
from kdos.evaluate import (
    compare_evaluations,
    evaluation_files,
    find_shown_examples,
    is_multiple_choice,
    open_benchmark,
    read_given_answers,
    score_given_choices,
    score_likely_choices,
    score_model_choices,
    summarise_evaluation,
)
from kdos.evaluate.exam_prompts import CMMLU_SUBJECTS, letter_prompt, text_prompt
from kdos.llm import ScriptedEngine
from kdos.llm.mock_server import MockServer, serve_app
from kdos.rules import RulesEngine
from kdos.run.prepare import index_benchmarks, read_benchmark_questions
from kdos.scoring import BenchmarkQuestion
from kdos.tasks import Reply
from kdos.tasks.choose import CHOOSE_PROMPT
from kdos.taxonomy import load_shipped

CITIES = ("Oslo", "Rome", "Bern", "Paris")


def exam(number, *, right=1, subject="geography", discipline="humanities", **changed):
    fields = {"id": f"q{number}", "question": f"Capital {number}?", "answers": (CITIES[right],), "choices": CITIES}
    fields |= {"labels": tuple("0123"), "right": right, "group": subject, "discipline": discipline}
    return BenchmarkQuestion(**(fields | changed))


ROWS = [
    {
        "id": "a",
        "question": "Capital of Italy?",
        "choices": CITIES,
        "answer": 1,
        "subject": "south",
        "category": "land",
    },
    {
        "id": "b",
        "question": "Capital of France?",
        "choices": CITIES,
        "answer": 3,
        "subject": "west",
        "category": "land",
    },
    {
        "id": "c",
        "question": "Capital of Norway?",
        "choices": CITIES,
        "answer": 0,
        "subject": "north",
        "category": "sea",
    },
    {
        "id": "d",
        "question": "Capital of Peru?",
        "choices": CITIES,
        "answer": 7,
        "subject": "south",
        "category": "land",
    },
]


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def benchmark(tmp_path):
    return write_rows(tmp_path / "exam.jsonl", ROWS)


def run(*words):
    return main(["evaluate", *map(str, words)])


def last_line(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


# Answers that are given.


@pytest.mark.parametrize("answer", ["B", "(b)", "1", 1, "Rome", " rome.", "The answer is B.", "B. Rome", "答案：B"])
def test_a_letter_a_number_and_a_text_are_the_same_answer(answer):
    (each,) = score_given_choices([exam(0)], {"q0": answer})
    assert each.as_row() | {"answer": ""} == {
        "id": "q0",
        "answer": "",
        "correct": 1.0,
        "attempted": 1.0,
        "choice": "B",
        "right": "B",
        "subject": "geography",
        "discipline": "humanities",
    }


def test_a_number_counts_as_the_benchmark_does_and_labels_are_its_own():
    one = exam(0, labels=("1", "2", "3", "4"))
    assert [each.choice for each in score_given_choices([one], {"q0": 2})] == [1]
    named = exam(0, labels=("w", "x", "y", "z"))
    assert [each.choice for each in score_given_choices([named], {"q0": "x"})] == [1]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "no_answer"),
        ("Rome or Bern", "unreadable_answer: Rome or Bern"),
        ("E", "unreadable_answer: E"),
        (4, "unreadable_answer: 4"),
        ("-1", "unreadable_answer: -1"),
        ("Madrid", "unreadable_answer: Madrid"),
    ],
)
def test_what_names_no_choice_is_unscored_with_a_reason(answer, reason):
    (each,) = score_given_choices([exam(0)], {"q0": answer})
    assert (each.scores, each.unscored) == (None, reason)


def test_a_number_that_is_the_text_of_another_choice_is_ambiguous():
    one = exam(0, choices=("4", "1", "2", "0"))
    (as_text, as_number) = (next(score_given_choices([one], {"q0": told})) for told in ("0", 0))
    assert as_text.unscored == "ambiguous_answer: 0"
    assert as_number.choice == 0


def test_a_text_that_two_choices_have_is_ambiguous_and_their_letters_are_not():
    one = exam(0, choices=("Oslo", "Rome", "Oslo", "Bern"))
    (text, letter) = (next(score_given_choices([one], {"q0": told})) for told in ("Oslo", "C"))
    assert text.unscored == "ambiguous_answer: Oslo"
    assert (letter.choice, letter.scores and letter.scores.correct) == (2, 0.0)


def test_an_answer_that_it_does_not_know_is_wrong_and_no_attempt():
    (each,) = score_given_choices([exam(0)], {"q0": "I don't know."})
    assert each.scores is not None
    assert (each.scores.correct, each.scores.attempted, each.choice) == (0.0, 0.0, None)


def test_a_question_with_a_fault_is_unscored_whatever_the_answer():
    faulty = BenchmarkQuestion("q0", "Capital?", (), choices=CITIES, labels=tuple("0123"), fault="no_gold_answer")
    (each,) = score_given_choices([faulty], {"q0": "A"})
    assert each.as_row() == {"id": "q0", "answer": "A", "unscored": "no_gold_answer"}


# The summary.


def test_the_summary_has_subjects_disciplines_and_macros():
    questions = [
        *(exam(n, subject="maths", discipline="science") for n in range(4)),
        exam(4, subject="physics", discipline="science"),
        *(exam(n, subject="law") for n in range(5, 7)),
    ]
    answers = dict.fromkeys(["q0", "q1", "q2", "q4"], "B") | {"q3": "A", "q5": "C"}
    summary = summarise_evaluation(list(score_given_choices(questions, answers)), random_seed=0)
    assert (summary["questions"], summary["answered"], summary["unscored"]) == (7, 6, 1)
    assert summary["correct"] == pytest.approx(4 / 6)
    assert summary["unscored_reasons"] == {"no_answer": 1}
    assert summary["macro"] == {"groups": 3, "correct": pytest.approx((0.75 + 1 + 0) / 3)}
    assert summary["subject"] == {
        "law": {"questions": 2, "answered": 1, "correct": 0.0},
        "maths": {"questions": 4, "answered": 4, "correct": 0.75},
        "physics": {"questions": 1, "answered": 1, "correct": 1.0},
    }
    assert summary["discipline"]["science"] == {
        "questions": 5,
        "answered": 5,
        "subjects": 2,
        "correct": 0.8,
        "macro": 0.875,
    }
    low, high = summary["intervals"]["correct"]
    assert low <= summary["correct"] <= high
    assert not summary.keys() & {"em", "f1", "contains", "acc"}


def test_nothing_scored_has_no_mean():
    summary = summarise_evaluation(list(score_given_choices([exam(0), exam(1)], {})), random_seed=0)
    assert (summary["correct"], summary["intervals"], summary["answered"]) == (None, {}, 0)
    assert summary["subject"] == {"geography": {"questions": 2, "answered": 0, "correct": None}}


def test_the_command_scores_given_answers_and_compares_two(tmp_path, benchmark, capsys):
    good = write_rows(tmp_path / "good.jsonl", [{"id": "a", "answer": "B"}, {"id": "b", "answer": 3}])
    bad = write_rows(tmp_path / "bad.jsonl", [{"id": "a", "answer": "Oslo"}, {"id": "b", "answer": "D"}])
    assert run("--benchmark", benchmark, "--answers", bad, "--out", tmp_path / "bad") == 0
    capsys.readouterr()
    assert (
        run("--benchmark", benchmark, "--answers", good, "--out", tmp_path / "good", "--against", tmp_path / "bad")
        == 0
    )
    summary = last_line(capsys)
    assert (summary["questions"], summary["answered"], summary["unscored"], summary["correct"]) == (4, 2, 2, 1.0)
    assert summary["unscored_reasons"] == {"answer_is_no_choice": 1, "no_answer": 1}
    assert summary["against"]["questions"] == 2
    assert summary["against"]["correct"]["difference"] == 0.5
    assert summary["against"].keys() == {"questions", "correct"}
    assert summary["fields"] == {
        "id": "id",
        "question": "question",
        "answers": "choices[answer]",
        "choices": "choices",
        "subject": "subject",
        "discipline": "category",
    }
    assert summary["seconds"] >= 0
    rows = list(map(json.loads, (tmp_path / "good/scores.jsonl").read_text().splitlines()))
    assert [row["id"] for row in rows] == ["a", "b", "c", "d"]
    assert rows[3]["unscored"] == "answer_is_no_choice: '7' of 4 choices"


def test_an_open_evaluation_is_compared_by_what_both_have():
    open_row = {"correct": 1.0, "em": 0.0, "f1": 0.0, "contains": 0.0}
    found = compare_evaluations({"a": {"correct": 0.0, "acc": 0.0}}, {"a": open_row}, random_seed=0)
    assert found.keys() == {"questions", "correct"}
    assert found["correct"]["difference"] == -1.0


def test_numbers_are_answers_only_of_multiple_choice(tmp_path):
    path = write_rows(tmp_path / "answers.jsonl", [{"id": "a", "answer": 1}, {"id": "b", "answer": 2.0}])
    assert read_given_answers(path, are_choices=True) == {"a": 1, "b": 2}
    with pytest.raises(InputError, match=r"must be text. Got 1"):
        read_given_answers(path)
    write_rows(path, [{"id": "a", "answer": True}])
    with pytest.raises(InputError, match=r"must be text, or the number of a choice. Got True"):
        read_given_answers(path, are_choices=True)


# Likelihoods.


class Model:
    """Finds a continuation as likely as it is told to; keeps what it is asked."""

    def __init__(self, nats):
        self.nats, self.asked = nats, []

    def continuation_likelihoods(self, pairs):
        self.asked += pairs
        return [[self.nats[end] for end in ends] for _, ends in pairs]


MMLU_PROMPT = (
    "The following are multiple choice questions (with answers) about world religions.\n\n"
    "Capital 8?\nA. Oslo\nB. Rome\nC. Bern\nD. Paris\nAnswer: B\n\n"
    "Capital 0?\nA. Oslo\nB. Rome\nC. Bern\nD. Paris\nAnswer:"
)


def test_letters_are_scored_after_the_prompt_of_the_harness():
    model = Model({" A": -2.0, " B": -1.0, " C": -3.0, " D": -4.0})
    asked = [exam(0, subject="world_religions"), exam(1, right=0, subject="world_religions")]
    shown = find_shown_examples([exam(8, subject="world_religions")], 1, asked=asked)
    scored = score_likely_choices(asked, model, examples=shown)
    assert model.asked[0] == (MMLU_PROMPT, [" A", " B", " C", " D"])
    assert scored[0].as_row() == {
        "id": "q0",
        "answer": "B",
        "correct": 1.0,
        "attempted": 1.0,
        "acc": 1.0,
        "choice": "B",
        "right": "B",
        "log_likelihoods": (-2.0, -1.0, -3.0, -4.0),
        "subject": "world_religions",
        "discipline": "humanities",
    }
    summary = summarise_evaluation(scored, random_seed=0)
    assert (summary["acc"], summary["correct"]) == (0.5, 0.5)
    assert "acc_norm" not in summary


def test_texts_are_scored_raw_and_by_length():
    model = Model({" No": -2.0, " A rather long answer": -8.0})
    one = BenchmarkQuestion("q", "Who?", ("",), choices=("No", "A rather long answer"), labels=("0", "1"), right=1)
    (found,) = score_likely_choices([one], model, of="texts")
    assert model.asked == [
        ("The following are questions (with answers).\n\nQuestion: Who?\nAnswer:", [" No", " A rather long answer"])
    ]
    # Raw, the short one is likelier; by character -2 / 2 against -8 / 20.
    assert found.scores is not None
    assert (found.scores.acc, found.scores.acc_norm, found.scores.correct) == (0.0, 1.0, 1.0)
    assert (found.answer, found.choice) == ("A rather long answer", 1)


def test_chinese_questions_are_asked_in_chinese_by_cmmlus_names():
    model = Model(dict.fromkeys([" A", " B", " C", " D"], -1.0))
    chinese = [exam(n, question=f"哪座城市是首都 {n}？", subject="agronomy", benchmark="cmmlu") for n in range(2)]
    formula = exam(2, question="1 + 1 = ?", subject="farming", benchmark="cmmlu")
    english = exam(3, benchmark="mmlu")
    scored = score_likely_choices([*chinese, formula, english], model)
    first, _, third, last = (prompt for prompt, _ in model.asked)
    assert first == (
        "以下是关于农学的单项选择题，请直接给出正确答案的选项。\n\n"
        "哪座城市是首都 0？\nA. Oslo\nB. Rome\nC. Bern\nD. Paris\n答案："
    )
    assert third.startswith("以下是关于farming的单项选择题")
    assert last.startswith("The following are multiple choice questions (with answers) about geography.")
    assert [one.choice for one in scored] == [0] * 4  # the first of several that are alike likely
    assert text_prompt(chinese[0], "zh") == "以下是关于农学的问题和答案。\n\n问题：哪座城市是首都 0？\n答案："
    assert len(CMMLU_SUBJECTS) == 67


def test_a_faulty_question_is_not_asked():
    model = Model({})
    faulty = BenchmarkQuestion("q", "Who?", (), choices=CITIES, labels=tuple("0123"), fault="no_gold_answer")
    (found,) = score_likely_choices([faulty], model)
    assert (found.unscored, model.asked) == ("no_gold_answer", [])


def test_examples_are_the_first_of_the_subject_and_none_that_is_asked():
    known = [exam(n, subject=subject) for n, subject in enumerate(["law", "maths"] * 4)]
    show = find_shown_examples(known, 2, asked=[known[0], exam(9, subject="maths")])
    assert [one.id for one in show(known[0])] == ["q2", "q4"]
    assert [one.id for one in show(exam(9, subject="maths"))] == ["q1", "q3"]
    with pytest.raises(UsageError, match=r"--examples must hold 4 .* of the subject 'law' that are not asked. Got 3"):
        find_shown_examples(known, 4, asked=[known[0]])
    without = [exam(n, subject="") for n in range(3)]
    assert [one.id for one in find_shown_examples(without, 2, asked=[exam(9)])(exam(9))] == ["q0", "q1"]
    with pytest.raises(UsageError, match=r"must hold 1 multiple choice questions that are not asked. Got 0"):
        find_shown_examples([BenchmarkQuestion("o", "Open?", ("x",))], 1, asked=without)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """A tiny Llama of random weights with a tokenizer of characters."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    path = tmp_path_factory.mktemp("model") / "llama"
    letters = ["<pad>", "</s>", *map(chr, range(32, 127)), "\n"]
    words = tokenizers.models.WordLevel({c: n for n, c in enumerate(letters)}, unk_token="<pad>")
    characters = tokenizers.Tokenizer(words)
    characters.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex(r"[\s\S]"), "isolated")
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=characters, pad_token="<pad>", eos_token="</s>"
    ).save_pretrained(path)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = transformers.LlamaConfig(vocab_size=len(letters), max_position_embeddings=512, bos_token_id=None, **sizes)
    transformers.LlamaForCausalLM(config).save_pretrained(path)
    return path


@pytest.mark.parametrize("of", ["letters", "texts"])
def test_the_command_gives_the_likelihoods_that_are_computed_by_hand(tmp_path, benchmark, llama, capsys, of):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    words = ("--benchmark", benchmark, "--transformers", llama, "--out", tmp_path / "out", "--likelihood-of", of)
    assert run(*words) == 0
    summary = last_line(capsys)
    tokenizer = transformers.AutoTokenizer.from_pretrained(llama)
    model = transformers.AutoModelForCausalLM.from_pretrained(llama).eval()
    questions = open_benchmark(str(benchmark))
    rows = list(map(json.loads, (tmp_path / "out/scores.jsonl").read_text().splitlines()))
    for question, row in zip(questions[:3], rows[:3], strict=True):
        prompt = (letter_prompt if of == "letters" else text_prompt)(question, "en")
        for end, nats in zip("ABCD" if of == "letters" else CITIES, row["log_likelihoods"], strict=True):
            start = tokenizer(prompt)["input_ids"]
            ids = start + tokenizer(f" {end}")["input_ids"]
            with torch.inference_mode():
                logits = torch.log_softmax(model(torch.tensor([ids])).logits[0], -1)
            by_hand = sum(float(logits[place - 1, ids[place]]) for place in range(len(start), len(ids)))
            assert nats == pytest.approx(by_hand, abs=1e-4)
    assert rows[3]["unscored"].startswith("answer_is_no_choice")
    assert summary["correct"] == summary["acc" if of == "letters" else "acc_norm"]
    assert ("acc_norm" in summary["intervals"]) == (of == "texts")


# Letters of a model behind a server.


def said(request):
    """What a model says of each capital."""
    question = request.inputs["question"]
    if "Italy" in question:
        return "B. Rome"
    return "I think it is A or C" if "France" in question else "**A**"


def test_a_model_behind_a_server_is_asked_for_a_letter(tmp_path, benchmark, capsys):
    server = MockServer(ScriptedEngine(said), [CHOOSE_PROMPT])
    with serve_app(server.build_app()) as url:
        for _ in range(2):
            flags = ("--benchmark", benchmark, "--endpoint", url, "--model", "m", "--out", tmp_path / "out", "--json")
            assert run(*flags) == 0
            summary = last_line(capsys)
    assert server.stats.requests == 3  # a faulty question is not asked, nor any twice
    assert (summary["answered"], summary["unscored"], summary["correct"]) == (2, 2, 1.0)
    assert summary["unscored_reasons"] == {"answer_is_no_choice": 1, "unreadable_answer": 1}
    rows = list(map(json.loads, (tmp_path / "out/scores.jsonl").read_text().splitlines()))
    assert [row.get("choice") for row in rows] == ["B", None, "A", None]
    assert rows[1]["unscored"] == "unreadable_answer: I think it is A or C"


def test_the_rules_know_nothing_by_heart(tmp_path, benchmark, capsys):
    with serve_app(MockServer(RulesEngine(), [CHOOSE_PROMPT]).build_app()) as url:
        assert run("--benchmark", benchmark, "--endpoint", url, "--model", "m", "--out", tmp_path / "out") == 0
    summary = last_line(capsys)
    assert (summary["answered"], summary["correct"], summary["attempted"]) == (3, 0.0, 0.0)


def test_a_chat_shows_solved_examples_and_an_error_is_unscored():
    def ask(requests):
        for request in requests:
            chats.append(request.messages)
            yield Reply(request, error="timed out")

    chats = []
    show = find_shown_examples([exam(8)], 1, asked=[exam(0)])
    (found,) = score_model_choices([exam(0)], ask=ask, examples=show)
    assert found.unscored == "no_reply: timed out"
    assert [turn["role"] for turn in chats[0]] == ["system", "user", "assistant", "user"]
    assert chats[0][2]["content"] == "B"


# What is refused.


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--likelihood-of", "letters"), "--likelihood-of needs multiple choice questions, and --transformers"),
        (
            ("--judge-endpoint", "http://x/v1", "--judge-model", "j"),
            "--judge-endpoint grades answers to open questions",
        ),
        (
            ("--examples", "exam.jsonl", "--shots", "9"),
            "--examples must hold 9 multiple choice questions that are not asked. Got 0",
        ),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(tmp_path, benchmark, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "answers.jsonl", [{"id": "a", "answer": "B"}])
    assert run("--benchmark", benchmark, "--answers", "answers.jsonl", "--out", tmp_path / "out", *words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_mix_of_open_questions_and_choices_is_refused():
    mix = [exam(0), BenchmarkQuestion("o", "Open?", ("x",))]
    with pytest.raises(UsageError, match=r"must all have choices, or none. Got both"):
        is_multiple_choice(mix, "mix")


# By name, and kept out of samples.


def hub_records(asked):
    def records(path, *, name, split):
        asked.append((path, name, split))
        fields = dict(zip("ABCD", CITIES, strict=True))
        mmlu = {"question": "Capital of Italy?", "choices": list(CITIES), "answer": 1, "subject": "geography"}
        cmmlu = {"Question": "意大利的首都是哪里", **fields, "Answer": "B"}
        return iter(
            [evaluation_files.Record(1, 9, mmlu if path.rpartition("/")[2] == "mmlu" and name == "all" else cmmlu)]
        )

    return records


def test_mmlu_and_cmmlu_come_from_the_hub_by_name(monkeypatch):
    asked = []
    monkeypatch.setattr(evaluation_files, "read_hub_records", hub_records(asked))
    (one,) = open_benchmark("mmlu")
    assert asked == [("cais/mmlu", "all", "test")]
    assert (one.group, one.right, one.benchmark, one.answers) == ("geography", 1, "mmlu", ("Rome",))
    asked.clear()
    found = open_benchmark("cmmlu")
    assert [(path, name) for path, name, _ in asked] == [("haonan-li/cmmlu", name) for name in CMMLU_SUBJECTS]
    assert len({one.id for one in found}) == len(found) == 67
    assert (found[0].group, found[0].answers, found[0].benchmark) == ("agronomy", ("Rome",), "cmmlu")


def test_questions_of_an_examination_are_kept_out_of_samples(benchmark, monkeypatch):
    monkeypatch.setattr(evaluation_files, "read_hub_records", hub_records([]))
    index = index_benchmarks(read_benchmark_questions([str(benchmark), "cmmlu"]))
    assert index is not None
    assert index.count_by_benchmark() == {"exam": 4, "cmmlu": 67}
    for question, answer in [
        ("Capital of Italy?", "Rome"),
        ("capital of norway", "Oslo"),
        ("Capital of Peru?", "Lima"),  # of a question that cannot be scored too
        ("意大利的首都是哪里？", "罗马"),
    ]:
        assert index.find_match(question, [answer]) is not None
    assert index.find_match("Which river flows through Rome?", ["Tiber"]) is None


def test_cmmlus_subjects_are_those_of_its_taxonomy():
    assert CMMLU_SUBJECTS.keys() == set(load_shipped("cmmlu").names)
