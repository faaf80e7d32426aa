"""What a model reads of a multiple choice question: the wording of MMLU and CMMLU in lm-evaluation-harness 0.4.13."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kdos.package_data import read_package_text
from kdos.scoring import BenchmarkQuestion
from kdos.tasks import LETTERS, show_choices

CMMLU_SUBJECTS: Mapping[str, str] = dict(
    line.split() for line in read_package_text("kdos.evaluate", "cmmlu_subjects.txt").splitlines()
)
"""The 67 subjects of CMMLU as its data set calls them, each with its Chinese name."""
HAN = range(0x4E00, 0xA000)


@dataclass(frozen=True, slots=True)
class ExamWording:
    """The line above all questions, with and without a subject, and what stands around a question."""

    about: str
    plain: str
    before: str
    after: str


# In which the letter of a choice is what comes next: the harness's `mmlu`, `cmmlu`.
LETTER_WORDINGS = {
    "en": ExamWording(
        "The following are multiple choice questions (with answers) about {}.\n\n",
        "The following are multiple choice questions (with answers).\n\n",
        "",
        "\nAnswer:",
    ),
    "zh": ExamWording(
        "以下是关于{}的单项选择题，请直接给出正确答案的选项。\n\n",
        "以下是单项选择题，请直接给出正确答案的选项。\n\n",
        "",
        "\n答案：",
    ),
}
# In which its text is, and no choice is shown: the harness's `mmlu_continuation`; the Chinese is our own.
TEXT_WORDINGS = {
    "en": ExamWording(
        "The following are questions (with answers) about {}.\n\n",
        "The following are questions (with answers).\n\n",
        "Question: ",
        "\nAnswer:",
    ),
    "zh": ExamWording("以下是关于{}的问题和答案。\n\n", "以下是问题和答案。\n\n", "问题：", "\n答案："),
}


def find_languages(questions: Sequence[BenchmarkQuestion]) -> dict[str, str]:
    """`zh` or `en` for each benchmark among the questions, by what most of its questions are written in.

    One for all of a benchmark: a formula is in no language, and is asked like its neighbours.
    """
    chinese = Counter(one.benchmark for one in questions if any(ord(sign) in HAN for sign in one.question))
    return {
        name: "zh" if 2 * chinese[name] > n else "en" for name, n in Counter(q.benchmark for q in questions).items()
    }


def letter_prompt(question: BenchmarkQuestion, lang: str, examples: Sequence[BenchmarkQuestion] = ()) -> str:
    """A prompt that the letter of a choice goes on from, after a space."""
    return _join_prompt(LETTER_WORDINGS[lang], question, lang, examples, letters=True)


def text_prompt(question: BenchmarkQuestion, lang: str, examples: Sequence[BenchmarkQuestion] = ()) -> str:
    """A prompt that the text of the answer goes on from, after a space."""
    return _join_prompt(TEXT_WORDINGS[lang], question, lang, examples, letters=False)


def _join_prompt(
    wording: ExamWording,
    question: BenchmarkQuestion,
    lang: str,
    examples: Sequence[BenchmarkQuestion],
    *,
    letters: bool,
) -> str:
    def ask(one: BenchmarkQuestion) -> str:
        shown = show_choices(one.question, one.choices) if letters else one.question.strip()
        return f"{wording.before}{shown}{wording.after}"

    def answer(one: BenchmarkQuestion) -> str:
        assert one.right is not None
        return LETTERS[one.right] if letters else one.choices[one.right]

    subject = subject_name(question.group, lang)
    opening = wording.about.format(subject) if subject else wording.plain
    return opening + "".join(f"{ask(one)} {answer(one)}\n\n" for one in examples) + ask(question)


def subject_name(subject: str, lang: str) -> str:
    """A subject as a sentence calls it: in Chinese where it is one of CMMLU's."""
    return (CMMLU_SUBJECTS.get(subject) if lang == "zh" else None) or subject.replace("_", " ")
