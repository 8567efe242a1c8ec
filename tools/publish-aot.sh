#!/usr/bin/env bash
# tools/publish-aot.sh OUTDIR: builds the form that ships, one native program and its two libraries, into OUTDIR.
#
# PROJECT=src/EventDbx.Verifier builds dbx-verify, one program and nothing beside it.
# Needs a C compiler and linker: tools/install-aot-prerequisites.sh. The platform is this one, or $RUNTIME (linux-musl-x64, …); the version
# is that of Directory.Build.props, or $VERSION.
set -euo pipefail

root=$(CDPATH= cd -P "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/tools/toolchain.sh"
[ $# -eq 1 ] || fail "usage: tools/publish-aot.sh OUTDIR"
out=$1
case $out in /*) ;; *) out=$PWD/$out ;; esac
command -v clang >/dev/null || command -v gcc >/dev/null || fail "no C compiler: tools/install-aot-prerequisites.sh installs one."

find_dotnet
[ -n "${RUNTIME:-}" ] || RUNTIME=$("$dotnet" --info </dev/null | awk '$1 == "RID:" { print $2; exit }')
# Beside the ordinary build, not in it: a native build has other intermediate files, and its own lock files.
cd "$root"
"$dotnet" publish "${PROJECT:-src/EventDbx.Cli}" -c Release -r "$RUNTIME" -p:PublishAot=true ${VERSION:+-p:Version="$VERSION"} -tl:off -v q \
  --artifacts-path "${ARTIFACTS:-$root/artifacts/native}" -o "$out" </dev/null
ls -l "$out"
