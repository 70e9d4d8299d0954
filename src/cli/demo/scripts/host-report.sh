#!/usr/bin/env bash
# Reports how a machine is, one line at a time, as a person on call would look at it.
set -u

line() {
  printf '%-10s %s\n' "$1" "$2"
  sleep 0.3
}

field() { awk -v key="$1:" '$1 == key { printf "%d MiB", $2 / 1024 }' /proc/meminfo; }

line "host" "${PARAM_HOST}"
line "time" "$(date -u +%FT%TZ)"
line "kernel" "$(uname -sr)"
line "load" "$(cut -d' ' -f1-3 /proc/loadavg)"
line "memory" "$(field MemAvailable) available of $(field MemTotal)"
line "disk" "$(df -h /usr | awk 'NR == 2 { print $4 " free of " $2 " (" $5 " used)" }')"
line "processes" "$(ls -d /proc/[0-9]* | wc -l) visible in this sandbox"
line "user" "$(id -u), with no privileges on the machine"
line "network" "$(awk -F: 'NR > 2 { gsub(/ /, "", $1); print $1 }' /proc/net/dev | paste -sd' '), nothing else"
line "verdict" "nothing on ${PARAM_HOST} needs you"
