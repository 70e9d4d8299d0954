#!/usr/bin/env bash
# Reports how full the file system of a path is, in bytes and inodes, and what is largest below the path.
# Exit code: 0 below the limit, 1 at or above it, 2 where it cannot be told.
set -euo pipefail

path=$PARAM_PATH
warn=$PARAM_WARN_PERCENT

[ -e "$path" ] || { echo "disk-usage: $path does not exist here" >&2; exit 2; }

used() { df -P "$@" -- "$path" | awk 'NR == 2 { sub("%", "", $5); print ($5 == "-" ? 0 : $5) }'; }

space=$(used)
inodes=$(used -i)
df -P -h -- "$path"
echo
echo "space:  $space % used"
echo "inodes: $inodes % used"

if [ "$PARAM_LARGEST" -gt 0 ]; then
  echo
  echo "largest below $path, in MiB:"
  # What may not be read is left out; sorting reads all of it, so that no pipe is closed early.
  { du -x -m -d 1 -- "$path" 2>/dev/null || true; } | sort -rn | awk -v most="$PARAM_LARGEST" 'NR > 1 && NR <= most + 1'
fi

if [ "$space" -ge "$warn" ] || [ "$inodes" -ge "$warn" ]; then
  echo
  echo "disk-usage: $path is fuller than $warn %" >&2
  exit 1
fi
