using EventDbx.Server.Configuration;
using EventDbx.Server.Replication;

namespace EventDbx.Server.Tests.Replication;

/// <summary>The key pair of a node in its two files: made once, never written over, refused where it is not whole.</summary>
public sealed class NodeIdentityTests : IDisposable
{
    /// <summary>RFC 8032, section 7.1, test 1.</summary>
    const string Seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

    const string PublicOfSeed = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    readonly TemporaryDirectory _directory = new();

    string KeyPath => _directory["data/replication.key"];

    string PublicPath => _directory["data/replication.pub"];

    public void Dispose() => _directory.Dispose();

    void Put(byte[] seed, string? shown)
    {
        Directory.CreateDirectory(_directory["data"]);
        File.WriteAllBytes(KeyPath, seed);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(KeyPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        if (shown is not null)
            File.WriteAllText(PublicPath, shown);
    }

    [Fact]
    public void It_is_made_once_as_32_bytes_for_the_owner_alone_with_its_public_half_beside_it()
    {
        Assert.Null(NodeIdentity.Find(KeyPath));

        var made = NodeIdentity.ReadOrCreate(KeyPath);
        var seed = File.ReadAllBytes(KeyPath);
        var again = NodeIdentity.ReadOrCreate(KeyPath);

        Assert.Equal(32, seed.Length);
        Assert.Equal(43, File.ReadAllBytes(PublicPath).Length);
        Assert.Equal(made.Key.ToString(), File.ReadAllText(PublicPath));
        Assert.Equal((made.Key, KeyPath), (again.Key, again.Path));
        Assert.Equal(seed, File.ReadAllBytes(KeyPath));
        Assert.Equal(made.Key, NodeIdentity.Find(KeyPath)!.Key);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(KeyPath));
        Assert.Equal(["replication.key", "replication.pub"], Directory.GetFileSystemEntries(_directory["data"]).Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task Of_many_that_make_it_at_once_one_does_and_all_have_the_same()
    {
        var made = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => NodeIdentity.ReadOrCreate(KeyPath).Key.ToString(), TestContext.Current.CancellationToken)));

        Assert.Single(made.Distinct());
    }

    [Theory]
    [InlineData(null)]
    [InlineData(PublicOfSeed)]
    [InlineData(PublicOfSeed + "=\n")]
    public void The_public_half_is_that_of_the_seed_and_is_made_again_where_it_is_missing(string? shown)
    {
        Put(Convert.FromHexString(Seed), shown);

        Assert.Equal(PublicOfSeed, NodeIdentity.Find(KeyPath)!.Key.ToString());
        Assert.Equal(shown is not null, File.Exists(PublicPath));
        Assert.Equal(PublicOfSeed, NodeIdentity.ReadOrCreate(KeyPath).Key.ToString());
        Assert.Equal(shown ?? PublicOfSeed, File.ReadAllText(PublicPath));
    }

    [Theory]
    [InlineData("PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw", "it is SHA256:")] // RFC 8032, test 2
    [InlineData("garbage", "it holds no key")]
    [InlineData("", "it holds no key")]
    public void A_public_half_of_another_seed_is_refused_by_name_and_stays(string shown, string why)
    {
        Put(Convert.FromHexString(Seed), shown);

        var refused = Assert.Throws<RefusedException>(() => NodeIdentity.ReadOrCreate(KeyPath));

        Assert.StartsWith($"{PublicPath} is not the public half of {KeyPath}: {why}", refused.Message, StringComparison.Ordinal);
        Assert.Contains("SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8", refused.Message, StringComparison.Ordinal);
        Assert.Equal(shown, File.ReadAllText(PublicPath));
        Assert.Equal(refused.Message, NodeIdentity.ProblemOf(KeyPath));
        NodeIdentity.Ensure(KeyPath);
        Assert.Equal(shown, File.ReadAllText(PublicPath));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    [InlineData(33)]
    [InlineData(64)]
    public void A_seed_of_another_length_is_refused_and_left(int length)
    {
        Put(new byte[length], null);

        var refused = Assert.Throws<RefusedException>(() => NodeIdentity.ReadOrCreate(KeyPath));

        Assert.StartsWith($"invalid replication key length at {KeyPath}: it has {length} bytes", refused.Message, StringComparison.Ordinal);
        NodeIdentity.Ensure(KeyPath);
        Assert.Equal(length, File.ReadAllBytes(KeyPath).Length);
        Assert.False(File.Exists(PublicPath));
    }

    [Fact]
    public void Where_only_the_public_half_is_left_no_other_seed_is_made()
    {
        Put([], PublicOfSeed);
        File.Delete(KeyPath);

        var refused = Assert.Throws<RefusedException>(() => NodeIdentity.ReadOrCreate(KeyPath));

        Assert.Contains("put the seed back", refused.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(KeyPath));
        File.Delete(PublicPath);
        Assert.NotEqual(PublicOfSeed, NodeIdentity.ReadOrCreate(KeyPath).Key.ToString());
    }

    [Theory]
    [InlineData(UnixFileMode.GroupRead)]
    [InlineData(UnixFileMode.OtherRead)]
    [InlineData(UnixFileMode.GroupWrite)]
    public void A_seed_that_others_may_read_or_change_is_refused(UnixFileMode others)
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Windows has no file modes.");
            return;
        }

        Put(Convert.FromHexString(Seed), null);
        File.SetUnixFileMode(KeyPath, UnixFileMode.UserRead | UnixFileMode.UserWrite | others);

        var refused = Assert.Throws<RefusedException>(() => NodeIdentity.ReadOrCreate(KeyPath));

        Assert.Contains("chmod 600 replication.key", refused.Message, StringComparison.Ordinal);
        File.SetUnixFileMode(KeyPath, UnixFileMode.UserRead);
        Assert.Equal(PublicOfSeed, NodeIdentity.ReadOrCreate(KeyPath).Key.ToString());
    }

    [Theory]
    [InlineData("replication.key", "data/replication.key", "data/replication.pub")]
    [InlineData("keys/node", "data/keys/node", "data/keys/node.pub")]
    [InlineData("/elsewhere/id.seed", "/elsewhere/id.seed", "/elsewhere/id.pub")]
    public void Its_path_is_relative_to_the_data_directory_unless_it_is_absolute(string setting, string path, string publicPath)
    {
        if (OperatingSystem.IsWindows() && setting[0] == '/')
            return;
        var found = NodeIdentity.PathOf(new() { DataDir = _directory["data"], ReplicationIdentityKey = setting });

        Assert.Equal((Path.GetFullPath(path, _directory.Path), Path.GetFullPath(publicPath, _directory.Path)), (found, NodeIdentity.PublicPathOf(found)));
    }

    [Theory]
    [InlineData("id.pub")]
    [InlineData("ID.PUB")]
    [InlineData("keys/")]
    public void A_path_that_leaves_the_public_half_no_name_is_refused(string path)
    {
        var file = _directory.Write("config.toml", $"[replication]\nidentity_key = \"{path}\"\n");

        var refused = Assert.Throws<ConfigException>(() => ConfigFile.Load(file, _directory.Path, null, TimeProvider.System));

        Assert.StartsWith($"{file}, line 2: `replication.identity_key` must be the path of a file", refused.Message, StringComparison.Ordinal);
    }
}
