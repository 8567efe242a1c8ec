@echo off
rem Restores, builds and runs the tests. Needs the .NET 10 SDK.
setlocal
dotnet test --solution "%~dp0EventDbx.slnx" -c Release %*
exit /b %ERRORLEVEL%
