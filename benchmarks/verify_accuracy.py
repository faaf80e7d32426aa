"""What `kdos verify` finds without a model, and what it refuses wrongly, on two halves of public data.

    python benchmarks/verify_accuracy.py --data DATA

Sound rows: SQuAD's and SquadShifts' questions with their passages, and the questions of seven benchmarks with their
answers. Swapped: each answer of a passage in place of another's. Wording allows to tell where the swapped answer stands
in a sentence that holds no answer of the question's own, or is of another kind (a date, an amount, a name). Planted,
300 rows a kind among 1,500 sound ones: answers that decline, a second row that contradicts, questions that give the answer
away, questions in 17 other languages, letters in place of answers. The rules were written on `development`; articles, rows
and wordings of `held_out` were not looked at; the misses of its languages were read once. A refusal for `near_duplicate` is counted apart: it says that the
row is sound and there already.
"""

import argparse
import gzip
import json
import tempfile
import time
from collections import Counter
from hashlib import blake2b
from pathlib import Path

from density_worlds import write_down

from kdos.chance import keyed_generator
from kdos.checks.answer_fit import kind_given
from kdos.logic import ShapeCounts
from kdos.pool.sentences import split_sentences
from kdos.verify import VerifyOptions, check_rows, find_conflicts, read_question_rows, resolve_fields

ARTICLES = {"squad": "squad_articles", "squadshifts": "squadshifts_new_wiki_articles"}
BENCHMARKS = ("nq_open", "webquestions", "triviaqa", "simpleqa", "simpleqa_verified", "entityquestions", "popqa")
HALVES = ("development", "held_out")
PLANTED, SOUND = 300, 1500
DECLINED = {
    "development": (
        *(
            "I don't know",
            "I do not know the answer.",
            "Unknown",
            "N/A",
            "No answer",
            "I'm not sure.",
            "Not available",
        ),
        *("I cannot answer this question.", "There is no information about this.", "Cannot be determined"),
        *(
            "As an AI language model, I cannot answer that.",
            "The passage does not mention it.",
            "Sorry, I can't help.",
        ),
        *(
            "I have no idea",
            "Not specified in the text",
            "Ich weiß es nicht.",
            "Je ne sais pas.",
            "我不知道",
            "не знаю",
        ),
    ),
    "held_out": (
        *("I'm afraid I don't know that.", "I am unable to find this information.", "It is not known.", "Unclear."),
        *(
            "We could not verify this.",
            "The context doesn't provide this information.",
            "Not enough information",
            "idk",
        ),
        *(
            "I can't say for sure.",
            "It cannot be determined from the passage.",
            "Unanswerable",
            "No idea",
            "Not stated",
        ),
        *(
            "Sorry, but I am not able to answer.",
            "I'm uncertain about it.",
            "I won't answer that.",
            "No lo sé.",
            "Non lo so",
        ),
        *("わかりません", "The document does not say.", "I'm not aware of any such person.", "Keine Ahnung"),
    ),
}
LETTERS = {
    "development": ("B", "(C)", "D.", "a)", "Option A", "Answer: C", "A and C", "C) {}", "All of the above"),
    "held_out": ("A", "C.", "(b)", "D)", "The answer is B", "choice D", "B, C", "(A) {}", "None of the above", "[C]"),
}
GIVEN_AWAY = {
    "development": ("{q}, namely {a}?", "{q} (hint: {a})?", "Given {a} as the answer, {q}?"),
    "held_out": ("{q}: {a}?", "If {a} is right, {q}?", "{q}, is it {a}?", "We know it is {a}. {q}?"),
}
# Of a person or a thing: where it was born, when it was founded, who wrote it, how many inhabitants it has.
LANGUAGES = {
    "development": {
        "de": ("Wo wurde {} geboren?", "Wer hat {} geschrieben?", "Wie viele Einwohner hat {}?"),
        "fr": ("Où est né {} ?", "Qui a écrit {} ?", "Combien d'habitants compte la ville de {} ?"),
        "es": ("¿Dónde nació {}?", "¿Quién escribió {}?", "¿En qué año se fundó {}?"),
        "zh": ("{}出生在哪里？", "谁写了{}这本书？", "{}有多少居民？"),
        "ru": ("Где родился {}?", "Кто написал книгу {}?", "Сколько жителей в городе {}?"),
        "ja": ("{}はどこで生まれましたか？", "{}を書いたのは誰ですか？", "{}の人口は何人ですか？"),
        "it": ("Dove è nato {}?", "Chi ha scritto {}?", "In che anno è stato fondato {}?"),
        "pl": ("Gdzie się urodził {}?", "Kto napisał książkę {} i w którym roku?", "W którym roku był założony {}?"),
    },
    "held_out": {
        "pt": ("Onde nasceu {} e em que ano?", "Quem foi o autor de {}?", "Em que ano foi fundada a {}?"),
        "nl": ("Waar is {} geboren?", "Wie heeft {} geschreven?", "In welk jaar is {} opgericht?"),
        "sv": ("Var är {} född?", "Vem har skrivit {}?", "När blev {} en stad och varför?"),
        "ko": ("{}은 어디에서 태어났습니까?", "{}의 저자는 누구입니까?", "{}의 인구는 얼마입니까?"),
        "ar": ("أين ولد {}؟", "من كتب {}؟", "كم عدد سكان {}؟"),
        "tr": ("{} nerede ve ne zaman doğdu?", "{} hangi yılda kuruldu ve kim kurdu?", "{} için kaç kişi var?"),
        "fi": (
            "Missä ja milloin {} syntyi?",
            "Kuka on kirjan {} kirjoittaja ja milloin se oli?",
            "Mikä on {} ja missä se on?",
        ),
        "cs": ("Kde se narodil {}?", "Kdo je autor knihy {} a kdy byl na světě?", "Kolik lidí je v {} a kde to je?"),
        "el": ("Πού γεννήθηκε ο {};", "Ποιος έγραψε το {};", "Πόσους κατοίκους έχει η πόλη {};"),
    },
}
KINDS = {
    "declined": ("answer_declined", "no_answer"),
    "conflicts": ("conflicting_answers",),
    "given_away": ("answer_directly_in_question",),
    "languages": ("wrong_language",),
    "letters": ("multiple_choice",),
}


