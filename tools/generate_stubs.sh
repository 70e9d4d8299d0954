#!/usr/bin/env bash
# Generates src/oncall/v1 (or the folder given) from proto/: messages, services, and types for both.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-src}
bin=$PWD/.venv/bin
mkdir -p "$out/oncall/v1"
PATH="$bin:$PATH" "$bin/python" -m grpc_tools.protoc -I proto \
  --python_out="$out" --grpc_python_out="$out" \
  --mypy_out=quiet:"$out" --mypy_grpc_out=quiet:"$out" \
  proto/oncall/v1/*.proto
