namespace EventDbx.Tests.Storage;

/// <summary>A planner that does what the test says, on a log size the test can get wrong.</summary>
internal sealed class Scripted(Action<IStorageView, WritePlan> script, ulong believedLogSize = 0, ulong trueLogSize = 0)
    : IGroupPlanner
{
    public ulong Believed { get; set; } = believedLogSize;

    public int Plans { get; private set; }

    public int Forgotten { get; private set; }

    public void Plan(IStorageView view, WritePlan plan)
    {
        Plans++;
        script(view, plan);
        (plan.BaseLogSize, plan.LogSize) = (Believed, Believed + 1);
    }

    public void Forget()
    {
        Forgotten++;
        Believed = trueLogSize;
    }
}

/// <summary>Commits what a test wants written, keeping count of the log size.</summary>
internal sealed class Writer(IStorageEngine engine)
{
    public ulong LogSize { get; private set; }

    public void Commit(Action<WritePlan> script, bool sync = true)
    {
        engine.Commit(new Scripted((_, plan) => script(plan), LogSize), sync);
        LogSize++;
    }

    public void Put(Family family, string key, string value, bool sync = true) =>
        Commit(plan => plan.Put(family, Bytes(key), Bytes(value)), sync);

    public static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}

internal static class ViewText
{
    /// <summary>The value as text, or null.</summary>
    public static string? Text(this IStorageView view, Family family, string key) =>
        view.Get(family, Writer.Bytes(key)) is { } value ? Encoding.UTF8.GetString(value) : null;
}

/// <summary>A directory of one test's own, gone with it.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("eventdbx-").FullName;

    public string Under(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose()
    {
        if (Directory.Exists(Path))
            Directory.Delete(Path, recursive: true);
    }
}
