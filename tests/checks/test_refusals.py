"""Every reason has one class, and counts leave nothing out."""

from kdos.checks import REASONS, count_error_classes, count_refusal_reasons, is_rewritable, make_refusal
from kdos.pool import ErrorClass
from kdos.tasks import CHECKS, CRITERIA, QUOTED_CRITERIA, judgement_refusal


def test_what_the_judge_can_say_is_in_the_table():
    for name in CHECKS | CRITERIA:
        refusal = judgement_refusal(name)
        assert REASONS[refusal.reason] == refusal.error_class
    for name in QUOTED_CRITERIA:
        assert REASONS[f"unproven_{name}"] == CRITERIA[name]


def test_every_class_has_a_reason():
    assert set(REASONS.values()) == set(ErrorClass)


def test_counts_hold_every_class_and_sum_up():
    refusals = [make_refusal(reason) for reason in REASONS for _ in range(3)]
    assert sum(count_error_classes(refusals).values()) == 3 * len(REASONS)
    assert list(count_error_classes([])) == [error_class.value for error_class in ErrorClass]
    counts = count_refusal_reasons([*refusals, make_refusal("ambiguous")])
    assert next(iter(counts)) == "ambiguous"
    assert list(counts)[1:] == sorted(list(counts)[1:])


def test_faults_of_the_writing_can_be_mended_and_others_not():
    assert is_rewritable(make_refusal("logic_circular"))
    assert is_rewritable(make_refusal("answer_directly_in_question"))
    assert not is_rewritable(make_refusal("near_duplicate"))
    assert not is_rewritable(make_refusal("no_reply"))
