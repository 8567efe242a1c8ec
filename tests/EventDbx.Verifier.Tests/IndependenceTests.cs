using EventDbx.Verifier.CommandLine;

namespace EventDbx.Verifier.Tests;

/// <summary>A verifier that rests on what it verifies proves nothing.</summary>
public sealed class IndependenceTests
{
    [Fact]
    public void The_program_knows_neither_the_engine_nor_a_network()
    {
        var known = typeof(Runner).Assembly.GetReferencedAssemblies().Select(assembly => assembly.Name!).ToArray();

        Assert.Contains("BouncyCastle.Cryptography", known);
        Assert.All(known, name => Assert.True(name is "BouncyCastle.Cryptography" || (name.StartsWith("System.", StringComparison.Ordinal) && !name.StartsWith("System.Net", StringComparison.Ordinal)), name));
    }
}
