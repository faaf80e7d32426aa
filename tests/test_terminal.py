"""Progress where there is no terminal: a line now and then, never one for every step."""

from kdos.terminal import LINE_SECONDS, Progress


class Clock:
    """A clock that stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_in_a_pipe_a_line_is_said_after_a_while_and_not_again_before_another(capsys) -> None:
    clock = Clock()
    progress = Progress(clock=clock)
    with progress.stage("synthesize", total=1_200):
        for step in range(1, 10):
            clock.now = step * LINE_SECONDS / 3
            progress.update(100 * step, f"part {step}")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "synthesize: 300 of 1,200; part 3",
        "synthesize: 600 of 1,200; part 6",
        "synthesize: 900 of 1,200; part 9",
    ]


def test_a_short_stage_says_nothing_and_foreign_text_moves_nothing(capsys) -> None:
    clock = Clock()
    progress = Progress(clock=clock)
    with progress.stage("seed"):
        progress.update(1)
    with progress.stage("extract"):
        progress.update(1)
        clock.now = LINE_SECONDS
        progress.update(2, "a\x1b[2J\nb")
    assert capsys.readouterr().err.splitlines() == ["extract: 2; a\\x1b[2J b"]
