#!/usr/bin/env bash
# What `make vm` proves in the virtual machine: what holds for root, for a user with cgroups of its own, and for one without.
#
# Emulated, everything takes some twenty times as long; so what is run here depends on no clock.
cd "$(dirname "$0")/../.." || exit 99

user=1234
failed=0
python=$PWD/.venv/bin/python
as_user() { setpriv --reuid=$user --regid=$user --clear-groups env HOME=/tmp/user "$@"; }
in_service() { # as_user, in a cgroup that belongs to the user
  local folder=/sys/fs/cgroup/service
  [ ! -d $folder/oncall-processes ] || folder=$folder/oncall-processes # where the first executor moved everybody
  (echo "$BASHPID" >$folder/cgroup.procs && as_user "$@")
}
part() { # part NAME COMMAND…
  printf '\nvm: === %s\n' "$1"
  if "${@:2}"; then printf 'vm: passed: %s\n' "$1"; else failed=$((failed + 1)); printf 'vm: FAILED: %s\n' "$1"; fi
}
doctor() { # doctor WANTED COUNT COMMAND…: whether the doctor names WANTED so often
  local said
  said=$("${@:3}" "$python" -m executor.doctor) || { echo "$said"; return 1; }
  echo "$said"
  [ "$(grep -c "$1" <<<"$said")" = "$2" ]
}
tests() { "$@" "$python" -m pytest -q --color=no -p no:cacheprovider --timeout 600 "${selected[@]}"; }

printf 'vm: Linux %s; cgroup v2 with: %s; v1: %s mounted\n' "$(uname -r)" "$(cat /sys/fs/cgroup/cgroup.controllers)" \
  "$(grep -c ' - cgroup ' /proc/self/mountinfo)"
mkdir -m 700 -p /tmp/user && chown $user:$user /tmp/user
# The Python may stand below a home that nobody else may enter; here it may, for all is a copy.
folder=$(readlink -f "$python")
while [ "$folder" != / ]; do folder=$(dirname "$folder"); chmod o+x "$folder"; done

part "root: the doctor finds cgroup v2" doctor "cgroup v2" 3 env
selected=(tests/integration/test_cgroup.py)
part "root: cgroups are bounded, killed, proved empty and swept" tests env
part "a user without cgroups: the doctor finds rlimits" doctor "rlimit" 2 as_user

# What systemd does for `Delegate=yes`: a folder with controllers that belongs to the user, whose processes are in it.
echo "+memory +pids +cpu" >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/service
chown $user:$user /sys/fs/cgroup/service /sys/fs/cgroup/service/cgroup.{procs,subtree_control,threads}
part "a user with cgroups: the doctor finds cgroup v2" doctor "cgroup v2" 3 in_service
part "a user with cgroups: bounded, killed, proved empty and swept" tests in_service

selected=(tests/sandbox/test_exhaustion.py -k "bomb or afterwards or surviving or threads")
part "root: bombs, threads, and the next execution" tests env
exit $failed
