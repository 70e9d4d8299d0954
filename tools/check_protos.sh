#!/usr/bin/env bash
# Checks the contract: lint, format, breaking changes against main, and that the committed stubs are its own.
set -euo pipefail
cd "$(dirname "$0")/.."
buf=$PWD/.venv/bin/buf
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export BUF_CACHE_DIR=$work/cache HOME=$work # buf wants a home it can write to

"$buf" lint
"$buf" format --diff --exit-code

# Against the last commit on main that touched the contract; on a branch of one's own that is what will be merged into.
base=
for main in origin/main main HEAD; do
  base=$(git log -1 --format=%H "$main" -- proto 2>/dev/null) && [ -n "$base" ] && break
done
if [ -z "$base" ]; then
  echo "BREAKING CHANGES NOT CHECKED: there is no commit with protos to compare with" >&2
else
  mkdir "$work/base"
  git archive "$base" proto buf.yaml | tar -x -C "$work/base"
  if diff -rq proto "$work/base/proto" >/dev/null; then
    echo "breaking changes: none possible, proto/ is as in $(git log -1 --format='%h (%s)' "$base")"
  else
    "$buf" breaking --against "$work/base"
  fi
fi

tools/generate_stubs.sh "$work/stubs"
diff -r --exclude=__init__.py --exclude=__pycache__ "$work/stubs/oncall/v1" src/oncall/v1 ||
  { echo "src/oncall/v1 is not what proto/ generates: run make proto" >&2; exit 1; }
