#!/usr/bin/env bash
# Builds the client's wheel into the folder $1: the same bytes wherever and whenever it is built, without the network.
set -euo pipefail
cd "$(dirname "$0")/.."

.venv/bin/python -m pip wheel -q --disable-pip-version-check --no-deps --no-build-isolation --no-index -w "$1" ./client
ls "$1"/oncall-[0-9]*.whl
