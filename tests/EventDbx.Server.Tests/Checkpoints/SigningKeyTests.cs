using System.Text;
using EventDbx.Checkpoints;
using EventDbx.Integrity;
using EventDbx.Server.Checkpoints;
using NSec.Cryptography;

namespace EventDbx.Server.Tests.Checkpoints;

public sealed class SigningKeyTests : IDisposable
{
    const string Origin = "example.com/behind-the-sofa";

    readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    /// <summary>RFC 8032 section 7.1, TEST 1 to 3 and TEST 1024: seed, public key, message, signature.</summary>
    public static TheoryData<string, string, string, string> Vectors => new()
    {
        {
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        },
        {
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        },
        {
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        },
    };

    [Theory]
    [MemberData(nameof(Vectors))]
    public void Signatures_are_those_of_RFC_8032(string seed, string publicKey, string message, string signature)
    {
        using var key = SigningKey.Of("k", NoteAlgorithm.Signature, Convert.FromHexString(seed));
        var vkey = key.Public.ToString();
        Assert.Equal($"01{publicKey}", Convert.ToHexStringLower(Convert.FromBase64String(vkey[(vkey.IndexOf('+', 2) + 1)..])));

        // The texts of notes are text; what is signed under them is the scheme itself.
        using var raw = Key.Import(SignatureAlgorithm.Ed25519, Convert.FromHexString(seed), KeyBlobFormat.RawPrivateKey);
        Assert.Equal(signature, Convert.ToHexStringLower(SignatureAlgorithm.Ed25519.Sign(raw, Convert.FromHexString(message))));
        var text = Encoding.UTF8.GetString(Convert.FromHexString(message));
        if (message is "" or "72")
            Assert.Equal(signature, Convert.ToHexStringLower(key.Sign("k", text).Bytes));
    }

    [Fact]
    public void A_signature_is_good_under_its_name_and_text_and_no_other()
    {
        using var key = NewKey(NoteAlgorithm.Signature);
        var text = new Checkpoint(Origin, 7, Hash32.Empty).Text();
        var note = SignedNote.Of(text, [key.Sign(Origin, text)]);

        Assert.True(key.Verifies(Origin, note));
        Assert.False(key.Verifies(Origin + "/e2", note));
        Assert.False(key.Verifies(Origin, SignedNote.Of(text.Replace("7", "8", StringComparison.Ordinal), note.Signatures)));
        using var other = NewKey(NoteAlgorithm.Signature);
        Assert.False(other.Verifies(Origin, note));
        var cut = note.Signatures[0] with { Bytes = note.Signatures[0].Bytes[..63] };
        Assert.False(key.Verifies(Origin, SignedNote.Of(text, [cut])));
        for (var bit = 0; bit < 512; bit++)
        {
            var bytes = note.Signatures[0].Bytes.ToArray();
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(key.Verifies(Origin, SignedNote.Of(text, [note.Signatures[0] with { Bytes = bytes }])));
        }
    }

    [Fact]
    public void A_good_signature_counts_among_others_of_the_same_name()
    {
        using var key = NewKey(NoteAlgorithm.Signature);
        using var older = NewKey(NoteAlgorithm.Signature);
        var text = new Checkpoint(Origin, 7, Hash32.Empty).Text();
        Assert.True(key.Verifies(Origin, SignedNote.Of(text, [older.Sign(Origin, text), key.Sign(Origin, text)])));
    }

    [Fact]
    public void A_cosignature_is_good_for_its_time_and_text_and_no_other()
    {
        using var key = NewKey(NoteAlgorithm.Cosignature);
        var text = new Checkpoint(Origin, 7, Hash32.Empty).Text();
        var cosignature = key.Cosign(text, DateTimeOffset.FromUnixTimeSeconds(1679315147));

        Assert.Equal("00000000641850cb", Convert.ToHexStringLower(cosignature.Bytes.AsSpan(0, 8)));
        Assert.NotNull(key.Public.GoodOf(text, [cosignature]));
        Assert.Null(key.Public.GoodOf(text.Replace("7", "8", StringComparison.Ordinal), [cosignature]));
        var later = cosignature.Bytes.ToArray();
        later[7]++;
        Assert.Null(key.Public.GoodOf(text, [cosignature with { Bytes = later }]));
        // A signature of the same key over the text alone says nothing about a time.
        Assert.Null(key.Public.GoodOf(text, [key.Sign(key.Public.Name, text)]));
    }

    [Fact]
    public void The_checkpoint_of_the_specification_verifies_with_its_cosignature()
    {
        // C2SP tlog-cosignature; the key ids are those of the example's keys, which are not published: the form is what is read.
        var note = """
            example.com/behind-the-sofa
            20852163
            CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

            — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
            — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==

            """.ReplaceLineEndings("\n");
        Assert.True(SignedNote.TryParse(Encoding.UTF8.GetBytes(note), out var read));
        Assert.Equal(note, read.ToString());
        Assert.Equal((64, 72), (read.Signatures[0].Bytes.Length, read.Signatures[1].Bytes.Length));
    }

