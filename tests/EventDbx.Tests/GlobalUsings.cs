global using System.Text;

global using EventDbx.Events;
global using EventDbx.Storage;
global using Xunit;
global using FakeSigner = EventDbx.CrashWriter.FakeSigner;
