#!/usr/bin/env bash
# Makes a tarball of the built program that runs where nothing is installed but glibc 2.35 or newer: the program, the
# models that come along, and every library that it needs. It may be unpacked anywhere.
#   tools/package.sh BUILD_FOLDER OUTPUT_FOLDER
set -euo pipefail
build=${1:?usage: package.sh BUILD_FOLDER OUTPUT_FOLDER} out=${2:?usage: package.sh BUILD_FOLDER OUTPUT_FOLDER}
fail() { echo "package: $*" >&2; exit 1; }

version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$build/CMakeCache.txt")
name=mobilevd-$version-linux-$(uname -m)
rm -rf "${out:?}/$name" && mkdir -p "$out"
cmake --install "$build" --prefix "$out/$name" --strip >/dev/null
libraries=$out/$name/lib/mobilevd
mkdir -p "$libraries"

# glibc and what belongs to it is the system's own: a second copy of it in one process would not work.
system='linux-vdso|ld-linux|libc\.so|libm\.so|libpthread|libdl\.so|librt\.so|libresolv|libutil\.so|libanl|libnss|libmvec'
ldd "$out/$name/bin/mobilevd" | awk '$2 == "=>" {print $1, $3}' | grep -Ev "$system" | while read -r soname path; do
  [ -e "$path" ] || fail "$soname is not found"
  cp -L "$path" "$libraries/$soname"
done
# Debian's libraries look for one another in the system's folders; the program's own search path holds for all that
# have none of their own. Those that have one are rare, and must not lead out of the package.
strip --strip-unneeded "$libraries"/*
for library in "$libraries"/*; do
  if readelf -d "$library" | grep -qE 'RUNPATH|RPATH'; then patchelf --set-rpath '$ORIGIN' "$library"; fi
done

# The newest glibc that anything in the package asks for.
needed=$(for file in "$out/$name/bin/mobilevd" "$libraries"/*; do readelf --version-info "$file"; done 2>/dev/null |
  grep -oE 'GLIBC_2\.[0-9]+' | sort -uV | tail -n 1)
licences=$out/$name/share/doc/mobilevd/licences
mkdir -p "$licences"
for library in "$libraries"/*; do
  path=$(ldd "$build/mobilevd" | awk -v n="$(basename "$library")" '$1 == n {print $3}')
  package=$(dpkg-query -S "$(readlink -f "$path")" 2>/dev/null || dpkg-query -S "*/$(basename "$(readlink -f "$path")")" 2>/dev/null || true)
  package=${package%%:*}
  [ -n "$package" ] && [ -e "/usr/share/doc/$package/copyright" ] && cp -L "/usr/share/doc/$package/copyright" "$licences/$package"
done
tar -C "$out" --sort=name --owner=0 --group=0 -c "$name" | xz -T0 -6 >"$out/$name.tar.xz.part"
mv "$out/$name.tar.xz.part" "$out/$name.tar.xz"
echo "made $out/$name.tar.xz, $(du -h "$out/$name.tar.xz" | cut -f1) ($(ls "$libraries" | wc -l) libraries; needs ${needed/_/ } or newer)"
