import pytest

from kdos.report.wording import format_share


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (0.0001, "< 0.1 %"), (0.012, "1.2 %"), (0.5, "50 %"), (1.0, "100 %")],
)
def test_percentages(share: float, text: str) -> None:
    assert format_share(share) == text
