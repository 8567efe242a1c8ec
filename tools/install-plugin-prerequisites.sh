#!/usr/bin/env bash
# Installs what the tests of process plugins hold us against: capnp (Cap'n Proto's own tool) and Python 3. Does nothing where they are present.
set -euo pipefail

present() { command -v capnp >/dev/null && command -v python3 >/dev/null; }

. "$(dirname "${BASH_SOURCE[0]}")/install-packages.sh"
ensure_packages "capnproto and python3" capnproto python3