    [Fact]
    public void The_vkey_of_the_specification_is_read_and_written_as_it_is()
    {
        // Of the Go checksum database: name, id and key as its clients have them built in.
        const string vkey = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
        Assert.True(NoteKey.TryParse(vkey, out var key, out _));
        Assert.Equal(("sum.golang.org", 0x033de0aeu, NoteAlgorithm.Signature, vkey), (key.Name, key.Id, key.Algorithm, key.ToString()));
    }

    [Theory]
    [InlineData("sum.golang.org+033de0af+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8", "its id is not that")]
    [InlineData("sum.golang.com+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8", "its id is not that")]
    [InlineData("sum.golang.org+033DE0AE+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8", "its id is not that")]
    [InlineData("sum.golang.org+033de0ae+As4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8", "its algorithm is 02")]
    [InlineData("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuA==", "has 32 bytes")]
    [InlineData("sum.golang.org+033de0ae", "it is not `name+8 hex digits+base64`")]
    [InlineData("sum golang+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8", "it is not `name+8 hex digits+base64`")]
    [InlineData("", "it is not `name+8 hex digits+base64`")]
    public void A_vkey_that_is_none_is_refused_with_the_reason(string text, string why)
    {
        Assert.False(NoteKey.TryParse(text, out _, out var said));
        Assert.Contains(why, said, StringComparison.Ordinal);
    }

    [Fact]
    public void The_key_of_a_log_is_made_once_for_its_owner_only_and_serves_every_origin()
    {
        using var made = KeyFile.OfLog(_directory.Path);
        using var again = KeyFile.OfLog(_directory.Path);
        Assert.Equal(made.VerifierKey("a/e2"), again.VerifierKey("a/e2"));
        Assert.NotEqual(made.VerifierKey("a"), made.VerifierKey("a/e2"));
        Assert.Equal(made.VerifierKey("a").Split('+', 3)[2], made.VerifierKey("a/e2").Split('+', 3)[2]);
        Assert.StartsWith("PRIVATE+KEY+eventdbx-checkpoints+", File.ReadAllText(_directory[KeyFile.LogFileName]), StringComparison.Ordinal);
        Assert.Equal([KeyFile.LogFileName], Directory.GetFiles(_directory.Path).Select(Path.GetFileName));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_directory[KeyFile.LogFileName]));
    }

    [Fact]
    public async Task Many_who_make_the_key_at_once_go_on_with_the_same_one()
    {
        var keys = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() =>
        {
            using var key = KeyFile.OfLog(_directory.Path);
            return key.VerifierKey("k");
        })));
        Assert.Single(keys.Distinct());
        Assert.Single(Directory.GetFiles(_directory.Path));
    }

    [Theory]
    [InlineData("")]
    [InlineData("not a key\n")]
    [InlineData("CUT")]
    [InlineData("NO NEWLINE")]
    [InlineData("OTHER NAME")]
    [InlineData("COSIGNATURE")]
    [InlineData("TWICE")]
    public void A_key_file_that_is_none_is_refused_and_stays_as_it_is(string kind)
    {
        var good = SigningKey.NewText(SigningKey.LogName, NoteAlgorithm.Signature);
        var content = kind switch
        {
            "CUT" => good[..^6] + "\n",
            "NO NEWLINE" => good.TrimEnd(),
            "OTHER NAME" => good.Replace(SigningKey.LogName, "another", StringComparison.Ordinal),
            "COSIGNATURE" => SigningKey.NewText(SigningKey.LogName, NoteAlgorithm.Cosignature),
            "TWICE" => good + good,
            _ => kind,
        };
        WriteOwn(content);
        var refused = Assert.Throws<RefusedException>(() => KeyFile.OfLog(_directory.Path));
        Assert.Equal(RefusalCode.Unavailable, refused.Refusal.Code);
        Assert.Contains(KeyFile.LogFileName, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(_directory.Path, refused.Message, StringComparison.Ordinal);
        Assert.Equal(content, File.ReadAllText(_directory[KeyFile.LogFileName]));
        WriteOwn(good);
        KeyFile.OfLog(_directory.Path).Dispose();
    }

    [Theory]
    [InlineData(UnixFileMode.GroupRead)]
    [InlineData(UnixFileMode.OtherRead)]
    [InlineData(UnixFileMode.OtherWrite)]
    public void A_key_file_that_others_may_open_is_refused_with_what_to_do(UnixFileMode more)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Modes are of Unix.");
        KeyFile.OfLog(_directory.Path).Dispose();
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_directory[KeyFile.LogFileName], UnixFileMode.UserRead | UnixFileMode.UserWrite | more);
        Assert.Contains("chmod 600 checkpoint.key", Assert.Throws<RefusedException>(() => KeyFile.OfLog(_directory.Path)).Message, StringComparison.Ordinal);
    }

    static SigningKey NewKey(NoteAlgorithm algorithm) =>
        SigningKey.Parse(SigningKey.NewText("w", algorithm), algorithm)!;

    void WriteOwn(string content)
    {
        _directory.Write(KeyFile.LogFileName, content);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_directory[KeyFile.LogFileName], UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}
