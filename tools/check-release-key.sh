#!/usr/bin/env bash
# tools/check-release-key.sh [VKEY]: whether deploy/release-keys, which every build trusts, has this key; without one, whether it has any.
#
# A release that is signed with another key is one that nobody can upgrade to, and one that is built without keys is one that nobody can
# upgrade from: a key that is added later does not reach what is installed.
set -euo pipefail

root=$(CDPATH= cd -P "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
keys=${RELEASE_KEYS:-$root/deploy/release-keys}
if [ $# -eq 0 ]; then
  grep -Eq '^[^#[:space:]]+\+[0-9a-f]{8}\+.' "$keys" || {
    echo "error: $keys has no key: builds would trust no release. tools/sign-release.sh prints the line that belongs there." >&2
    exit 1
  }
elif ! grep -Fxq -- "$1" "$keys"; then
  echo "error: $keys has no line \`$1\`: what is signed with that key is believed by no build." >&2
  exit 1
fi
