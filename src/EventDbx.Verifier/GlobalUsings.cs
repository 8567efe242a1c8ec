global using EventDbx.Verifier.Hashing;
global using EventDbx.Verifier.Json;
global using EventDbx.Verifier.Notes;
global using EventDbx.Verifier.Output;
