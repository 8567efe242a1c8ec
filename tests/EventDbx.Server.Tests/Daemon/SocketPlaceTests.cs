using EventDbx.Server.Daemon;

namespace EventDbx.Server.Tests.Daemon;

public sealed class SocketPlaceTests : IDisposable
{
    readonly TemporaryDirectory _directory = new();

    public SocketPlaceTests() => Assert.SkipWhen(OperatingSystem.IsWindows(), "The limit is that of Unix.");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void It_lies_in_the_data_directory_as_long_as_its_path_fits()
    {
        var room = SocketPlace.BytesMax - "/dbx.sock".Length;
        var fits = "/" + new string('d', room - 1);

        Assert.Equal(fits + "/dbx.sock", SocketPlace.For(fits, _ => null));
        Assert.NotEqual(fits + "d/dbx.sock", SocketPlace.For(fits + "d", _ => null));
        // Bytes count, not characters.
        Assert.NotEqual($"/{new string('ü', room / 2)}/dbx.sock", SocketPlace.For($"/{new string('ü', room / 2)}", _ => null));
    }

    [Fact]
    public void Otherwise_it_lies_in_a_directory_of_this_user_alone_below_the_runtime_directory()
    {
        var path = SocketPlace.For("/" + new string('d', 200), name => name == "XDG_RUNTIME_DIR" ? _directory.Path : null);

        Assert.Equal(_directory["eventdbx"], Path.GetDirectoryName(path));
        Assert.Matches("^[0-9a-f]{16}\\.sock$", Path.GetFileName(path));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_directory["eventdbx"]));
        Assert.NotEqual(path, SocketPlace.For("/" + new string('e', 200), name => name == "XDG_RUNTIME_DIR" ? _directory.Path : null));
    }

    [Theory, InlineData(null), InlineData("relative"), InlineData("/there/is/no/such/directory")]
    public void Without_a_usable_runtime_directory_it_lies_below_tmp(string? runtime) =>
        Assert.StartsWith("/tmp/eventdbx-", SocketPlace.For("/" + new string('d', 200), _ => runtime), StringComparison.Ordinal);

    [Fact]
    public void A_link_or_a_file_in_that_place_is_refused()
    {
        Directory.CreateDirectory(_directory["elsewhere"]);
        File.CreateSymbolicLink(_directory["eventdbx"], _directory["elsewhere"]);
        var linked = Assert.Throws<DaemonException>(() => SocketPlace.For("/" + new string('d', 200), _ => _directory.Path));
        File.Delete(_directory["eventdbx"]);
        _directory.Write("eventdbx", "");
        var file = Assert.Throws<DaemonException>(() => SocketPlace.For("/" + new string('d', 200), _ => _directory.Path));

        Assert.Contains("it belongs to somebody else, or is a link", linked.Message, StringComparison.Ordinal);
        Assert.Contains(_directory["eventdbx"], file.Message, StringComparison.Ordinal);
    }
}
