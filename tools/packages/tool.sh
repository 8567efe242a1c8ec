# Sourced by tools/package.sh: the .NET global tool, for every platform that has an SDK.

package_tool() {
  rm -f "$out"/EventDbx.Tool.*.nupkg
  "$dotnet" pack src/EventDbx.Cli -c Release -p:PackAsTool=true -p:Version="$version" -tl:off -v q \
    --artifacts-path "$work/dotnet" -o "$out" </dev/null
}
