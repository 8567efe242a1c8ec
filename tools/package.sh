#!/usr/bin/env bash
# tools/package.sh [PART…]: builds what is given to others into artifacts/packages, or $OUT.
#
#   native      the folder with the native programs, and its .tar.gz
#   deb         the Debian package, of that folder
#   container   a container image of that folder, as an OCI archive
#   tool        the .NET global tool
#   nuget       the engine, to be embedded
#   sums        SHA256SUMS over all of them; tools/sign-release.sh signs it
#
# Without parts: all of them, in this order. The version is that of Directory.Build.props, or $VERSION, as in VERSION=2.1.0.
# Only files of the checkout and the packages of its lock files go in, and libraries of this system into the container image.
# The same sources and tools give the same archives (but for NuGet's): files are sorted, and have the time of the last commit, or $SOURCE_DATE_EPOCH.
set -euo pipefail

root=$(CDPATH= cd -P "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/tools/toolchain.sh"
for part in common native deb container tool nuget sums; do . "$root/tools/packages/$part.sh"; done

parts=("$@")
[ $# -gt 0 ] || parts=(native deb container tool nuget sums)
for part in "${parts[@]}"; do
  case $part in
    native | deb | container | tool | nuget | sums) ;;
    -h | --help) sed -n 's/^# \{0,1\}//p;/^set /q' "$root/tools/package.sh" | sed 1d && exit ;;
    *) fail "\`$part\` is no part of a release: native, deb, container, tool, nuget, sums." ;;
  esac
done

prepare
for part in "${parts[@]}"; do
  echo "== $part"
  "package_$part"
done
ls -l "$out"
