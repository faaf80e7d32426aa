import random
import threading
from queue import Queue

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.errors import EngineError
from kdos.tasks import Prompt, Reply, Request, pair_replies_in_order

PROMPT = Prompt(task="seed", text="?", schema={})


def request(number):
    return Request(id=str(number), prompt=PROMPT, inputs={"n": number})


def shuffled(chance, held):
    """An engine that holds up to `held` requests and answers any of them."""

    def ask(requests):
        out = []
        for one in requests:
            out.append(one)
            if len(out) >= held:
                yield Reply(out.pop(chance.randrange(len(out))), text=one.id)
        chance.shuffle(out)
        yield from map(Reply, out)

    return ask


@given(
    asked=st.lists(st.booleans(), max_size=60),
    held=st.integers(1, 30),
    window=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_every_item_comes_back_once_in_order_with_its_own_reply(asked, held, window, seed):
    items = [(number, request(number) if ask else None) for number, ask in enumerate(asked)]
    ask = shuffled(random.Random(seed), held)
    found = list(pair_replies_in_order(items, ask=ask, window=window))
    assert [number for number, _ in found] == list(range(len(items)))
    for number, reply in found:
        assert (reply is not None) == asked[number]
        assert reply is None or reply.request.id == str(number)


def test_one_late_reply_holds_up_the_others_only_when_the_window_is_full():
    sent = []

    def ask(requests):
        late = None
        for one in requests:
            sent.append(one.id)
            if one.id == "0":
                late = one
            else:
                yield Reply(one)
        if late:
            yield Reply(late)

    stream = pair_replies_in_order(((n, request(n)) for n in range(1000)), ask=ask, window=50)
    assert next(stream)[0] == 0
    assert len(sent) == 50
    assert [number for number, _ in stream] == list(range(1, 1000))


def test_an_engine_may_draw_requests_in_a_thread_of_its_own():
    def ask(requests):
        done: Queue[Reply | None] = Queue()

        def work():
            for one in requests:
                done.put(Reply(one))
            done.put(None)

        threading.Thread(target=work).start()
        yield from iter(done.get, None)

    found = pair_replies_in_order(((n, request(n)) for n in range(500)), ask=ask, window=8)
    assert [number for number, _ in found] == list(range(500))


def test_a_reply_that_never_comes_is_an_error():
    with pytest.raises(EngineError, match="must answer every request"):
        list(pair_replies_in_order([(0, request(0))], ask=lambda requests: iter(list(requests)[:0])))
