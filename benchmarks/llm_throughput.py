"""Rows a second of kdos, of bare loops and of frameworks on the same work, and kdos' memory.

One prompt a row, an answer of about 300 tokens of JSON with six fields, read, checked against its
item and written to disk, from a server that answers after 50 ms (`llm_server.py`). Each system runs
in a process of its own, with the Python given for it; imports are not counted.

    python benchmarks/llm_throughput.py --rows 2000 4000 10000 --concurrency 64 256 \
        --python curator=venvs/curator/bin/python --python distilabel=venvs/distilabel/bin/python
    python benchmarks/llm_throughput.py --memory

`--python server=PYTHON` names one with uvloop for the server, so that it takes little of a core.
"""

import argparse
import asyncio
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from importlib import metadata
from pathlib import Path

LATENCY = 0.05
INSTRUCTIONS = (
    "Write one question about the item with its answer, an explanation, a difficulty and three "
    "facts. Answer with one JSON object with the keys id, question, answer, explanation, "
    "difficulty and facts. Be precise, and write what a careful reader could check. "
) * 2
TEXTS = ("id", "question", "answer", "explanation", "difficulty")
PACKAGES = {
    "kdos": "kdos",
    "aiohttp": "aiohttp",
    "openai": "openai",
    "openai_aiohttp": "openai",
    "curator": "bespokelabs-curator",
    "datadesigner": "data-designer",
    "distilabel": "distilabel",
    "sdghub": "sdg-hub",
}


def prompt(number):
    return f"{INSTRUCTIONS}\n\nITEM-{number}"


class Clock:
    """Wall and processor seconds since it was made, children that have ended included."""

    def __init__(self):
        self.began = self.now()

    def now(self):
        return time.perf_counter(), sum(os.times()[:4])

    def read(self):
        return tuple(after - before for after, before in zip(self.now(), self.began, strict=True))


def write_checked(file, number, text):
    """The answer, parsed, held against its item and written."""
    value = json.loads(text)
    assert value["id"] == f"ITEM-{number}"
    file.write(json.dumps(value) + "\n")


# -- the systems: each asks `rows` prompts and leaves its answers on disk


def kdos(url, rows, concurrency, folder):
    from kdos.config import EngineConfig
    from kdos.llm import HttpEngine, Ledger
    from kdos.tasks import Prompt, Request
    from kdos.tasks.prompt import TEXT, a_list, an_object

    schema = an_object(**dict.fromkeys(TEXTS, TEXT), facts=a_list(TEXT))
    asked = Prompt("write", INSTRUCTIONS, schema)
    requests = (Request(f"w/{n}", asked, {"item": f"ITEM-{n}"}) for n in range(rows))
    clock = Clock()
    with (
        HttpEngine(EngineConfig(url=url, model="mock", concurrency=concurrency)) as engine,
        Ledger(folder / "ledger.sqlite") as ledger,
        (folder / "out.jsonl").open("w") as file,
    ):
        for reply in ledger.ask(engine, requests):
            assert reply.value["id"] == reply.request.inputs["item"]
            file.write(json.dumps(reply.value) + "\n")
    return clock.read()


async def pooled(rows, concurrency, one):
    """Workers that share one iterator of items."""
    numbers = iter(range(rows))

    async def work():
        for number in numbers:
            await one(number)

    await asyncio.gather(*(work() for _ in range(concurrency)))


def aiohttp(url, rows, concurrency, folder):
    import aiohttp
    import orjson

    async def main(file):
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def one(number):
                chat = [{"role": "user", "content": prompt(number)}]
                body = orjson.dumps({"model": "mock", "messages": chat, "temperature": 0.7})
                headers = {"content-type": "application/json", "authorization": "Bearer none"}
                async with session.post(f"{url}/chat/completions", data=body, headers=headers) as response:
                    answer = orjson.loads(await response.read())
                write_checked(file, number, answer["choices"][0]["message"]["content"])

            await pooled(rows, concurrency, one)

    clock = Clock()
    with (folder / "out.jsonl").open("w") as file:
        asyncio.run(main(file))
    return clock.read()


def openai(url, rows, concurrency, folder, http_client=None):
    from openai import AsyncOpenAI

    async def main(file):
        client = http_client() if http_client else None
        async with AsyncOpenAI(base_url=url, api_key="none", http_client=client) as openai:

            async def one(number):
                chat = [{"role": "user", "content": prompt(number)}]
                answer = await openai.chat.completions.create(model="mock", messages=chat)
                write_checked(file, number, answer.choices[0].message.content)

            await pooled(rows, concurrency, one)

    clock = Clock()
    with (folder / "out.jsonl").open("w") as file:
        asyncio.run(main(file))
    return clock.read()


