"""What a run prepares before its loop."""

import pytest
from run_corpus import config_of

from kdos.commands.serve_rules import PROMPTS
from kdos.config import read_config
from kdos.errors import ConfigError
from kdos.evaluate import place_questions
from kdos.llm.mock_server import MockServer, serve_app
from kdos.rules import RulesEngine
from kdos.run import run_config
from kdos.scoring import BenchmarkQuestion
from kdos.store import read_arrays


def test_an_endpoint_may_embed(corpus, tmp_path):
    folder = tmp_path / "run"
    with serve_app(MockServer(RulesEngine(), PROMPTS).build_app()) as url:
        changes = {"embed": "endpoint:hashed", "engine": {"embed_url": url}}
        summary = run_config(read_config(config_of(corpus, **changes)), folder)
        question = BenchmarkQuestion(
            id="q", question="When was the bridge of Faro opened?", answers=("1752",)
        )
        places = place_questions([question], folder)
    assert summary["samples"] > 100
    assert read_arrays(folder / "space")[0]["embedder"] == "endpoint:hashed"
    assert places.cells.shape == (1,)


def test_an_embedder_that_is_not_there_is_found_out_first(corpus, tmp_path):
    for embed, complaint in (("endpoint:hashed", "embed_url"), ("lexicall", "must be lexical")):
        with pytest.raises(ConfigError, match=complaint):
            run_config(read_config(config_of(corpus, embed=embed)), tmp_path / "run")
        assert not (tmp_path / "run").exists()
