# Sourced by ./dbx, ./dbx-verify, ./test and .ci/run, with $root set: finds .NET, keeps it quiet, and builds one at a time.

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
export DOTNET_GENERATE_ASPNET_CERTIFICATE=false DOTNET_ADD_GLOBAL_TOOLS_TO_PATH=false
export DOTNET_CLI_WORKLOAD_UPDATE_NOTIFY_DISABLE=true TESTINGPLATFORM_TELEMETRY_OPTOUT=1
# No build servers are left behind: they would keep the caller's pipes and our lock open.
export MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0 UseSharedCompilation=false

# Prints the directory of the .NET that program $1 belongs to, if it has an SDK that global.json accepts.
dotnet_root_of() {
  local version
  version=$(cd "$root" && "$1" --version 2>/dev/null </dev/null) || return 1
  "$1" --list-sdks </dev/null | awk -v version="$version" '
    $1 == version { sub(/^[^[]*\[/, ""); sub(/[\/\\]sdk\][[:space:]]*$/, ""); print; exit }'
}

# Sets DOTNET_ROOT and $dotnet: from PATH, else $DOTNET_ROOT, else .dotnet/ in the checkout, fetched if need be.
find_dotnet() {
  home_for_dotnet
  local candidate found
  for candidate in "$(command -v dotnet || true)" "${DOTNET_ROOT:+$DOTNET_ROOT/dotnet}" "$root/.dotnet/dotnet"; do
    if [ -n "$candidate" ] && [ -x "$candidate" ] && found=$(dotnet_root_of "$candidate") && [ -n "$found" ]; then
      use_dotnet "$found"
      return
    fi
  done
  fetch_dotnet
  found=$(dotnet_root_of "$root/.dotnet/dotnet") || fail "the .NET SDK in $root/.dotnet is not one that global.json accepts."
  use_dotnet "$found"
}

use_dotnet() {
  export DOTNET_ROOT=$1
  dotnet=$1/dotnet
}

# The official install script, into the checkout and nowhere else.
fetch_dotnet() {
  local script=$root/artifacts/dotnet-install.sh address=https://dot.net/v1/dotnet-install.sh
  echo "No .NET SDK that global.json accepts was found: fetching one into $root/.dotnet (about 230 MB)…" >&2
  mkdir -p "$root/artifacts"
  if command -v curl >/dev/null 2>&1; then curl -fsSL --retry 3 -o "$script" "$address"
  else wget -q -O "$script" "$address"
  fi || fail "could not fetch the .NET install script. Install the .NET 10 SDK and try again: https://dot.net/download"
  bash "$script" --channel 10.0 --install-dir "$root/.dotnet" --no-path >"$root/artifacts/dotnet-install.log" 2>&1 </dev/null ||
    fail "could not fetch .NET (see $root/artifacts/dotnet-install.log). Install the .NET 10 SDK and try again: https://dot.net/download"
}

# Builds need somewhere for packages; without a usable HOME that is the checkout.
home_for_dotnet() {
  if [ -z "${HOME:-}" ] || ! [ -d "$HOME" ] || ! [ -w "$HOME" ]; then
    export DOTNET_CLI_HOME=$root/artifacts/home
    export NUGET_PACKAGES=${NUGET_PACKAGES:-$root/artifacts/home/packages}
    mkdir -p "$DOTNET_CLI_HOME"
  fi
}

# Runs a command while no other ./dbx or ./test of this checkout builds.
alone() {
  mkdir -p "$root/artifacts"
  if command -v flock >/dev/null 2>&1; then
    (
      flock 9
      "$@" 9>&-
    ) 9>"$root/artifacts/.build.lock"
  else
    alone_by_directory "$@"
  fi
}

# For systems without flock: a directory is made by one process only; one whose maker is gone is taken over.
alone_by_directory() (
  held=$root/artifacts/.build.lock.d
  until mkdir "$held" 2>/dev/null; do
    maker=$(cat "$held/pid" 2>/dev/null || true)
    if [ -n "$maker" ] && ! kill -0 "$maker" 2>/dev/null; then rm -rf "$held"; else sleep 0.2; fi
  done
  trap 'rm -rf "$held"' EXIT
  echo "$$" >"$held/pid"
  "$@"
)

# Builds $1 in Release and remembers since when the $programs in it are up to date: all of them, unless the caller builds one.
# Run it through `alone`. The output is shown only when the build fails.
programs="dbx dbx-verify"
build_release() {
  local name started=$root/artifacts/.built.$$ log=$root/artifacts/build.log
  printf '%s\n' "$DOTNET_ROOT" >"$started"
  if ! (cd "$root" && "$dotnet" build "$@" -c Release -v q -tl:off) >"$log" 2>&1 </dev/null; then
    rm -f "$started"
    cat "$log" >&2
    fail "the build failed (the lines above; also in $log)."
  fi
  for name in $programs; do cp -p "$started" "$started.$name" && mv -f "$started.$name" "$root/artifacts/.$name-built"; done
  rm -f "$started"
}

fail() {
  echo "error: $*" >&2
  exit 1
}
