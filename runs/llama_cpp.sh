#!/usr/bin/env bash
# A whole run through a real inference server: llama.cpp's, compiled from the source that
# llama-cpp-python publishes on PyPI, with a tiny model of random weights whose answers a grammar
# forces into each prompt's JSON schema. What such a model writes is nonsense, so no sample survives
# the checks; that every request is answered, read and accounted for is what is shown.
#
#   runs/llama_cpp.sh build     compile the server (many minutes; goes on where it stopped)
#   runs/llama_cpp.sh           make the model, start the server, run kdos through it
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/../build/llama_cpp}
python=${PYTHON:-python3}
port=${PORT:-8200}
mkdir -p "$work"
cd "$work"

fetch() {
    [ -d source ] && return
    "$python" -m pip download --no-deps --no-build-isolation --no-binary :all: -d . llama-cpp-python
    mkdir source
    tar xzf llama_cpp_python-*.tar.gz -C source --strip-components=1
}

build() {
    fetch
    cmake -S source/vendor/llama.cpp -B server -G Ninja \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O1 -DBUILD_SHARED_LIBS=OFF \
        -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF \
        -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_CURL=OFF \
        -DGGML_OPENMP=OFF >cmake.log
    cmake --build server --target llama-server --parallel 2
}

if [ "${1:-}" = build ]; then
    build
    exit
fi
[ -x server/bin/llama-server ] || build

PYTHONPATH=source/vendor/llama.cpp/gguf-py "$python" "$here/tiny_model.py" tiny.gguf
server/bin/llama-server --model tiny.gguf --alias tiny --port "$port" --ctx-size 65536 \
    --parallel 4 --threads 2 --chat-template chatml --no-webui >server.log 2>&1 &
server=$!
trap 'kill $server' EXIT
until curl -sf "http://127.0.0.1:$port/health" >/dev/null; do sleep 0.5; kill -0 $server; done

cat >config.yaml <<YAML
source: {kind: qa, path: questions.jsonl, passage: passage}
engine:
  kind: http
  url: http://127.0.0.1:$port/v1
  model: tiny
  concurrency: 4
  max_tokens: 1024
  extra: {logit_bias: $(cat tiny.bias.json), cache_prompt: false}
budget: {samples: 20, calls: 90}
space: {cells: 2, k: 2}
YAML
rm -rf run
"$python" -m kdos doctor config.yaml --out run || true
"$python" -m kdos run config.yaml --out run
sqlite3 run/ledger.sqlite "SELECT task, calls, failed FROM spending" 2>/dev/null || true
