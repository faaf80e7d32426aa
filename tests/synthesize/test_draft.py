"""A draft's way: checked, judged, answered unseen, read anew, and written once more if it fell."""

import numpy as np
import pytest

from kdos.checks import BenchmarkIndex, KnownQuestions, make_refusal
from kdos.config import Config, SourceConfig, SynthesizeConfig
from kdos.extract import extraction_table
from kdos.llm.engine import ScriptedEngine
from kdos.pool import Extraction, Inventory, Passage, Seed
from kdos.sampler import Pick
from kdos.seed.seeding import PASSAGES, SEEDS, records_to_table
from kdos.synthesize import Library, SynthesisContext
from kdos.synthesize.draft import draft_candidates
from kdos.tasks import CHECKS, CRITERIA

TEXT = (
    "The Eiffel Tower was built by Gustave Eiffel. Gustave Eiffel was born in Dijon. The Eiffel Tower stands in Paris."
)
POINTS = tuple(f"{sentence.rstrip('.')}." for sentence in TEXT.split(". "))
LOGIC = f'flowchart TD\n K0["{POINTS[0]}"] --> K2\n K1["{POINTS[1]}"] --> K2\n K2["{POINTS[2]}"] --> A["Paris"]'
SOUND = {
    "question": "In which city stands the tower whose builder was born in Dijon?",
    "answer": "Paris",
    "topic_entities": ["Eiffel Tower"],
    "knowledge_points": list(POINTS),
    "logic": LOGIC,
    "distractors": ["Lyon"],
    "evidence": [{"passage": "p", "quote": POINTS[2]}],
}
OPTIONS = SOUND | {"question": "Which city has the tower by Eiffel? A) Paris B) Lyon"}
SEED = Seed("s", "When was the tower of Gustave Eiffel opened?", ("1889",), "p", "d", "")
PICK = Pick("0001-000000", 0, seeds=(0,), use=((0, 1, 2),), avoid=(), variant=0)
GIVEN = {"known", "benchmarks", "refuse_paraphrases"}


class Model:
    """Writes `drafts` one after the other, judges by `verdict`, answers `answers` in turn."""

    def __init__(self, *drafts, flaw="", quote=POINTS[2], dissent=-1, answers=()):
        self.drafts, self.flaw, self.quote = list(drafts), flaw, quote
        self.dissent, self.answers = dissent, list(answers)
        self.asked = []

    def __call__(self, request):
        self.asked.append(request)
        if request.task == "synthesize":
            return {"drafts": [self.drafts.pop(0)] if self.drafts else []}
        if request.task == "answer":
            return {"answer": self.answers.pop(0)}
        if request.task == "extract":
            return {name: SOUND[name] for name in ("topic_entities", "knowledge_points", "logic")}
        flaw = self.flaw
        if request.id.endswith(f"/{self.dissent}"):
            flaw = "entailed"
        criteria = {name: {"ok": name != flaw, "quote": self.quote} for name in CRITERIA}
        return {name: name == flaw for name in CHECKS} | {"criteria": criteria}

    def requests(self, task):
        return [request for request in self.asked if request.task == task]


def way(model, **changes):
    """The reasons of all candidates in order, the candidates and the failed calls."""
    library = Library(
        seeds=records_to_table([SEED], SEEDS),
        extractions=extraction_table([(SEED, Extraction(("Eiffel Tower",), POINTS, LOGIC))]),
        passages=records_to_table([Passage("p", "d", "Eiffel", "", "en", 0, len(TEXT), TEXT)], PASSAGES),
    )
    given = {name: changes.pop(name) for name in GIVEN & changes.keys()}
    settings = {"judges": 1, "attempts": 0, "mend": True, "drafts_per_call": 1} | changes
    context = SynthesisContext(
        config=Config(SourceConfig("qa"), synthesize=SynthesizeConfig(**settings)),
        space=None,
        order=None,
        links=None,
        library=library,
        inventory=Inventory(POINTS, points=np.zeros((3, 1), np.float32), cells=np.zeros(3, int)),
        ask=ScriptedEngine(model).complete,
        embed_texts=None,
        **({"known": KnownQuestions()} | given),
    )
    candidates, failed = draft_candidates([PICK], context, refuse_unwanted=lambda candidate: candidate)
    reasons = [each.refusal.reason if each.refusal else None for each in candidates]
    return reasons, candidates, failed


