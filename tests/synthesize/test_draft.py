"""A draft's way: checked, judged, answered unseen, read anew, and written once more if it fell."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from kdos.checks import BenchmarkIndex, KnownQuestions
from kdos.config import Config, SourceConfig, SynthesizeConfig
from kdos.extract import extraction_table
from kdos.llm.engine import ScriptedEngine, store_nothing
from kdos.llm.inline_exchange import InlineExchange
from kdos.pool import Extraction, Inventory, Passage, Seed
from kdos.sampler import Pick, number_disciplines
from kdos.seed.seeding import PASSAGES, SEEDS, records_to_table
from kdos.synthesize import Library, SynthesisContext
from kdos.synthesize.draft import draft_pick
from kdos.synthesize.window import Window
from kdos.tasks import CHECKS, CRITERIA
from kdos.tasks.point_names import PointNames

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
PICK = Pick("00000007", 0, seeds=(0,), use=((0, 1, 2),), avoid=(), variant=0, is_short=False)
GIVEN = {"known", "benchmarks"}


class Model:
    """Writes `drafts` one after the other, a list in one reply, judges by `flaw`, answers `answers` in turn."""

    def __init__(self, *drafts, flaw="", quote=POINTS[2], dissent=-1, answers=()):
        self.drafts, self.flaw, self.quote = list(drafts), flaw, quote
        self.dissent, self.answers = dissent, list(answers)
        self.asked = []

    def __call__(self, request):
        self.asked.append(request)
        if request.task == "synthesize":
            written = self.drafts.pop(0) if self.drafts else []
            return {"drafts": written if isinstance(written, list) else [written]}
        if request.task == "answer":
            return {"answer": self.answers.pop(0)}
        if request.task == "extract":
            return self._read()
        if request.task == "review":
            return {
                "reviews": [self._judge(request) | self._read() | {"draft": d["draft"]} for d in self._shown(request)]
            }
        judged = self._judge(request)
        return {name: judged[name] for name in CHECKS} | {"criteria": {name: judged[name] for name in CRITERIA}}

    def _shown(self, request):
        return request.inputs["drafts"]

    def _read(self):
        return {name: SOUND[name] for name in ("topic_entities", "knowledge_points", "logic")}

    def _judge(self, request):
        flaw = self.flaw
        if request.id.endswith(f"/{self.dissent}"):
            flaw = "entailed"
        criteria = {name: {"ok": name != flaw, "quote": self.quote} for name in CRITERIA}
        return {name: name == flaw for name in CHECKS} | criteria

    def requests(self, task):
        return [request for request in self.asked if request.task == task]


def way(model, *, pick=PICK, levels=None, **changes):
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
        links=SimpleNamespace(disciplines=number_disciplines([""])),
        library=library,
        inventory=Inventory(POINTS, points=np.zeros((3, 1), np.float32), cells=np.zeros(3, int)),
        embed_texts=None,
        **({"known": KnownQuestions()} | given),
    )
    with InlineExchange(ScriptedEngine(model), store_nothing) as exchange:
        window = Window(exchange)
        # No knowledge point is known, so that what a draft claims is not held against what is wanted.
        outlook = SimpleNamespace(counts=SimpleNamespace(cells=()), known=int("known" in given), levels=levels)
        window.start(pick, draft_pick(pick, outlook, context))
        _, drafted = window.finish_oldest()
    reasons = [each.refusal.reason if each.refusal else None for each in drafted.candidates]
    return reasons, drafted.candidates, drafted.failed


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
    assert candidates[1].draft.id == "00000007/0/again/0"
    assert failed == []
    again = model.requests("synthesize")[1]
    assert again.inputs["failed"]["reason"] == "multiple_choice"
    assert again.inputs["failed"]["draft"]["question"] == OPTIONS["question"]


def test_what_fails_twice_is_abandoned():
    model = Model(OPTIONS, OPTIONS, SOUND)
    assert way(model)[0] == ["multiple_choice", "multiple_choice"]
    assert len(model.requests("synthesize")) == 2
    assert model.requests("review") == []


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
    assert [len(model.requests(task)) for task in ("review", "judge")] == [1, 2]
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
    assert model.requests("review") == []


def test_drafts_of_a_pick_share_one_review_and_what_fell_is_not_in_it():
    other = SOUND | {"question": "Which city has the tower of the builder who came from Dijon?"}
    model = Model([SOUND, OPTIONS, other])
    reasons, candidates, _ = way(model, mend=False)
    assert reasons == [None, "multiple_choice", None]
    (review,) = model.requests("review")
    assert [shown["question"] for shown in review.inputs["drafts"]] == [SOUND["question"], other["question"]]
    assert [bool(candidate.extraction) for candidate in candidates] == [True, False, True]


def test_without_a_judge_a_draft_is_read_anew_all_the_same():
    model = Model(SOUND)
    reasons, (candidate,), _ = way(model, judges=0)
    assert reasons == [None]
    assert candidate.extraction
    assert [len(model.requests(task)) for task in ("review", "judge", "extract")] == [0, 0, 1]


def test_a_draft_without_anything_sound_costs_no_second_call():
    model = Model(OPTIONS)
    way(model, mend=False)
    assert [request.task for request in model.asked] == ["synthesize"]


HARDER_LOGIC = f'flowchart TD\n K1["{POINTS[1]}"] --> K0["{POINTS[0]}"]\n K0 --> K2["{POINTS[2]}"]\n K2 --> A["Paris"]'
HARDER = SOUND | {"question": "In which city stands what the man from Dijon built?", "logic": HARDER_LOGIC}
ASKED_HARD = replace(PICK, difficulty="D3")


class Reader(Model):
    """A model that reads each draft's logic as it was written."""

    def _shown(self, request):
        self.shown = request.inputs["drafts"][0]
        return request.inputs["drafts"]

    def _read(self):
        names = PointNames({f"KP{place + 1}": point for place, point in enumerate(POINTS)})
        return super()._read() | {"logic": names.spell_logic(self.shown["logic"], "Paris")}


