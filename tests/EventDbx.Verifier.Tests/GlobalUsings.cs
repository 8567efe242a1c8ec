global using EventDbx.TestKit;
global using EventDbx.Verifier.Hashing;
global using EventDbx.Verifier.Notes;
global using EventDbx.Verifier.Output;
global using EventDbx.Verifier.Tests.Model;
global using Xunit;
