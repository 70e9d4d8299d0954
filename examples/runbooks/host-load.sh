#!/usr/bin/env bash
# Reports load, memory, swap and pressure of the executor's machine, read from /proc.
# Exit code: 0 below both limits, 1 at or above one of them.
set -euo pipefail

cores=$(grep -c '^processor' /proc/cpuinfo)
read -r one five fifteen rest </proc/loadavg
echo "load:    $one $five $fifteen (1, 5, 15 minutes) on $cores cores, processes ${rest%% *}"

memory=$(awk '
  { size[$1] = $2 }
  END {
    total = size["MemTotal:"]; free = size["MemAvailable:"]; swap = size["SwapTotal:"]
    printf "%d %d %d %d %d\n", (total - free) * 100 / total, (total - free) / 1024, total / 1024, swap / 1024,
      (swap - size["SwapFree:"]) / 1024
  }' /proc/meminfo)
read -r percent used total swap swapped <<<"$memory"
echo "memory:  $used of $total MiB used ($percent %)"
if [ "$swap" -gt 0 ]; then echo "swap:    $swapped of $swap MiB used"; else echo "swap:    none"; fi

for what in cpu memory io; do
  if pressure=$(cat "/proc/pressure/$what" 2>/dev/null); then
    echo "waiting: $(awk -v what="$what" '/^some/ { sub("avg60=", "", $3); print what, $3, "% of the last minute" }' <<<"$pressure")"
  fi
done

code=0
if awk -v load="$one" -v cores="$cores" -v warn="$PARAM_WARN_LOAD_PER_CORE" 'BEGIN { exit !(load / cores >= warn) }'; then
  echo "host-load: the load per core is $PARAM_WARN_LOAD_PER_CORE or more" >&2
  code=1
fi
if awk -v percent="$percent" -v warn="$PARAM_WARN_MEMORY_PERCENT" 'BEGIN { exit !(percent >= warn) }'; then
  echo "host-load: $PARAM_WARN_MEMORY_PERCENT % of the memory or more is used" >&2
  code=1
fi
exit $code
