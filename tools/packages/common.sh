# Sourced by tools/package.sh: what all parts need.

# Sets $version, $rid, $out, $work and $name, and the time that every file gets.
prepare() {
  # What is made is what is packed: its modes are not those that whoever builds likes for files of their own.
  umask 022
  find_dotnet
  cd "$root"
  # A variable of that name would be a property of every build; here it is one of ours alone.
  local asked=${VERSION:-}
  unset VERSION
  version=${asked:-$("$dotnet" msbuild src/EventDbx.Cli -getProperty:Version </dev/null)}
  [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || fail "\`$version\` is no version: 2.1.0, or 2.1.0-rc.1."
  rid=${RUNTIME:-$("$dotnet" --info </dev/null | awk '$1 == "RID:" { print $2; exit }')}
  out=${OUT:-$root/artifacts/packages}
  case $out in /*) ;; *) out=$PWD/$out ;; esac
  # Native builds and packages keep their own intermediate files, beside those of the ordinary build.
  work=${ARTIFACTS:-$root/artifacts/native}
  name=eventdbx-$version-$rid
  if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null) || SOURCE_DATE_EPOCH=1767225600 # 2026: what has no history
  fi
  export SOURCE_DATE_EPOCH
  # A Mac has another tar, which does not sort.
  tar=$(command -v gtar || command -v tar)
  mkdir -p "$out" "$work"
}

need() {
  command -v "$1" >/dev/null || fail "there is no $1: tools/install-package-prerequisites.sh installs it."
}

# tar_of OWNER DIR ENTRY…: entries of DIR as a tar that only depends on their contents and modes, to standard output.
tar_of() {
  local owner=$1 from=$2
  shift 2
  "$tar" --sort=name --format=gnu --numeric-owner --owner="$owner" --group="$owner" --mtime="@$SOURCE_DATE_EPOCH" -C "$from" -cf - "$@"
}

# The folder of the native programs, built when it is not there.
native_folder() {
  [ -d "$out/$name" ] || package_native
}

# The licences of everything that is packed, as one text.
notices() {
  cat NOTICES
  printf '\n%s\n' "--------------------------------------------------------------------------------"
  cat src/EventDbx.Server/GraphQL/Page/NOTICE
}
