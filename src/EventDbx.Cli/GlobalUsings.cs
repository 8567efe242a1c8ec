global using System.CommandLine;
global using EventDbx.Cli.Output;
global using EventDbx.Events;
global using EventDbx.Reading;
