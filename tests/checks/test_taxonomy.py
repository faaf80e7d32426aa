"""Every reason has one class, and counts leave nothing out."""

from kdos.checks import REASONS, count_classes, count_reasons, mendable, refuse
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
    refusals = [refuse(reason) for reason in REASONS for _ in range(3)]
    assert sum(count_classes(refusals).values()) == 3 * len(REASONS)
    assert list(count_classes([])) == [error_class.value for error_class in ErrorClass]
    counts = count_reasons([*refusals, refuse("ambiguous")])
    assert next(iter(counts)) == "ambiguous"
    assert list(counts)[1:] == sorted(list(counts)[1:])


def test_faults_of_the_writing_can_be_mended_and_others_not():
    assert mendable(refuse("logic_circular"))
    assert mendable(refuse("answer_directly_in_question"))
    assert not mendable(refuse("near_duplicate"))
    assert not mendable(refuse("no_reply"))
