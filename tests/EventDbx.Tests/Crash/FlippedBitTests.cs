using System.Globalization;
using EventDbx.Recovery;

namespace EventDbx.Tests.Crash;

/// <summary>Bits flipped in the files of an unclean store: harmless, or refused unchanged and then recovered.</summary>
[CiTier("It changes a store in every place, one after the other.")]
public sealed class FlippedBitTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task Any_flipped_bit_is_harmless_or_refused_unchanged_and_then_recovered(bool encrypted) => Effort.SeededAsync(async random =>
    {
        await using var live = await DeletedFileTests.SeveralLogsAndTablesAsync(encrypted);
        var answers = await live.AnswersAsync();
        using var whole = live.Image();
        // A bit of a table is found when its block is read: the tamper tests see to those.
        var files = whole.Files.Where(static f => DeletedFileTests.KindOf(f) is "MANIFEST" or "CURRENT" or ".log" or "watermark" or "OPTIONS" or "IDENTITY").ToArray();
        var refusals = 0;
        for (var left = Effort.Choose(8, 200, 5000); left > 0; left--)
        {
            using var image = live.Image();
            // Half of them in the MANIFEST: the file that hangs RocksDB, or makes it forget.
            var file = left % 2 == 0 ? files.First(static f => DeletedFileTests.KindOf(f) == "MANIFEST") : files[random.Next(files.Length)];
            Flip(image.In(file), random, out var at, out var bit);
            var before = image.Fingerprint();
            var options = live.Options with { Directory = image.Path, Check = Child.Check(), CheckLimit = TimeSpan.FromSeconds(5) };
            try
            {
                if (DeletedFileTests.Refusal(options, out var opened) is null)
                {
                    await using var database = opened!;
                    Assert.Equal(answers, await live.Content.AskAsync(database, live.Size));
                    continue;
                }

                Assert.Equal(before, image.Fingerprint());
                if (refusals++ % 4 == 0)
                    await RecoverInChildAsync(image, live);
            }
            catch (Exception cause)
            {
                throw new Xunit.Sdk.XunitException($"{file}, byte {at}, bit {bit}: {cause.Message}", cause);
            }
        }
    });

    /// <summary>In a child, for a store that hangs RocksDB would leave a busy thread behind in this process.</summary>
    static async Task RecoverInChildAsync(DirectoryImage image, LiveStore live)
    {
        using var child = Child.Start("recover", image.Path, live.Options.Key?.ToBase64() ?? "-");
        var (code, output, errors) = await child.EndAsync();
        Assert.True(code == 0, $"recover ended with {code}: {errors}");
        var words = output.TrimEnd().Split(' ', 3);
        ulong? expected = words[1].Length == 0 ? null : ulong.Parse(words[1], CultureInfo.InvariantCulture);
        var report = new RecoveryReport("", ulong.Parse(words[0], CultureInfo.InvariantCulture), expected, null, words[2]);
        await Recovered.CheckOutcomeAsync(live.Options with { Directory = image.Path }, live, report);
    }

    static void Flip(string path, Random random, out long at, out int bit)
    {
        using var file = File.OpenHandle(path, access: FileAccess.ReadWrite);
        at = random.NextInt64(RandomAccess.GetLength(file));
        bit = random.Next(8);
        var one = new byte[1];
        RandomAccess.Read(file, one, at);
        one[0] ^= (byte)(1 << bit);
        RandomAccess.Write(file, one, at);
    }
}
