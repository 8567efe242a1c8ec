global using System.CommandLine;
global using EventDbx.Cli.Output;
