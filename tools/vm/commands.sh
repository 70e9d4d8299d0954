#!/usr/bin/env bash
# What `make vm` proves in the virtual machine: what holds for root, for a user with cgroups of its own, and for one without.
#
# Emulated, everything takes some twenty times as long; so what is run here depends on no clock. The arguments choose
# parts by the beginnings of their names; without any, all are run.
cd "$(dirname "$0")/../.." || exit 99

user=1234
failed=0
python=$PWD/.venv/bin/python
chosen=("$@")
as_user() { setpriv --reuid=$user --regid=$user --clear-groups env HOME=/tmp/user "$@"; }
in_service() { # as_user, in a cgroup that belongs to the user
  local folder=/sys/fs/cgroup/service
  [ ! -d $folder/oncall-processes ] || folder=$folder/oncall-processes # where the first executor moved everybody
  (echo "$BASHPID" >$folder/cgroup.procs && as_user "$@")
}
delegate() { # What systemd does for `Delegate=yes`: a folder with controllers that belongs to the user, whose processes are in it.
  local folder=/sys/fs/cgroup/service
  [ ! -d $folder ] || return 0
  echo "+memory +pids +cpu" >/sys/fs/cgroup/cgroup.subtree_control
  mkdir $folder
  chown $user:$user $folder $folder/cgroup.{procs,subtree_control,threads}
}
part() { # part NAME WHAT COMMAND…
  local begin=$SECONDS wanted=${#chosen[@]} one
  for one in "${chosen[@]}"; do [[ $1 != "$one"* ]] || wanted=0; done
  [ "$wanted" = 0 ] || return 0
  printf '\nvm: === %s: %s\n' "$1" "$2"
  if "${@:3}"; then printf 'vm: passed: %s (%s s)\n' "$1" $((SECONDS - begin)); else
    failed=$((failed + 1))
    printf 'vm: FAILED: %s (%s s)\n' "$1" $((SECONDS - begin))
  fi
}
doctor() { # doctor WANTED COUNT COMMAND…: whether the doctor names WANTED so often
  local said
  said=$("${@:3}" "$python" -m executor.doctor) || { echo "$said"; return 1; }
  echo "$said"
  [ "$(grep -c "$1" <<<"$said")" = "$2" ]
}
# Only the plugins that are needed, for loading each takes a second or two; and every test is named when it is done.
export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
# Everything takes longer, also what an executor does within its lease.
export ONCALL_TEST_PATIENCE=6 ONCALL_LEASE_SECONDS=120
tests() { "$@" "$python" -m pytest -v --no-header --color=no -p pytest_asyncio.plugin -p pytest_timeout -p no:cacheprovider --timeout 900 "${selected[@]}"; }
cgroup_tests=(tests/integration/test_cgroup.py)
# Warm and cold alike, for the least that says it: what is used up, what does not listen, and that the next one is clean.
attacks=(tests/sandbox/test_exhaustion.py -k "fork-bomb-warm or fork-bomb-cold or memory-bomb-warm or surviving or afterwards")

printf 'vm: Linux %s; cgroup v2 with: %s; v1: %s mounted\n' "$(uname -r)" "$(cat /sys/fs/cgroup/cgroup.controllers)" \
  "$(grep -c ' - cgroup ' /proc/self/mountinfo)"
mkdir -m 700 -p /tmp/user && chown $user:$user /tmp/user
# The Python may stand below a home that nobody else may enter; here it may, for all is a copy.
folder=$(readlink -f "$python")
while [ "$folder" != / ]; do folder=$(dirname "$folder"); chmod o+x "$folder"; done

part root-doctor "the doctor finds cgroup v2" doctor "cgroup v2" 3 env
selected=("${cgroup_tests[@]}")
part root-cgroups "bounded, killed, proved empty and swept" tests env
selected=("${attacks[@]}")
part root-attacks "bombs, threads, and the next execution" tests env

part user-doctor "without cgroups, the doctor finds rlimits" doctor "rlimit" 2 as_user

delegate
part service-doctor "with cgroups of its own, an ordinary user's doctor finds cgroup v2" doctor "cgroup v2" 3 in_service
selected=("${cgroup_tests[@]}")
part service-cgroups "with cgroups of its own: bounded, killed, proved empty and swept" tests in_service
exit $failed
