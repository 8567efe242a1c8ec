using EventDbx.Recovery;
using EventDbx.Tests.Crash;

namespace EventDbx.Tests.Verification;

/// <summary>What became of a changed file.</summary>
internal enum TamperOutcome
{
    /// <summary>The open is refused, and not a byte is changed.</summary>
    Refused,

    /// <summary>Verify refuses.</summary>
    Found,

    /// <summary>No answer is another one.</summary>
    Harmless,

    Hole,

    /// <summary>Whoever kept a checkpoint from before sees it.</summary>
    Outside,
}

/// <summary>Changes of the files of a store that lies still.</summary>
internal static class TamperFiles
{
    static readonly TimeSpan CheckLimit = TimeSpan.FromSeconds(10);
    static readonly TimeSpan OpenLimit = TimeSpan.FromSeconds(60);

    public static void Flip(DirectoryImage image, string file, long at, int bit)
    {
        var content = File.ReadAllBytes(image.In(file));
        content[at] ^= (byte)(1 << bit);
        File.WriteAllBytes(image.In(file), content);
    }

    /// <summary>A copy of an open store, taken when RocksDB has done with its tables: it makes new ones and deletes old ones behind our back.</summary>
    public static async Task<DirectoryImage> CopyOpenAsync(string directory)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var files = Files(directory);
                await Task.Delay(200);
                var copy = DirectoryImage.Copy(directory);
                if (files == Files(directory) || attempt == 50)
                    return copy;
                copy.Dispose();
            }
            catch (IOException) when (attempt < 50)
            {
                // A table went away between the listing and the copy.
            }
        }
    }

    static string Files(string directory) => string.Join('\n', Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal));

    /// <summary>Changes a copy, opens it, verifies it, reads everything.</summary>
    public static async Task<(TamperOutcome What, string Detail)> JudgeAsync(TamperStore store, DirectoryImage original, Action<DirectoryImage> change, Func<Database, bool>? outside = null)
    {
        using var image = DirectoryImage.Copy(original.Path);
        change(image);
        var before = image.Fingerprint();
        var options = store.Options with { Directory = image.Path, Check = StoreCheck.InProcess, CheckLimit = CheckLimit };
        var opening = Task.Factory.StartNew(() => Database.Open(options), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            await using var database = await opening.WaitAsync(OpenLimit);
            return outside?.Invoke(database) == true ? (TamperOutcome.Outside, "") : Read(store, database);
        }
        catch (StoreRefusedException refused)
        {
            return image.Fingerprint() == before ? (TamperOutcome.Refused, refused.Message) : (TamperOutcome.Hole, $"refused, and changed the directory: {refused.Message}");
        }
        catch (TimeoutException)
        {
            return (TamperOutcome.Hole, "the open hangs");
        }
        catch (Exception cause)
        {
            return (TamperOutcome.Hole, cause.ToString());
        }
    }

    static (TamperOutcome, string) Read(TamperStore store, Database database)
    {
        string? found = null;
        try
        {
            database.OpenSession().VerifyAll(null, default);
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.IntegrityViolation)
        {
            found = refused.Message;
        }

        var answers = TamperAnswers.All(database);
        if (found is not null)
            return (TamperOutcome.Found, found);
        var difference = answers.Except(store.Answers).FirstOrDefault() ?? store.Answers.Except(answers).FirstOrDefault();
        return difference is null ? (TamperOutcome.Harmless, "") : (TamperOutcome.Hole, $"a wrong answer, and verify passes: {difference}");
    }
}
