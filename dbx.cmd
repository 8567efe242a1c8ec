@echo off
rem Runs EventDBX from this checkout: builds when a source is newer than the last build, then runs dbx.
setlocal
powershell -NoProfile -ExecutionPolicy Bypass -File "%~dp0tools\build-when-newer.ps1" || exit /b 1
"%~dp0artifacts\bin\EventDbx.Cli\release\dbx.exe" %*
exit /b %ERRORLEVEL%
