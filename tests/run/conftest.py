"""The corpus and one finished run on it, made once for all tests of a run."""

import pytest
from run_corpus import config_of, write_corpus

from kdos.config import read_config
from kdos.run import run_config


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus") / "articles.jsonl")


@pytest.fixture(scope="session")
def finished(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    return folder, run_config(read_config(config_of(corpus)), folder)
