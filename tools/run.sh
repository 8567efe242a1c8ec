# Sourced by ./dbx and ./dbx-verify, with $root, $program and $project set: builds when a source is newer than the last build of the
# program, then becomes it.

built=$root/artifacts/bin/$project/release/$program
stamp=$root/artifacts/.$program-built # holds the .NET it was built with; its time is when that build began

up_to_date() {
  [ -x "$built" ] && [ -s "$stamp" ] && DOTNET_ROOT_BUILT=$(<"$stamp") && [ -d "$DOTNET_ROOT_BUILT" ] || return 1
  # A folder is newer, too, when a file in it was deleted or renamed.
  local newer
  newer=$(find "$root/src" "$root"/*.props "$root"/*.targets "$root"/BannedSymbols.txt "$root"/.editorconfig \
    "$root"/global.json -newer "$stamp" -print 2>/dev/null | head -n 1)
  [ -z "$newer" ]
}

build() {
  up_to_date && return # another one was faster
  if [ -t 2 ] || [ ! -e "$stamp" ]; then
    if [ -e "$stamp" ]; then echo "building $program…" >&2; else echo "building $program (first use)…" >&2; fi
  fi
  find_dotnet
  build_release "src/$project/$project.csproj"
}

if ! up_to_date; then
  # The variables of a build are not those of the program.
  (
    . "$root/tools/toolchain.sh"
    programs=$program
    alone build
  ) || exit 1
  DOTNET_ROOT_BUILT=$(<"$stamp")
fi

export DOTNET_ROOT=$DOTNET_ROOT_BUILT
exec "$built" "$@"
