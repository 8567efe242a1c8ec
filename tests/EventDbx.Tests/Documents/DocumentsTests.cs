using System.Text;
using EventDbx.Documents;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Documents;

public sealed class DocumentsTests
{
    const string Name = "tokens.json";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_document_is_replaced_whole_and_only_when_nobody_else_was_faster(bool encrypted)
    {
        using var store = new TestStore();
        await using (var database = store.Open(encrypted))
        {
            var absent = database.Documents.Read(Name);
            Assert.Null(absent.Content);
            Assert.True(database.Documents.TryReplace(Name, "[1]"u8, absent));
            Assert.False(database.Documents.TryReplace(Name, "[2]"u8, absent));
            Assert.True(database.Documents.TryReplace(Name, "[3]"u8, database.Documents.Read(Name)));
        }

        await using var again = store.Open(encrypted);
        Assert.Equal("[3]", Encoding.UTF8.GetString(again.Documents.Read(Name).Content!));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(store.Directory, Name)));
    }

    [Fact]
    public async Task In_an_encrypted_store_nothing_of_it_can_be_read_and_it_opens_only_under_its_name()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        database.Documents.TryReplace(Name, "\"a secret of some length\""u8, database.Documents.Read(Name));
        var path = Path.Combine(store.Directory, Name);

        Assert.DoesNotContain("secret", File.ReadAllText(path), StringComparison.Ordinal);
        File.Copy(path, Path.Combine(store.Directory, "plugins.json"));
        Refused(database, "plugins.json");
    }

    [Fact]
    public async Task Any_changed_byte_of_a_sealed_document_is_refused()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        database.Documents.TryReplace(Name, "[1]"u8, database.Documents.Read(Name));
        var path = Path.Combine(store.Directory, Name);
        var sound = File.ReadAllBytes(path);
        for (var at = 0; at < sound.Length - 1; at++)
        {
            var changed = (byte[])sound.Clone();
            changed[at] ^= 1;
            File.WriteAllBytes(path, changed);
            Refused(database, Name);
        }
    }

    [Fact]
    public async Task A_plain_document_in_place_of_a_sealed_one_is_refused_and_so_is_the_reverse()
    {
        using var store = new TestStore();
        await using (var database = store.Open())
        {
            File.WriteAllText(Path.Combine(store.Directory, Name), "[]");
            Refused(database, Name);
            database.Documents.TryReplace("staged_events.json", "[]"u8, database.Documents.Read("staged_events.json"));
        }

        using var plain = new TestStore();
        await using var other = plain.Open(encrypted: false);
        File.Copy(Path.Combine(store.Directory, "staged_events.json"), Path.Combine(plain.Directory, "staged_events.json"));
        Refused(other, "staged_events.json");
    }

    [Fact]
    public async Task Schemas_are_plain_everywhere()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        database.Documents.TryReplace("schemas.json", "[]"u8, database.Documents.Read("schemas.json"));
        Assert.Equal("[]", File.ReadAllText(Path.Combine(store.Directory, "schemas.json")));
    }

    static void Refused(Database database, string name)
    {
        var refused = Assert.Throws<RefusedException>(() => database.Documents.Read(name));
        Assert.Equal(RefusalCode.IntegrityViolation, refused.Refusal.Code);
        Assert.Contains(name, refused.Message, StringComparison.Ordinal);
    }
}
