#!/usr/bin/env bash
# Installs what the tests of lossy and parted networks need: ip (iproute2) and nft (nftables). Does nothing where they are present.
set -euo pipefail

present() { command -v ip >/dev/null && command -v nft >/dev/null; }

. "$(dirname "${BASH_SOURCE[0]}")/install-packages.sh"
ensure_packages "iproute2 and nftables" iproute2 nftables
