<#
.SYNOPSIS
  Installs a release of EventDBX for one user, without administrator rights.
.DESCRIPTION
  The download is held against the checksums of the release before anything of it is run. What does not fit is thrown away, and nothing is
  changed. EVENTDBX_RELEASES_URL names another place of releases than the published one: it answers like GitHub's list of releases.
  The same as install.sh, for Windows; signatures are not looked at here: `dbx upgrade` and install.sh do that.
.PARAMETER Version
  As in 2.1.0 (default: the newest release).
.PARAMETER Prefix
  Where to: PREFIX\bin\dbx.cmd, and the rest in PREFIX\lib\eventdbx (default: %LOCALAPPDATA%\EventDBX).
#>
param(
    [string] $Version = 'latest',
    [string] $Prefix = (Join-Path $env:LOCALAPPDATA 'EventDBX')
)

Set-StrictMode -Version 3
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

function Stop-With([string] $Text) { throw $Text }

# Never in clear text from another machine.
function Get-Release([string] $Url, [string] $File) {
    if ($Url -notmatch '^https://' -and $Url -notmatch '^http://(127\.0\.0\.1|localhost|\[::1\])[:/]') {
        Stop-With "$Url is not asked: only https is, because what comes over http can be changed on the way."
    }
    Invoke-WebRequest -Uri $Url -OutFile $File -UseBasicParsing -TimeoutSec 900 -UserAgent 'eventdbx-install'
}

$releases = 'https://api.github.com/repos/eventdbx/eventdbx-dotnet/releases'
if ($env:EVENTDBX_RELEASES_URL) { $releases = $env:EVENTDBX_RELEASES_URL }
$releases = $releases.TrimEnd('/')
trap {
    [Console]::Error.WriteLine("error: $($_.Exception.Message)")
    exit 1
}

if ($Version -ne 'latest' -and $Version -notmatch '^v?[0-9][0-9A-Za-z.+-]*$') { Stop-With "``$Version`` is no version; 2.1.0 is one." }

$architecture = [System.Runtime.InteropServices.RuntimeInformation]::OSArchitecture
if ($architecture -ne 'X64') { Stop-With "there are no programs for $architecture processors. The .NET tool runs wherever .NET does: dotnet tool install -g EventDbx.Tool" }
[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12

$library = Join-Path $Prefix 'lib\eventdbx'
$bin = Join-Path $Prefix 'bin'
$made = @($Prefix, (Join-Path $Prefix 'lib'), $library, $bin) | Where-Object { -not (Test-Path $_) }
New-Item -ItemType Directory -Force -Path $library, $bin | Out-Null
$staging = Join-Path $library ('.install.' + [IO.Path]::GetRandomFileName())
New-Item -ItemType Directory -Path $staging | Out-Null
try {
    $at = if ($Version -eq 'latest') { "$releases/latest" } else { "$releases/tags/v$($Version.TrimStart('v'))" }
    Get-Release $at (Join-Path $staging 'release.json')
    $release = Get-Content -Raw (Join-Path $staging 'release.json') | ConvertFrom-Json
    $found = $release.tag_name.TrimStart('v')
    if ($found -notmatch '^[0-9][0-9A-Za-z.+-]*$') { Stop-With "$at names no version that could be installed: ``$found``." }
    if ($Version -eq 'latest' -and ($found -match '-' -or $release.prerelease -or $release.draft)) { Stop-With "the newest release is said to be $found, which is a candidate or a draft; -Version $found installs it all the same." }
    if ($Version -ne 'latest' -and $found -ne $Version.TrimStart('v')) { Stop-With "$at is about $found, not $Version." }

    $name = "eventdbx-$found-win-x64"
    $archive = @($release.assets | Where-Object { $_.name -eq "$name.tar.gz" })
    $sums = @($release.assets | Where-Object { $_.name -eq 'SHA256SUMS' })
    if ($archive.Count -ne 1) { Stop-With "release $found has no programs for win-x64." }
    if ($sums.Count -ne 1) { Stop-With "release $found has no SHA256SUMS, so that what is downloaded could not be checked." }
    Write-Host "downloading EventDBX $found for win-x64..."
    $file = Join-Path $staging "$name.tar.gz"
    Get-Release $sums[0].browser_download_url (Join-Path $staging 'SHA256SUMS')
    Get-Release $archive[0].browser_download_url $file

    $lines = @(Get-Content (Join-Path $staging 'SHA256SUMS'))
    if ($lines[0] -cne "eventdbx v$found") { Stop-With "the checksums are not those of release ${found}: they begin with ``$($lines[0])``." }
    $wanted = @($lines | Where-Object { $_ -cmatch "^[0-9a-f]{64}  $([regex]::Escape("$name.tar.gz"))$" } | ForEach-Object { $_.Substring(0, 64) })
    if ($wanted.Count -ne 1) { Stop-With "SHA256SUMS of release $found has no checksum of $name.tar.gz, or more than one." }
    $actual = (Get-FileHash -Algorithm SHA256 $file).Hash.ToLowerInvariant()
    if ($actual -cne $wanted[0]) { Stop-With "$name.tar.gz is not what the release says it is. Its SHA-256 is $actual, not $($wanted[0]). Nothing was installed." }

    # Windows has had tar since 2018.
    & tar.exe -xzf $file -C $staging
    if ($LASTEXITCODE -ne 0) { Stop-With "$name.tar.gz cannot be unpacked." }
    $new = Join-Path $staging $name
    $says = & (Join-Path $new 'dbx.exe') --version
    if ($says -cne "eventdbx $found") { Stop-With "the new program says that it is ``$says``, not $found." }

    $place = Join-Path $library $found
    # What is there goes beside it, not into what is deleted in any case; and comes back where the new one cannot take its place, because
    # something still reads the program that was just started.
    $former = $null
    if (Test-Path $place) {
        $former = Join-Path $library ('.former.' + [IO.Path]::GetRandomFileName())
        Move-Item $place $former
    }
    try { Move-Item $new $place }
    catch {
        if ($former) { Move-Item $former $place }
        throw
    }
    if ($former) { Remove-Item -Recurse -Force $former -ErrorAction SilentlyContinue }
    # A file that names the folder: links need rights that not everybody has.
    foreach ($program in 'dbx', 'dbx-verify') {
        if (-not (Test-Path (Join-Path $place "$program.exe"))) { continue }
        $shim = Join-Path $bin "$program.cmd"
        Set-Content -Path "$shim.new" -Encoding ascii -Value "@`"%~dp0..\lib\eventdbx\$found\$program.exe`" %*"
        Move-Item -Force "$shim.new" $shim
    }
    Write-Host "EventDBX $found is installed: $(Join-Path $bin 'dbx.cmd')"
    if (($env:PATH -split ';') -notcontains $bin) { Write-Host "$bin is not in your PATH." }
}
finally {
    Remove-Item -Recurse -Force $staging
    # What was made for this and holds nothing goes again.
    foreach ($directory in @($made) | Sort-Object Length -Descending) {
        if (-not (Get-ChildItem -Force $directory)) { Remove-Item $directory }
    }
}