def short_of(level):
    """A plan in which this level is short and those below it are full."""
    return SimpleNamespace(should_rewrite=lambda _discipline, *, asked, came: came + 1 == level <= asked)


def test_a_draft_that_is_too_easy_is_written_one_level_up():
    model = Reader(SOUND, HARDER)
    reasons, (easy, hard), failed = way(model, pick=ASKED_HARD, levels=short_of(2))
    assert (reasons, failed) == (["replaced_by_harder", None], [])
    assert [easy.level, hard.level] == [1, 2]
    assert (hard.enhanced_from, easy.again, hard.again) == (easy.draft.id, True, False)
    again = model.requests("synthesize")[1].inputs
    assert again["difficulty"].startswith("D3: ")
    assert (again["failed"]["reason"], again["failed"]["draft"]["question"]) == ("too_easy", SOUND["question"])


def test_one_that_comes_out_no_harder_falls_and_the_first_stays():
    other = SOUND | {"question": "Where does the tower stand whose builder came from Dijon?"}
    reasons, (easy, same), _ = way(Reader(SOUND, other), pick=ASKED_HARD, levels=short_of(2))
    assert reasons == [None, "not_harder"]
    assert (easy.level, same.enhanced_from) == (1, easy.draft.id)


def test_a_mended_draft_can_be_written_harder_too():
    reasons, candidates, _ = way(Reader(OPTIONS, SOUND, HARDER), pick=ASKED_HARD, levels=short_of(2))
    assert reasons == ["multiple_choice", "replaced_by_harder", None]
    assert candidates[2].enhanced_from == candidates[1].draft.id


@pytest.mark.parametrize("changes", [{"enhance": False}, {"levels": short_of(4)}, {"levels": None}])
def test_nothing_is_written_again_where_no_harder_one_is_wanted(changes):
    model = Reader(SOUND, HARDER)
    assert way(model, **({"pick": ASKED_HARD, "levels": short_of(2)} | changes))[0] == [None]
    assert len(model.requests("synthesize")) == 1