def test_a_sound_draft_goes_through_and_knows_its_shape():
    reasons, (candidate,), failed = way(Model(SOUND))
    assert (reasons, failed) == ([None], [])
    assert candidate.shape
    assert candidate.passed == dict.fromkeys([*CHECKS, *CRITERIA], 1.0)


def test_a_fault_of_the_writing_is_mended_once_with_the_reason():
    model = Model(OPTIONS, SOUND)
    reasons, candidates, failed = way(model)
    assert reasons == ["multiple_choice", None]
    assert [each.again for each in candidates] == [True, False]
    assert candidates[1].draft.id == "0001-000000/0/again/0"
    assert failed == []
    again = model.requests("synthesize")[1]
    assert again.inputs["failed"]["reason"] == "multiple_choice"
    assert again.inputs["failed"]["draft"]["question"] == OPTIONS["question"]


def test_what_fails_twice_is_abandoned():
    model = Model(OPTIONS, OPTIONS, SOUND)
    assert way(model)[0] == ["multiple_choice", "multiple_choice"]
    assert len(model.requests("synthesize")) == 2
    assert model.requests("judge") == []


def test_no_second_draft_is_a_call_that_failed():
    reasons, _, failed = way(Model(OPTIONS))
    assert reasons == ["multiple_choice"]
    assert [each.reason for each in failed] == ["no_draft"]


def test_what_the_judge_refuses_is_mended_too():
    model = Model(SOUND, SOUND, flaw="logic_valid")
    assert way(model)[0] == ["not_logic_valid"] * 2
    assert way(Model(SOUND, flaw="logic_valid"), mend=False)[0] == ["not_logic_valid"]


def test_what_no_writing_can_mend_is_not_asked_again():
    known = KnownQuestions()
    known.add_question(SOUND["question"], ["Paris"])
    model = Model(SOUND, SOUND)
    assert way(model, known=known)[0] == ["near_duplicate"]
    assert len(model.requests("synthesize")) == 1


@pytest.mark.parametrize("quote", ["", "The Eiffel Tower is in Paris."])
def test_a_judge_that_misquotes_proves_nothing(quote):
    reasons, *_ = way(Model(SOUND, SOUND, quote=quote))
    assert reasons == ["unproven_supported"] * 2


def test_several_judges_decide_by_majority_and_dissent_is_kept():
    model = Model(SOUND, dissent=2)
    reasons, (candidate,), _ = way(model, judges=3)
    assert reasons == [None]
    assert len(model.requests("judge")) == 3
    assert candidate.passed["entailed"] == pytest.approx(2 / 3)


def test_answers_that_did_not_see_ours_must_agree():
    assert way(Model(SOUND, answers=["in Paris", "Lyon", "Paris"]), attempts=3)[0] == [None]
    model = Model(SOUND, answers=["Lyon", "Lyon", "Paris"])
    assert way(model, attempts=3, mend=False)[0] == ["not_answered_alike"]
    assert "answer" not in model.requests("answer")[0].inputs


def test_benchmark_questions_fall_before_a_judge_is_paid():
    benchmarks = BenchmarkIndex()
    benchmarks.add_question("in which CITY stands the tower whose builder was born in Dijon", ["Paris"])
    model = Model(SOUND)
    assert way(model, benchmarks=benchmarks, mend=False)[0] == ["contaminated"]
    assert model.requests("judge") == []


def test_benchmark_questions_in_other_words_fall_too():
    model = Model(SOUND)
    found = way(model, refuse_paraphrases=lambda ds: [make_refusal("contaminated")] * len(ds), mend=False)
    assert found[0] == ["contaminated"]
    assert model.requests("judge") == []
