from kdos.scoring import AnswerScores, BenchmarkQuestion, score_answer


def test_every_score_of_one_answer():
    question = BenchmarkQuestion("q", "Where?", ("New York",), benchmark="nq_open")
    assert score_answer("in New York City", question) == AnswerScores(
        em=0.0, f1=2 / 3, contains=1.0, correct=1.0, attempted=1.0, em_harness=0.0
    )


def test_an_answer_that_declines_is_not_correct_though_it_names_it():
    question = BenchmarkQuestion("q", "Who was it?", ("Ada",))
    found = score_answer("I don't know whether Ada or Eve.", question)
    assert (found.contains, found.correct, found.attempted) == (1.0, 0.0, 0.0)


def test_patterns_say_what_is_right():
    question = BenchmarkQuestion(
        "q", "How tall?", (), patterns=(r"20\s?,?\s?320\s?f(ee|oo)t|6,194 ?m",)
    )
    assert score_answer("20,320 FEET", question) == AnswerScores(1.0, 1.0, 1.0, 1.0, 1.0)
    assert score_answer("It is 6,194 m tall.", question) == AnswerScores(0.0, 0.0, 1.0, 1.0, 1.0)
    assert score_answer("6 m", question) == AnswerScores(0.0, 0.0, 0.0, 0.0, 1.0)
