global using EventDbx.Cli.Output;
global using EventDbx.Server.Configuration;
global using EventDbx.TestKit;
global using Xunit;