def rows_of(path):
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def half_of(key):
    return HALVES[blake2b(key.encode()).digest()[0] % 2]


def questions_of_articles(path, half):
    return [
        {"id": qa["id"], "question": qa["question"], "answers": qa["answers"], "context": paragraph["text"]}
        for article in rows_of(path)
        if half_of(article["title"]) == half
        for paragraph in article["paragraphs"]
        for qa in paragraph["qas"]
        if qa["answers"] and not qa["is_impossible"]
    ]


def questions_of_benchmark(path, half):
    return [
        {"id": row["id"], "question": row["question"], "answers": row["answers"]}
        for row in rows_of(path)
        if half_of(row["id"]) == half
    ]


def reasons_of(rows):
    """What each row is refused for, "" where it is accepted."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        fields = resolve_fields(list(rows[0]), {})
        options = VerifyOptions(fields, conflicts=find_conflicts(read_question_rows(path, fields)))
        checked = check_rows(read_question_rows(path, fields), options, shapes=ShapeCounts())
        return [one.refusal.reason if one.refusal else "" for one in checked]


def swapped(rows, half):
    """Each row with the first answer of another question of its passage, and whether wording allows to tell."""
    rng = keyed_generator(0, "swapped", half)
    of_passage = {}
    for row in rows:
        of_passage.setdefault(row["context"], []).append(row)
    found = []
    for row in rows:
        own = [answer.lower() for answer in row["answers"]]
        others = [
            other["answers"][0]
            for other in of_passage[row["context"]]
            if not any(a.lower() in one or one in a.lower() for a in other["answers"] for one in own)
        ]
        if others:
            answer = others[rng.integers(len(others))]
            found.append((row | {"answers": [answer]}, is_told_by_wording(row, answer)))
    return found


def is_told_by_wording(row, answer):
    sentences = [one.casefold() for line in row["context"].split("\n") for one in split_sentences(line)]
    own = [text for text in sentences if any(a.casefold().strip(" .,") in text for a in row["answers"])]
    beside = any(answer.casefold().strip(" .,") in text for text in own)
    return not beside or kind_given(answer) not in {kind_given(a) for a in row["answers"]}


def judge_sound(rows):
    counts = Counter(reasons_of(rows))
    accepted, again = counts.pop("", 0), counts.pop("near_duplicate", 0)
    return {
        "rows": len(rows),
        "accepted": accepted,
        "near_duplicate": again,
        "false_refusals": round(counts.total() / len(rows), 4),
        "by_reason": dict(counts.most_common()),
    }


def judge_swapped(pairs):
    reasons = reasons_of([row for row, _ in pairs])
    told = [reason for reason, (_, is_told) in zip(reasons, pairs, strict=True) if is_told]
    return {
        "rows": len(pairs),
        "found": round(sum(map(bool, reasons)) / len(pairs), 4),
        "told_by_wording": len(told),
        "found_of_these": round(sum(map(bool, told)) / len(told), 4),
    }


def plant(sound, half):
    """Sound rows with planted ones among them, and the kind of each: "" for a sound one."""
    rng = keyed_generator(0, "planted", half)
    drawn = rng.permutation(len(sound))
    short = [sound[n] for n in drawn if len(sound[n]["answers"][0]) < 60]
    rows = [(row, "") for row in short[:SOUND]]
    rest = iter(short[SOUND:])
    for kind in KINDS:
        for number in range(PLANTED):
            row = next(rest)
            rows += [(made, kind) for made in planted_rows(row, kind, number, half, short)]
    order = rng.permutation(len(rows))
    return [(rows[n][0] | {"id": f"r{place}"}, rows[n][1]) for place, n in enumerate(order)]


def planted_rows(row, kind, number, half, others):
    question, answer = row["question"].rstrip(" ?"), row["answers"][0]
    if kind == "declined":
        return [row | {"answers": [DECLINED[half][number % len(DECLINED[half])]]}]
    if kind == "letters":
        return [row | {"answers": [LETTERS[half][number % len(LETTERS[half])].format(answer)]}]
    if kind == "given_away":
        return [row | {"question": GIVEN_AWAY[half][number % len(GIVEN_AWAY[half])].format(q=question, a=answer)}]
    if kind == "languages":
        asked = [text for texts in LANGUAGES[half].values() for text in texts]
        names = [one["answers"][0] for one in others if is_name(one["answers"][0])]
        return [row | {"question": asked[number % len(asked)].format(names[number])}]
    other = others[number]["answers"]
    again = (f"{question}?", f"{question.upper()}?", f"  {question} ?", question)[number % 4]
    return [row, row | {"question": again, "answers": other}]


def is_name(text):
    return text[:1].isupper() and not any(map(str.isdigit, text))


def judge_planted(sound, half):
    rows = plant(sound, half)
    reasons = reasons_of([row for row, _ in rows])
    figures = {}
    for kind, said in KINDS.items():
        found = [got in said for got, (_, planted) in zip(reasons, rows, strict=True) if planted == kind]
        wrong = sum(got in said for got, (_, planted) in zip(reasons, rows, strict=True) if not planted)
        precision = sum(found) / max(1, sum(found) + wrong)
        figures[kind] = {
            "planted": len(found),
            "recall": round(sum(found) / len(found), 4),
            "precision": round(precision, 4),
        }
    return figures


def measure(data, half):
    articles = {
        name: questions_of_articles(data / f"corpora/{file}.jsonl.gz", half) for name, file in ARTICLES.items()
    }
    benchmarks = {name: questions_of_benchmark(data / f"qa/{name}.jsonl.gz", half) for name in BENCHMARKS}
    sound = [row for rows in benchmarks.values() for row in rows]
    return {
        "sound": {name: judge_sound(rows) for name, rows in (articles | benchmarks).items()},
        "swapped": {name: judge_swapped(swapped(rows, half)) for name, rows in articles.items()},
        "planted": judge_planted(sound, half),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--halves", nargs="+", choices=HALVES, default=HALVES)
    args = parser.parse_args()
    began = time.process_time()
    figures = {half: measure(args.data, half) for half in args.halves}
    write_down("verify_accuracy", figures | {"cpu_seconds": round(time.process_time() - began, 1)})


if __name__ == "__main__":
    main()
