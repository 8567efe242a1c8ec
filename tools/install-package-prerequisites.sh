#!/usr/bin/env bash
# Installs what packages are built and tried with: dpkg-deb and dpkg-shlibdeps (dpkg-dev), binutils, mmdebstrap for a minimal system,
# systemd-analyze for the unit, man-db and shells for what they read. Does nothing where they are present.
set -euo pipefail

present() {
  local program
  for program in dpkg-deb dpkg-shlibdeps strip mmdebstrap systemd-analyze man dash zsh fish; do command -v "$program" >/dev/null || return 1; done
}

. "$(dirname "${BASH_SOURCE[0]}")/install-packages.sh"
ensure_packages "dpkg-dev, binutils, mmdebstrap, systemd, man-db, dash, zsh and fish" dpkg-dev binutils mmdebstrap systemd man-db dash zsh fish
