# Read by the scripts that install what a test needs: `ensure_packages "names for people" PACKAGE…` does nothing where `present`, which they define, is true.
ensure_packages() {
  local wanted=$1 as_root=()
  shift
  present && return 0
  if ! command -v apt-get >/dev/null; then
    echo "Please install $wanted: there is no apt-get here." >&2
    return 1
  fi
  [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
  {
    ${as_root[@]+"${as_root[@]}"} apt-get update &&
      ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
  } >&2 || return
  present
}
