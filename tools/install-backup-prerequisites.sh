#!/usr/bin/env bash
# Installs what backups are held against: age, with Python 3, which types its passphrase, and zstd. Does nothing where they are present.
set -euo pipefail

present() { command -v age >/dev/null && command -v python3 >/dev/null && command -v zstd >/dev/null; }

. "$(dirname "${BASH_SOURCE[0]}")/install-packages.sh"
ensure_packages "age, python3 and zstd" age python3 zstd
