#!/usr/bin/env bash
# Runs inside the virtual machine as its first process: cgroup v2 and nothing of v1, then the commands; then it is off.
#
# The commands run on a copy of the checkout, for somebody may work on it meanwhile, and a file that changes while it is
# read over 9p is read in half.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8
cd "$(dirname "$0")/../.." || echo o >/proc/sysrq-trigger
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /dev/shm /dev/pts /tmp/checkout
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t devpts devpts /dev/pts
echo oncall-vm >/proc/sys/kernel/hostname
ip link set lo up 2>/dev/null
cp -a src tests tools pyproject.toml /tmp/checkout
ln -s "$PWD/.venv" /tmp/checkout/.venv
export PYTHONPATH=/tmp/checkout/src:/tmp/checkout
parts=$(sed -n 's/.*oncall\.parts=\([^ ]*\).*/\1/p' /proc/cmdline)
# shellcheck disable=SC2086 # one word a part
bash /tmp/checkout/tools/vm/commands.sh ${parts//,/ }
echo "vm: ended with $?"
echo o >/proc/sysrq-trigger
while :; do read -r -t 60 _ < <(:); done
