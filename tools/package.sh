#!/usr/bin/env bash
# Makes a tarball of the built program that runs on any Linux of this architecture with /bin/sh and readlink: the program,
# the models that come along, and every library that it needs, glibc and its loader too. It may be unpacked anywhere.
#   tools/package.sh BUILD_FOLDER OUTPUT_FOLDER
set -euo pipefail
build=${1:?usage: package.sh BUILD_FOLDER OUTPUT_FOLDER} out=${2:?usage: package.sh BUILD_FOLDER OUTPUT_FOLDER}
fail() { echo "package: $*" >&2; exit 1; }

version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$build/CMakeCache.txt")
name=mobilevd-$version-linux-$(uname -m)
root=$out/$name
rm -rf "${out:?}/$name" && mkdir -p "$out"
cmake --install "$build" --prefix "$root" --strip >/dev/null

# The loader starts the program, so that the system's own glibc may be older than the one that the libraries ask for. It
# lies beside the program, for what asks where the program is asks the kernel, which knows the loader.
mkdir -p "$root/libexec" "$root/lib/mobilevd"
mv "$root/bin/mobilevd" "$root/libexec/mobilevd"
ldd "$root/libexec/mobilevd" >"$out/libraries" || fail "ldd cannot read the program"
! grep "not found" "$out/libraries" || fail "a library is missing"
awk '$2 == "=>" {print $1, $3}' "$out/libraries" | while read -r soname path; do cp -L "$path" "$root/lib/mobilevd/$soname"; done
loader=$(awk '$2 != "=>" && $1 ~ /ld-linux/ {print $1}' "$out/libraries")
cp -L "$loader" "$root/libexec/loader"
strip --strip-unneeded "$root"/lib/mobilevd/*
cat >"$root/bin/mobilevd" <<'LAUNCHER'
#!/bin/sh
# Starts the program with the libraries of this package. GOMP_SPINCOUNT: what the program itself would set, and start anew
# for, were it not the loader that the kernel sees (mvd/base/thread_limits.h).
here=$(dirname "$(readlink -f "$0")")/..
[ -n "${OMP_WAIT_POLICY:-}" ] || export GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-1000}"
exec "$here/libexec/loader" --library-path "$here/lib/mobilevd" --argv0 mobilevd "$here/libexec/mobilevd" "$@"
LAUNCHER
chmod +x "$root/bin/mobilevd"

licences=$root/share/doc/mobilevd/licences
mkdir -p "$licences"
awk '$2 == "=>" {print $3}' "$out/libraries" | while read -r path; do
  package=$(dpkg-query -S "$(readlink -f "$path")" 2>/dev/null || dpkg-query -S "*/$(basename "$(readlink -f "$path")")" 2>/dev/null || true)
  package=${package%%:*}
  [ -n "$package" ] && [ -e "/usr/share/doc/$package/copyright" ] && cp -L "/usr/share/doc/$package/copyright" "$licences/$package" || true
done
tar -C "$out" --sort=name --owner=0 --group=0 -c "$name" | xz -T0 -3 >"$out/$name.tar.xz.part"
mv "$out/$name.tar.xz.part" "$out/$name.tar.xz"
echo "made $out/$name.tar.xz, $(du -h "$out/$name.tar.xz" | cut -f1); unpacked $(du -sh "$root" | cut -f1), $(ls "$root/lib/mobilevd" | wc -l) libraries"
