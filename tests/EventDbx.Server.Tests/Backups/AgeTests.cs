using System.Diagnostics;
using System.Text;
using EventDbx.Server.Backups;
using EventDbx.TestKit;

namespace EventDbx.Server.Tests.Backups;

/// <summary>Archives in the format of age: what we write age opens, and the other way round; and whatever was changed is found.</summary>
public sealed class AgeTests : IDisposable
{
    const string Passphrase = "correct horse battery";

    /// <summary>Guesses may be cheap here.</summary>
    const int WorkFactor = 4;

    readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("pleaseletmein", "SodiumChloride", 14, "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887")]
    public void Scrypt_is_that_of_rfc_7914(string passphrase, string salt, int workFactor, string expected)
    {
        var key = new byte[64];
        Scrypt.Derive(Encoding.ASCII.GetBytes(passphrase), Encoding.ASCII.GetBytes(salt), workFactor, key);
        Assert.Equal(expected, Convert.ToHexStringLower(key));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65_535)]
    [InlineData(65_536)]
    [InlineData(65_537)]
    [InlineData(131_072)]
    [InlineData(200_000)]
    public void What_was_encrypted_is_decrypted_and_cut_at_any_chunk_it_is_not(int length)
    {
        var content = Content(length);
        var file = Encrypt(content);
        Assert.Equal(content, Decrypt(file));
        for (var end = file.Length - 1; end >= 0; end -= end % 16_384 is 0 or > 200 ? Math.Max(1, end % 16_384) : 1)
            Refused(file[..end]);
        Refused([.. file, 0]);
    }

    [Fact]
    public void A_bit_flipped_anywhere_is_found()
    {
        var file = Encrypt(Content(100));
        for (var bit = 0; bit < file.Length * 8; bit++)
        {
            var flipped = (byte[])file.Clone();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            // A digit of the work factor may come to ask for minutes.
            if (Encoding.Latin1.GetString(flipped.AsSpan(0, 80)).Contains($" {WorkFactor}\n", StringComparison.Ordinal))
                Refused(flipped);
        }
    }

    [Fact]
    public void Chunks_in_another_order_or_one_twice_are_found()
    {
        var content = Content(200_000);
        var file = Encrypt(content);
        var header = file.Length - content.Length - (4 * AgeChunk.TagBytes);
        var chunk = AgeChunk.Bytes + AgeChunk.TagBytes;
        Refused([.. file[..header], .. file[(header + chunk)..(header + (2 * chunk))], .. file[header..(header + chunk)], .. file[(header + (2 * chunk))..]]);
        Refused([.. file[..(header + chunk)], .. file[header..]]);
        Refused([.. file[..header], .. file[(header + chunk)..]]);
    }

    [Fact]
    public void Another_passphrase_does_not_open_it_and_says_so()
    {
        var refused = Assert.Throws<RefusedException>(() => new AgeReader(new MemoryStream(Encrypt(Content(10))), "another one"));
        Assert.Equal(RefusalCode.InvalidArgument, refused.Refusal.Code);
        Assert.Contains("passphrase does not open", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(" 4\n", " 21\n", RefusalCode.InvalidArgument, "at most 20")]
    [InlineData(" 4\n", " 04\n", RefusalCode.IntegrityViolation, "cannot be read")]
    [InlineData(" 4\n", " 0\n", RefusalCode.IntegrityViolation, "cannot be read")]
    [InlineData(" 4\n", " 4 4\n", RefusalCode.IntegrityViolation, "cannot be read")]
    [InlineData("-> scrypt ", "-> X25519 ", RefusalCode.InvalidArgument, "encrypted to a key")]
    [InlineData(".org/v1\n", ".org/v2\n", RefusalCode.IntegrityViolation, "age-encryption.org/v1 is read here")]
    public void A_header_that_asks_for_something_else_is_refused_before_any_work(string from, string to, RefusalCode code, string why)
    {
        var text = Encoding.Latin1.GetString(Encrypt(Content(10)));
        var at = text.IndexOf(from, StringComparison.Ordinal);
        var changed = Encoding.Latin1.GetBytes(text[..at] + to + text[(at + from.Length)..]);
        var refused = Assert.Throws<RefusedException>(() => new AgeReader(new MemoryStream(changed), Passphrase));
        Assert.Equal(code, refused.Refusal.Code);
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
    }

    [CiTier("age takes its time for each passphrase.")]
    [Fact]
    public void A_file_that_age_has_made_is_read()
    {
        using var file = File.OpenRead(Path.Combine(Checkout.Root, "tests", "testdata", "age", "by-age-1.1.1.age"));
        using var opened = new AgeReader(file, Passphrase);
        using var text = new StreamReader(opened);
        Assert.Equal("made by age\n", text.ReadToEnd());
    }

    [Fact]
    public async Task Age_opens_what_we_make()
    {
        if (Find("age") is null || Find("python3") is null)
            Assert.Skip("age or python3 is not installed: tools/install-backup-prerequisites.sh");
        var content = Content(150_000);
        await File.WriteAllBytesAsync(_directory["ours.age"], Encrypt(content), TestContext.Current.CancellationToken);
        using var age = Process.Start(new ProcessStartInfo(
            "python3", [Path.Combine(Checkout.Root, "tests", "testdata", "age", "typed.py"), Passphrase, "age", "-d", "-o", _directory["plain"], _directory["ours.age"]]) { RedirectStandardError = true })!;
        var said = await age.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await age.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(age.ExitCode == 0, said);
        Assert.Equal(content, await File.ReadAllBytesAsync(_directory["plain"], TestContext.Current.CancellationToken));
    }

    static string? Find(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(directory => Path.Combine(directory, program)).FirstOrDefault(File.Exists);

    static byte[] Content(int length)
    {
        var content = new byte[length];
        new Random(1).NextBytes(content);
        return content;
    }

    static byte[] Encrypt(byte[] content)
    {
        using var file = new MemoryStream();
        using var age = new AgeWriter(file, Passphrase, WorkFactor);
        age.Write(content.AsSpan(0, content.Length / 3));
        age.Write(content.AsSpan(content.Length / 3));
        age.Finish();
        return file.ToArray();
    }

    static byte[] Decrypt(byte[] file)
    {
        using var age = new AgeReader(new MemoryStream(file), Passphrase);
        using var content = new MemoryStream();
        age.CopyTo(content);
        return content.ToArray();
    }

    static void Refused(byte[] file) => Assert.Contains(
        Assert.Throws<RefusedException>(() => Decrypt(file)).Refusal.Code, (RefusalCode[])[RefusalCode.IntegrityViolation, RefusalCode.InvalidArgument]);
}
