"""kill -9 at random moments, as `benchmarks/llm_crash.py` does it, with fewer kills."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "llm_crash.py"


@pytest.mark.slow
def test_killed_runs_pay_for_nothing_twice() -> None:
    spec = spec_from_file_location("llm_crash", SCRIPT)
    assert spec
    assert spec.loader
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    found = script.measure(kills=3, rows=500)
    assert found["asked_again_though_delivered_before_the_commit_interval"] == 0
    assert found["delivered"] == 500 + found["asked_again"]
    assert found["output_is_whole"]