def openai_aiohttp(url, rows, concurrency, folder):
    from openai import DefaultAioHttpClient

    return openai(url, rows, concurrency, folder, DefaultAioHttpClient)


def curator(url, rows, concurrency, folder):
    os.environ |= {"CURATOR_CACHE_DIR": str(folder), "TELEMETRY_ENABLED": "0"}
    os.environ |= {"CURATOR_VIEWER": "0", "OPENAI_API_KEY": "none", "CURATOR_DISABLE_CACHE": "1"}
    import tiktoken
    from bespokelabs import curator
    from pydantic import BaseModel

    class Words:
        """Stands in for a tokenizer whose file would have to be downloaded."""

        def encode(self, text, **_):
            return text.split()

    tiktoken.get_encoding = tiktoken.encoding_for_model = lambda *_: Words()

    class Item(BaseModel):
        id: str
        question: str
        answer: str
        explanation: str
        difficulty: str
        facts: list[str]

    class Writer(curator.LLM):
        response_format = Item

        def prompt(self, row):
            return prompt(row["number"])

        def parse(self, row, response):
            assert response.id == f"ITEM-{row['number']}"
            return response.model_dump()

    limits = {"max_requests_per_minute": 10_000_000, "max_tokens_per_minute": 10_000_000_000}
    limits |= {"max_concurrent_requests": concurrency, "base_url": url}
    writer = Writer(model_name="gpt-4o-mini", backend="openai", backend_params=limits)
    clock = Clock()
    answered = writer([{"number": n} for n in range(rows)])
    taken = clock.read()
    assert len(getattr(answered, "dataset", answered)) == rows
    return taken


def datadesigner(url, rows, concurrency, folder):
    os.environ |= {"NEMO_TELEMETRY_ENABLED": "false", "DATA_DESIGNER_HOME": str(folder)}
    os.environ |= {"OTEL_SDK_DISABLED": "true", "KEY": "none"}
    import data_designer.config as dd
    import pandas as pd
    from data_designer.interface import DataDesigner

    seeds = pd.DataFrame({"number": range(rows)})
    provider = dd.ModelProvider(name="mock", endpoint=url, provider_type="openai", api_key="KEY")
    model = dd.ModelConfig(
        alias="m",
        model="mock",
        provider="mock",
        skip_health_check=True,
        inference_parameters=dd.ChatCompletionInferenceParams(max_parallel_requests=concurrency),
    )
    texts = {name: {"type": "string"} for name in TEXTS}
    facts = {"facts": {"type": "array", "items": {"type": "string"}}}
    schema = {"type": "object", "properties": texts | facts, "required": [*TEXTS, "facts"]}
    builder = dd.DataDesignerConfigBuilder(model_configs=[model])
    builder.with_seed_dataset(dd.DataFrameSeedSource(df=seeds))
    column = dd.LLMStructuredColumnConfig(
        name="item", model_alias="m", prompt=INSTRUCTIONS + "\n\nITEM-{{ number }}", output_format=schema
    )
    builder.add_column(column)
    designer = DataDesigner(artifact_path=folder, model_providers=[provider])
    clock = Clock()
    made = designer.create(builder, num_records=rows).load_dataset()
    taken = clock.read()
    assert len(made) == rows
    assert all(row["id"] == f"ITEM-{n}" for n, row in zip(made["number"], made["item"], strict=True))
    return taken


def distilabel(url, rows, concurrency, folder):
    os.environ["DISTILABEL_LOG_LEVEL"] = "ERROR"
    from distilabel.models import OpenAILLM
    from distilabel.pipeline import Pipeline
    from distilabel.steps.tasks import TextGeneration

    with Pipeline(name="peer", cache_dir=folder) as pipeline:
        model = OpenAILLM(model="mock", base_url=url, api_key="none")
        TextGeneration(llm=model, input_batch_size=concurrency)
    data = [{"instruction": prompt(n), "number": n} for n in range(rows)]
    clock = Clock()
    made = pipeline.run(dataset=data, use_cache=False)["default"]["train"]
    with (folder / "out.jsonl").open("w") as file:
        for number, text in zip(made["number"], made["generation"], strict=True):
            write_checked(file, number, text)
    taken = clock.read()
    assert len(made) == rows
    return taken


def sdghub(url, rows, concurrency, folder):
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import pandas as pd
    from sdg_hub.core.blocks import JSONParserBlock, LLMChatBlock, LLMResponseExtractorBlock

    data = pd.DataFrame({"number": range(rows)})
    data["messages"] = [[{"role": "user", "content": prompt(n)}] for n in range(rows)]
    chat = LLMChatBlock(
        block_name="chat",
        input_cols="messages",
        output_cols="response",
        model="openai/mock",
        api_base=url,
        api_key="none",
        async_mode=True,
    )
    extract = LLMResponseExtractorBlock(
        block_name="extract", input_cols="response", extract_content=True, field_prefix="got_"
    )
    parse = JSONParserBlock(block_name="parse", input_cols=["got_content"], output_cols=[*TEXTS, "facts"])
    clock = Clock()
    made = chat(data, _flow_max_concurrency=concurrency)
    made = parse(extract(made))
    made.to_json(folder / "out.jsonl", orient="records", lines=True)
    taken = clock.read()
    assert list(made["id"]) == [f"ITEM-{n}" for n in made["number"]]
    return taken


