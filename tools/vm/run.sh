#!/usr/bin/env bash
# Proves in a virtual machine with cgroup v2 alone what this machine may lack: Debian's kernel, emulated by QEMU without KVM.
#
# The machine's root is this machine's, read-only under a layer in memory; so it runs this checkout and its .venv, and
# nothing it does stays. Needs root for apt-get only where something is missing. The arguments choose parts, by the
# beginnings of their names in commands.sh: `root`, `user-attacks`. VM_SECONDS bounds it all.
set -euo pipefail
cd "$(dirname "$0")/../.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/oncall-vm
modules=$cache/initramfs/modules
parts=$(IFS=, && echo "$*")
say() { printf 'vm: %s\n' "$*" >&2; }

command -v apt-get >/dev/null || { say "only Debian and Ubuntu are done for you"; exit 1; }
command -v qemu-system-x86_64 >/dev/null || {
  say "installing qemu-system-x86 (the emulator)"
  apt-get install -qq -y --no-install-recommends qemu-system-x86 >/dev/null
}

unpack() { # unpack PACKAGE FOLDER: downloads a package and unpacks it, without installing it
  [ ! -d "$cache/$2" ] || return 0
  say "downloading $1, which is not installed but unpacked into $cache"
  rm -rf "$cache/new" && mkdir -p "$cache/new"
  (cd "$cache/new" && apt-get download -qq "$1" 2>/dev/null && dpkg -x ./*.deb unpacked)
  mv "$cache/new/unpacked" "$cache/$2"
}
unpack "$(apt-cache depends linux-image-amd64 | awk '/Depends:/ { print $2; exit }')" kernel
unpack busybox-static busybox

add_module() { # add_module NAME: copies it after what it depends on
  local file needed
  [ ! -e "$modules/$1.ko" ] || return 0
  file=$(find "$cache/kernel/lib/modules" -name "$1.ko")
  [ -n "$file" ] || return 0 # built in
  for needed in $(grep -aoP '(?<=\0depends=)[^\0]+' "$file" | tr , ' '); do add_module "$needed"; done
  cp "$file" "$modules/$1.ko"
  echo "$1" >>"$modules/order"
}
rm -rf "$cache/initramfs" && mkdir -p "$cache/initramfs/bin" "$modules"
for name in virtio_pci 9pnet_virtio 9p overlay; do add_module "$name"; done
cp "$cache/busybox/bin/busybox" "$cache/initramfs/bin/"
install -m 755 tools/vm/init "$cache/initramfs/init"
(cd "$cache/initramfs" && find . | bin/busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$cache/initramfs.gz"

timeout -k 5 "${VM_SECONDS:-3600}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 3072 \
  -nographic -no-reboot -nodefaults -serial stdio -kernel "$cache"/kernel/boot/vmlinuz-* -initrd "$cache/initramfs.gz" \
  -append "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off oncall.start=$PWD/tools/vm/start.sh oncall.parts=$parts" \
  -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap </dev/null | tee "$cache/log"
grep -q '^vm: ended with 0' "$cache/log" || { say "not everything passed, or there was not enough time; see above"; exit 1; }
