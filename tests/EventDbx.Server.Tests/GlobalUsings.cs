global using EventDbx.Access;
global using EventDbx.Events;
global using EventDbx.Server;
global using EventDbx.TestKit;
global using Xunit;
