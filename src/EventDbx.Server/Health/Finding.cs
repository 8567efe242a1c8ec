namespace EventDbx.Server.Health;

/// <summary>How much a finding matters.</summary>
public enum Severity
{
    /// <summary>As it should be, or as it was chosen.</summary>
    Ok,

    /// <summary>It works; somebody should know.</summary>
    Warning,

    /// <summary>It does not work, or it gives away what is secret.</summary>
    Problem,
}

/// <summary>One thing that was looked at.</summary>
/// <param name="Severity">How much it matters.</param>
/// <param name="Check">What was looked at: <c>files</c>, <c>exposure</c>, <c>key</c>, <c>tokens</c> …</param>
/// <param name="Found">A sentence, without secrets.</param>
/// <param name="Advice">What to do; null where there is nothing to do.</param>
public sealed record Finding(Severity Severity, string Check, string Found, string? Advice = null);

/// <summary>What a look at an installation has found, in the order in which it was looked at.</summary>
public sealed class Findings
{
    readonly List<Finding> _all = [];

    public IReadOnlyList<Finding> All => _all;

    public int CountOf(Severity severity) => _all.Count(finding => finding.Severity == severity);

    public void Ok(string check, string found) => _all.Add(new(Severity.Ok, check, found));

    public void Warn(string check, string found, string advice) => _all.Add(new(Severity.Warning, check, found, advice));

    public void Problem(string check, string found, string advice) => _all.Add(new(Severity.Problem, check, found, advice));
}
