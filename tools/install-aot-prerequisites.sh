#!/usr/bin/env bash
# Installs what the native build (NativeAOT) links with: clang, lld and zlib. Does nothing where they are present.
set -euo pipefail

present() {
  command -v clang >/dev/null && command -v ld.lld >/dev/null &&
    { [ "$(uname)" = Darwin ] || echo '#include <zlib.h>' | clang -E - >/dev/null 2>&1; }
}

. "$(dirname "${BASH_SOURCE[0]}")/install-packages.sh"
ensure_packages "clang, lld and the zlib headers" clang lld zlib1g-dev
