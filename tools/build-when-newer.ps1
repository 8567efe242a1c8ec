# For dbx.cmd: builds src/EventDbx.Cli in Release when a source is newer than the last build. Needs the .NET 10 SDK.
$ErrorActionPreference = 'Stop'
$root = Split-Path -Parent $PSScriptRoot
$stamp = Join-Path $root 'artifacts\.dbx-built'
$built = Join-Path $root 'artifacts\bin\EventDbx.Cli\release\dbx.exe'
$inputs = @(Get-ChildItem -Recurse -Path (Join-Path $root 'src')) +
    @(Get-ChildItem -Path (Join-Path $root '*') -Include *.props, *.targets, global.json, BannedSymbols.txt, .editorconfig)
if ((Test-Path $built) -and (Test-Path $stamp)) {
    $since = (Get-Item $stamp).LastWriteTimeUtc
    if (-not ($inputs | Where-Object LastWriteTimeUtc -GT $since | Select-Object -First 1)) { exit 0 }
}
[Console]::Error.WriteLine('building dbx...')
$began = [DateTime]::UtcNow
$output = & dotnet build (Join-Path $root 'src\EventDbx.Cli\EventDbx.Cli.csproj') -c Release -v q 2>&1
if ($LASTEXITCODE -ne 0) {
    $output | ForEach-Object { [Console]::Error.WriteLine($_) }
    exit 1
}
Set-Content -Path $stamp -Value 'dotnet'
(Get-Item $stamp).LastWriteTimeUtc = $began
