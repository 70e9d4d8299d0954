#!/usr/bin/env bash
# Runs inside the virtual machine as its first process: cgroup v2 and nothing of v1, then the commands; then it is off.
cd "$(dirname "$0")/../.." || echo o >/proc/sysrq-trigger
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /dev/shm /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t devpts devpts /dev/pts
echo oncall-vm >/proc/sys/kernel/hostname
ip link set lo up 2>/dev/null
bash tools/vm/commands.sh
echo "vm: ended with $?"
echo o >/proc/sysrq-trigger
while :; do read -r -t 60 _ < <(:); done
