"""kill -9 at random moments: what the server delivered is not asked for again."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kdos.llm import ScriptedEngine
from kdos.llm.stand_in import Faults, StandIn, serving
from kdos.tasks import Prompt, Request
from kdos.tasks.prompt import TEXT, an_object

CLIENT = """
import json, sys
from pathlib import Path
from kdos.llm import HttpEngine, HttpSettings, Ledger
from kdos.tasks import Prompt, Request
from kdos.tasks.prompt import TEXT, an_object

url, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
prompt = Prompt(task="seed", text="Say the number.", schema=an_object(answer=TEXT))
requests = (Request(f"seed/{n}", prompt, {"number": n}) for n in range(count))
with HttpEngine(HttpSettings(url=url, model="m", concurrency=16)) as engine:
    with Ledger(folder / "ledger.sqlite") as ledger:
        answers = {reply.request.id: reply.text for reply in ledger.ask(engine, requests)}
(folder / "out.json").write_text(json.dumps(answers, sort_keys=True))
"""
PROMPT = Prompt(task="seed", text="Say the number.", schema=an_object(answer=TEXT))
CONCURRENCY = 16
COMMIT = 0.2  # seconds: the interval that is promised


class Timed(StandIn):
    """A stand-in that notes when it delivered which body."""

    delivered: list[tuple[float, bytes]]

    def deliver(self, request, body, fault):  # type: ignore[no-untyped-def]
        self.delivered.append((time.monotonic(), body))
        return super().deliver(request, body, fault)


def answer(request: Request) -> dict[str, str]:
    return {"answer": f"{request.inputs['number']} it is"}


def run(url: str, folder: Path, count: int, *, kill_after: float | None) -> bool:
    """One run of the client; gives whether it came to its end."""
    command = [sys.executable, "-c", CLIENT, url, str(folder), str(count)]
    client = subprocess.Popen(command, start_new_session=True)
    try:
        client.wait(kill_after)
    except subprocess.TimeoutExpired:
        os.killpg(client.pid, signal.SIGKILL)
        client.wait()
    return client.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("kills", [3])
def test_killed_runs_pay_for_nothing_twice(kills: int, tmp_path: Path) -> None:
    count = 1500
    stand_in = Timed(ScriptedEngine(answer), [PROMPT], faults=Faults(latency=0.05))
    stand_in.delivered = []
    chance = random.Random(7)
    lost = 0
    with serving(stand_in.app()) as url:
        for _ in range(kills):
            seen = len(stand_in.delivered)
            if run(url, tmp_path, count, kill_after=chance.uniform(1.2, 2.5)):
                break
            killed = time.monotonic()
            safe = {body for at, body in stand_in.delivered[:] if at < killed - COMMIT}
            asked_before = len(stand_in.delivered)
            assert asked_before >= seen
            lost += len({body for _, body in stand_in.delivered[seen:]} - safe)
        safe = {body for _, body in stand_in.delivered}
        assert run(url, tmp_path, count, kill_after=120)
    bodies = [body for _, body in stand_in.delivered]
    assert len(set(bodies)) == count
    twice = len(bodies) - count
    assert twice <= lost
    answers = json.loads((tmp_path / "out.json").read_text())
    expected = {f"seed/{n}": f'{{"answer":"{n} it is"}}' for n in range(count)}
    assert answers == expected
