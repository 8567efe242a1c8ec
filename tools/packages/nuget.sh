# Sourced by tools/package.sh: the engine, to be embedded in other programs.

package_nuget() {
  rm -f "$out"/EventDbx.[0-9]*.nupkg "$out"/EventDbx.[0-9]*.snupkg
  "$dotnet" pack src/EventDbx -c Release -p:Version="$version" -tl:off -v q --artifacts-path "$work/dotnet" -o "$out" </dev/null
}
