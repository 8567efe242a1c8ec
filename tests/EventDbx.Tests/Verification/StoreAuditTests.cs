using EventDbx.Recovery;
using EventDbx.Storage;
using EventDbx.Tests.Crash;
using EventDbx.Tests.Engine;
using EventDbx.Verification;

namespace EventDbx.Tests.Verification;

/// <summary>A verify without the key: what it checks, what it leaves, and that it says so.</summary>
[CiTier("It changes a store in every place, one after the other.")]
public sealed class StoreAuditTests
{
    [Fact]
    public async Task An_encrypted_store_passes_without_its_key_and_not_a_byte_is_changed()
    {
        await using var store = await TamperStore.SmallAsync(encrypted: true);
        var known = store.Database.OpenSession().VerifyAll(null, default);
        await store.CloseAsync();
        using var image = DirectoryImage.Copy(store.Directory);
        var before = image.Fingerprint();
        var result = Audit(image.Path);
        Assert.False(result.PayloadsChecked);
        Assert.Equal(known with { PayloadsChecked = false, CheckpointSignaturesChecked = false, Elapsed = result.Elapsed }, result);
        Assert.Equal(before, image.Fingerprint());
    }

    [Fact]
    public async Task A_plain_store_needs_no_key_and_everything_is_checked()
    {
        await using var store = await TamperStore.SmallAsync(encrypted: false);
        await store.CloseAsync();
        Assert.True(Audit(store.Directory).PayloadsChecked);
    }

    [Fact]
    public async Task A_store_that_was_killed_passes_and_stays_as_it_is()
    {
        await using var store = await TamperStore.LongAsync(encrypted: true);
        using var image = DirectoryImage.Copy(store.Directory);
        var before = image.Fingerprint();
        Assert.Equal(store.Database.LogRoot, Audit(image.Path).LogRoot);
        Assert.Equal(before, image.Fingerprint());
    }

    [Fact]
    public async Task One_that_is_open_missing_or_changed_on_disk_is_refused()
    {
        await using var store = await TamperStore.SmallAsync(encrypted: true);
        Assert.True(Assert.Throws<StoreRefusedException>(() => Audit(store.Directory)).InUse);
        await store.CloseAsync();
        using var image = DirectoryImage.Copy(store.Directory);
        Assert.Contains("There is no store", Assert.Throws<StoreRefusedException>(() => Audit(Path.Combine(image.Path, "elsewhere"))).Message, StringComparison.Ordinal);
        await File.AppendAllTextAsync(Path.Combine(image.Store, "CURRENT"), "x");
        Assert.Contains("was changed since it was closed", Assert.Throws<StoreRefusedException>(() => Audit(image.Path)).Message, StringComparison.Ordinal);
    }

    /// <summary>Every change of a row that a verify with the key finds: without it, it is found too, or it is one of what is sealed.</summary>
    [Fact]
    public Task What_is_found_without_the_key_is_found_with_it_and_what_is_not_is_what_is_sealed() => Effort.SeededAsync(async random =>
    {
        await using var store = await TamperStore.SmallAsync(encrypted: true);
        var without = store.Database.VerifySource with { Keyring = null, Documents = null };
        var (both, sealedOnly) = (0, new SortedDictionary<string, int>(StringComparer.Ordinal));
        var cells = new TamperCells(store, random).OfRows(Effort.Choose(3, 20, 200), Effort.Choose(6, 20, 400))
            .Concat(new TamperForgeries(store, random).ForgedStates()).Concat(new TamperForgeries(store, random).Exchanged());
        foreach (var cell in cells)
        {
            var (with, blind) = store.With(cell.Writes, () => (Found(store.Database.VerifySource with { Documents = null }), Found(without)));
            Assert.False(with is null && blind is not null, $"{cell}: found without the key only: {blind}");
            if (with is not null && blind is not null)
                both++;
            if (with is null || blind is not null)
                continue;
            var family = cell.Family;
            Assert.True(family is Family.Log or Family.State or Family.Archive or Family.Snapshots or Family.Ids or Family.Heads or Family.Meta, $"{cell}: {with}");
            sealedOnly[$"{Families.NameOf(family)} × {cell.Operation}"] = sealedOnly.GetValueOrDefault($"{Families.NameOf(family)} × {cell.Operation}") + 1;
        }

        Assert.True(both > 100);
        // Bits of sealed bodies, at least, are not seen.
        Assert.True(sealedOnly.ContainsKey("log × flip a bit, new checksum"));
        TestContext.Current.TestOutputHelper?.WriteLine($"{both} found with and without the key; with it only:\n{string.Join('\n', sealedOnly.Select(of => $"  {of.Key} ({of.Value})"))}");
    });

    static VerifyAllResult Audit(string directory) => StoreAudit.Run(
        new() { Directory = directory, LockTimeout = TimeSpan.Zero, Check = StoreCheck.InProcess }, null, default);

    static string? Found(VerifySource source)
    {
        try
        {
            StoreVerifier.Run(source, resume: false, null, default);
            return null;
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.IntegrityViolation)
        {
            return refused.Message;
        }
    }
}
