#!/usr/bin/env bash
# Installs what the tests of process plugins hold us against: capnp (Cap'n Proto's own tool) and Python 3. Does nothing where they are present.
set -euo pipefail

present() { command -v capnp >/dev/null && command -v python3 >/dev/null; }

present && exit 0
if ! command -v apt-get >/dev/null; then
  echo "Please install capnproto and python3: there is no apt-get here." >&2
  exit 1
fi
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
{
  ${as_root[@]+"${as_root[@]}"} apt-get update
  ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends capnproto python3
} >&2
present
