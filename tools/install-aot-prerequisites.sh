#!/usr/bin/env bash
# Installs what the native build (NativeAOT) links with: clang, lld and zlib. Does nothing where they are present.
set -euo pipefail

present() {
  command -v clang >/dev/null && command -v ld.lld >/dev/null &&
    { [ "$(uname)" = Darwin ] || echo '#include <zlib.h>' | clang -E - >/dev/null 2>&1; }
}

present && exit 0
if ! command -v apt-get >/dev/null; then
  echo "Please install clang, lld and the zlib headers: there is no apt-get here." >&2
  exit 1
fi
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
{
  ${as_root[@]+"${as_root[@]}"} apt-get update
  ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends clang lld zlib1g-dev
} >&2
present
