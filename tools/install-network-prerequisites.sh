#!/usr/bin/env bash
# Installs what the tests of lossy and parted networks need: ip (iproute2) and nft (nftables). Does nothing where they are present.
set -euo pipefail

present() { command -v ip >/dev/null && command -v nft >/dev/null; }

present && exit 0
if ! command -v apt-get >/dev/null; then
  echo "Please install iproute2 and nftables: there is no apt-get here." >&2
  exit 1
fi
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
{
  ${as_root[@]+"${as_root[@]}"} apt-get update
  ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends iproute2 nftables
} >&2
present
