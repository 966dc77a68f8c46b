#!/usr/bin/env bash
# Runs a command in an empty Debian 12: nothing but its minimal system, git and make. Needs root and debootstrap.
#   tools/bare_root.sh clone COMMAND    in /src, a fresh clone of this tree's HEAD
#   tools/bare_root.sh empty COMMAND    in /, without a clone, without git and make
# The command sees /shared, a folder that is the same for all runs of one MVD_BARE_SHARED (default: none is kept).
# Kept between runs, under MVD_BARE_CACHE (default ~/.cache/mobilevd-bare): the minimal systems as archives, apt's
# downloads, the compiler's cache. What is installed inside is not: each run begins with the minimal system.
set -euo pipefail
kind=${1:?usage: bare_root.sh clone|empty COMMAND} command=${2:?usage: bare_root.sh clone|empty COMMAND}
cd "$(dirname "$0")/.."
cache=${MVD_BARE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mobilevd-bare}
suite=bookworm

[ "$(id -u)" -eq 0 ] || { echo "bare_root: run this as root: it makes and enters a root folder" >&2; exit 1; }
command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends debootstrap >/dev/null; }
mkdir -p "$cache/apt" "$cache/ccache"

case $kind in
  clone) include=ca-certificates,git,make ;;
  empty) include=ca-certificates ;;
  *) echo "bare_root: $kind: expected clone or empty" >&2; exit 2 ;;
esac
archive=$cache/$suite-$kind.tar
root=$(mktemp -d "$cache/root.XXXXXX")
trap 'rm -rf --one-file-system "$root"' EXIT
if [ ! -e "$archive" ]; then
  debootstrap --variant=minbase --include=$include $suite "$root" >"$cache/debootstrap.log" || { tail "$cache/debootstrap.log" >&2; exit 1; }
  rm -rf "$root"/var/cache/apt/archives/*.deb
  tar -C "$root" -cf "$archive.part" . && mv "$archive.part" "$archive"
else
  tar -C "$root" -xf "$archive"
fi
chmod 755 "$root"  # as / is everywhere: some tests run the program as nobody
cp /etc/resolv.conf "$root/etc/resolv.conf"
echo 'APT::Keep-Downloaded-Packages "true";' >"$root/etc/apt/apt.conf.d/keep"
mkdir -p "$root/ccache" "$root/shared"
if [ "$kind" = clone ]; then
  git clone -q --no-hardlinks "file://$PWD" "$root/src"
fi
shared=${MVD_BARE_SHARED:-$root/shared}
mkdir -p "$shared"

export root cache shared command kind
unshare --mount --pid --fork --kill-child bash -c '
  set -euo pipefail
  mount --bind "$cache/apt" "$root/var/cache/apt/archives"
  mount --bind "$cache/ccache" "$root/ccache"
  mount --bind "$shared" "$root/shared"
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  [ "$kind" = clone ] && folder=/src || folder=/
  exec chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    CCACHE_DIR=/ccache CI="${CI:-}" bash -c "cd $folder && $command"
'
