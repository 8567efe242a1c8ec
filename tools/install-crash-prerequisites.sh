#!/usr/bin/env bash
# Installs strace, which kills commands in front of a given system call. Does nothing where it is present.
set -euo pipefail

present() { command -v strace >/dev/null; }

. "$(dirname "${BASH_SOURCE[0]}")/install-packages.sh"
ensure_packages "strace" strace
