from collections.abc import Generator

import pytest


@pytest.fixture(autouse=True, scope="session")
def _one_core() -> Generator[None]:
    """One thread: more wait for each other when tests run side by side."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
