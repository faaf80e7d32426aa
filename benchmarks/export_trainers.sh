#!/usr/bin/env bash
# The exports in the trainers' own code: TRL trains a tiny Llama for five steps on both layouts,
# LLaMA-Factory's own reader and converter give back every question and answer.
#
#     bash benchmarks/export_trainers.sh [VENV]
#
# LLaMA-Factory 0.9.5 asks for older versions than TRL 1.16 and for torchaudio, which reads no text:
# it is installed by itself, told not to check versions, and given an empty module of that name.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv-trainers}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 transformers==5.23.0 trl==1.16.0 peft==0.21.2 omegaconf pandas \
    pytest hypothesis --editable ".[seed,export]"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps llamafactory==0.9.5
empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
touch "$empty/torchaudio.py"
export DISABLE_VERSION_CHECK=1 PYTHONPATH="$PWD/src:$empty"
"$venv/bin/python" -m pytest tests/export/test_training.py \
    --override-ini addopts=--import-mode=importlib --override-ini filterwarnings=default -q -rs
