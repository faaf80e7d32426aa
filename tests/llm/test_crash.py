"""kill -9 at random moments, as `benchmarks/llm_crash.py` does it, with fewer kills.

How old a reply was that had to be asked for again is for the benchmark to say: on a machine that
other work keeps busy a commit takes as long as it takes.
"""

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
    assert found["asked_again"] < 250
    assert found["delivered"] == 500 + found["asked_again"]
    assert found["output_is_whole"]