SYSTEMS = {
    one.__name__: one for one in (kdos, aiohttp, openai, openai_aiohttp, curator, datadesigner, distilabel, sdghub)
}

# -- one measurement in a process of its own


def one(system, url, rows, concurrency):
    """Ask once; print what it took."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        seconds, spent = SYSTEMS[system](url, rows, concurrency, Path(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps(
            {
                "rows_per_second": round(rows / seconds, 1),
                "cpu_ms_a_row": round(1000 * spent / rows, 3),
                "peak_mb": round(peak / 1024, 1),
                "version": version(system),
            }
        )
    )


def version(system):
    try:
        return metadata.version(PACKAGES[system])
    except metadata.PackageNotFoundError:
        return "?"


def fetch(url):
    return json.load(urllib.request.urlopen(url))


def measure(python, system, url, *, rows, concurrency, timeout):
    """One process that asks; what it says, with what the server saw."""
    root = url.removesuffix("/v1")
    fetch(f"{root}/reset")
    command = [python, __file__, "--one", system, "--url", url]
    command += ["--rows", str(rows), "--concurrency", str(concurrency)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return {"failed": f"more than {timeout} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["?"])[-1][:300]}
    seen = fetch(f"{root}/count")
    return json.loads(done.stdout.splitlines()[-1]) | {
        "requests": seen["requests"],
        "most_in_flight": seen["in_flight"],
    }


def summary(runs):
    """The medians of several runs."""
    good = [run for run in runs if "failed" not in run]
    if not good:
        return runs[-1]
    medians = {
        name: statistics.median(run[name] for run in good)
        for name in ("rows_per_second", "cpu_ms_a_row", "peak_mb", "requests", "most_in_flight")
    }
    rates = [run["rows_per_second"] for run in good]
    return medians | {"runs": len(good), "slowest": min(rates), "fastest": max(rates), "version": good[0]["version"]}


def compare(url, pythons, *, sizes, concurrencies, repeats, timeout):
    """Every system at every size, in turns: what the machine does meanwhile hits all alike."""
    found = []
    for rows in sizes:
        for concurrency in concurrencies:
            runs = {system: [] for system in pythons}
            for _ in range(repeats):
                for system, python in pythons.items():
                    run = measure(python, system, url, rows=rows, concurrency=concurrency, timeout=timeout)
                    runs[system].append(run)
                    print(rows, concurrency, system, run, file=sys.stderr, flush=True)
            table = {system: summary(those) for system, those in runs.items()}
            found.append({"rows": rows, "concurrency": concurrency, "systems": table})
    return {"runs": found}


def memory(url, python):
    """Peak memory of kdos for 10,000 and for 100,000 rows."""
    peaks = {
        rows: measure(python, "kdos", url, rows=rows, concurrency=256, timeout=600)["peak_mb"]
        for rows in (10_000, 100_000)
    }
    return {"peak_mb": peaks, "ratio": round(peaks[100_000] / peaks[10_000], 3)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[2000])
    parser.add_argument("--concurrency", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=300.0)
    parser.add_argument("--python", action="append", default=[], metavar="SYSTEM=PYTHON")
    parser.add_argument("--port", type=int, default=8100)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.one, args.url, args.rows[0], args.concurrency[0])
        return
    pythons = {"kdos": sys.executable, "aiohttp": sys.executable}
    pythons |= dict(pair.split("=", 1) for pair in args.python)
    server = subprocess.Popen(
        [
            pythons.pop("server", sys.executable),
            str(Path(__file__).with_name("llm_server.py")),
            "--port",
            str(args.port),
            "--latency",
            str(LATENCY),
        ],
        stdout=subprocess.PIPE,
    )
    server.stdout.readline()
    url = f"http://127.0.0.1:{args.port}/v1"
    try:
        if args.memory:
            result = memory(url, sys.executable)
        else:
            result = compare(
                url,
                pythons,
                sizes=args.rows,
                concurrencies=args.concurrency,
                repeats=args.repeats,
                timeout=args.timeout,
            )
    finally:
        server.terminate()
        server.wait()
    head = {"benchmark": "llm_throughput", "when": time.strftime("%Y-%m-%d")}
    head |= {"python": platform.python_version(), "cores": os.cpu_count(), "latency": LATENCY}
    text = json.dumps(head | result, indent=2)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
