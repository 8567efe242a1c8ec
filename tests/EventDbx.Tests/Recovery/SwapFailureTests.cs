using EventDbx.Recovery;
using EventDbx.Storage;
using EventDbx.Tests.Crash;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Recovery;

/// <summary>An exchange of stores that cannot be brought to its end is taken back, and nothing is deleted that somebody may still need.</summary>
[CiTier("It changes a store in every place, one after the other.")]
public sealed class SwapFailureTests : IDisposable
{
    static readonly CancellationToken Never = CancellationToken.None;

    readonly TestStore _store = new(), _target = new();

    public void Dispose()
    {
        _store.Dispose();
        _target.Dispose();
    }

    string Config => Path.Combine(_target.Directory, "config.toml");

    [Fact]
    public async Task Whatever_fails_behind_the_commit_is_taken_back_and_the_old_state_stands()
    {
        using var taken = await TakenAsync(5);
        await FillAsync(_target, 3, "plugins.json");
        await File.WriteAllTextAsync(Config, "old = true", Never);
        var before = Told.Files(_target.Directory);
        List<string> steps = [];
        // Every step of one that ends well is one at which the next one fails.
        using (var image = DirectoryImage.Copy(_target.Directory))
            await RestoreAsync(taken, _target.Options() with { Directory = image.Path, SwapReached = steps.Add }, Path.Combine(image.Path, "config.toml"));
        var from = steps.IndexOf("staged");
        foreach (var at in steps[from..(steps.IndexOf("in place") + 1)])
        {
            var refused = await Assert.ThrowsAsync<StoreRefusedException>(() => RestoreAsync(taken, _target.Options() with { SwapReached = Fail(at) }, Config));
            Assert.Contains("Nothing there was changed", refused.Message, StringComparison.Ordinal);
            Assert.Equal((at, before), (at, Told.Files(_target.Directory)));
        }
    }

    [Fact]
    public async Task What_a_later_command_cannot_bring_to_its_end_it_takes_back_and_the_next_one_opens_the_old_state()
    {
        using var taken = await TakenAsync(5);
        await FillAsync(_target, 3, "plugins.json");
        var before = Told.Files(_target.Directory);
        Dictionary<string, DirectoryImage> images = [];
        await RestoreAsync(taken, _target.Options() with { SwapReached = step => images[step] = DirectoryImage.Copy(_target.Directory) }, Config);
        foreach (var at in (string[])["committed", "plugins.json aside", "event_store aside", "event_store in place", "watermark in place"])
        {
            var options = _target.Options() with { Directory = images[at].Path };
            var refused = Assert.Throws<StoreRefusedException>(() => Database.Open(options with { SwapReached = Fail("watermark in place", "in place") }));
            Assert.Contains("taken back", refused.Message, StringComparison.Ordinal);
            await using (var old = Database.Open(options))
                Assert.Equal((at, 3UL), (at, old.LogSize));
            Assert.False(File.Exists(Path.Combine(options.Directory, "config.toml")));
            Assert.Equal(["event_store"], Directory.GetDirectories(options.Directory).Select(Path.GetFileName));
        }

        foreach (var image in images.Values)
            image.Dispose();
        Assert.NotEqual(before, Told.Files(_target.Directory));
    }

    [Fact]
    public async Task What_was_staged_and_is_gone_after_a_power_cut_takes_the_place_of_nothing()
    {
        using var taken = await TakenAsync(5);
        await FillAsync(_target, 3, "tokens.json");
        using var image = await AtAsync(taken, "committed");
        Directory.Delete(Path.Combine(image.Path, "event_store.staged"), recursive: true);
        var options = _target.Options() with { Directory = image.Path };
        Assert.Contains("gone from", Assert.Throws<StoreRefusedException>(() => Database.Open(options)).Message, StringComparison.Ordinal);
        await using var old = Database.Open(options);
        Assert.Equal((3UL, true), (old.LogSize, old.Documents.Read("tokens.json").Content is not null));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_configuration_that_cannot_be_written_is_seen_before_anything_is_exchanged(bool directory)
    {
        using var taken = await TakenAsync(5);
        await FillAsync(_target, 3, "plugins.json");
        using var elsewhere = new TestStore();
        var config = Path.Combine(elsewhere.Directory, directory ? "config.toml" : "a-file/config.toml");
        if (directory)
            Directory.CreateDirectory(config);
        else
            await File.WriteAllTextAsync(Path.GetDirectoryName(config)!, "x", Never);
        var before = Told.Files(_target.Directory);
        List<string> steps = [];
        using (var restore = StoreRestore.Begin(_target.Options()))
        {
            Assert.Contains(directory ? "is a directory" : "is no directory", Assert.Throws<StoreRefusedException>(() => restore.DemandExchangeable(["plugins.json"], config)).Message, StringComparison.Ordinal);
            restore.DemandExchangeable(["plugins.json", "not there"], Path.Combine(elsewhere.Directory, "made", "on", "the way.toml"));
        }

        await Assert.ThrowsAsync<StoreRefusedException>(() => RestoreAsync(taken, _target.Options() with { SwapReached = steps.Add }, config));
        Assert.Equal(before, Told.Files(_target.Directory));
        Assert.DoesNotContain("committed", steps);
    }

    [Fact]
    public async Task A_configuration_that_is_written_while_the_store_is_made_ready_is_not_replaced()
    {
        using var taken = await TakenAsync(5);
        await FillAsync(_target, 3, "plugins.json");
        var options = _target.Options();
        await File.WriteAllTextAsync(Config, "the only key of something", Never);
        var before = Told.Files(_target.Directory);
        using (var restore = StoreRestore.Begin(options))
        {
            restore.Prepare(taken.UnpackInto(restore), options, null, Never);
            var refused = Assert.Throws<StoreRefusedException>(() => restore.Commit([], (Config, "new = true"u8.ToArray()), keepOld: false, static there => there is null));
            Assert.Contains("was written while the store was made ready", refused.Message, StringComparison.Ordinal);
        }

        Assert.Equal(before, Told.Files(_target.Directory));
    }

    [Fact]
    public async Task The_configuration_goes_first_and_what_somebody_wrote_in_its_place_meanwhile_is_kept()
    {
        using var taken = await TakenAsync(5);
        await FillAsync(_target, 3, "plugins.json");
        await File.WriteAllTextAsync(Config, "old = true", Never);
        List<string> steps = [];
        using var image = await AtAsync(taken, "committed", steps);
        Assert.Equal("configuration in place", steps[steps.IndexOf("committed") + 1]);
        var config = Path.Combine(image.Path, "config.toml");
        await File.WriteAllTextAsync(config, "only_key = true", Never);

        List<string> told = [];
        await using (Database.Open(_target.Options() with { Directory = image.Path, Progress = told.Add }))
            Assert.Equal("new = true", await File.ReadAllTextAsync(config, Never));
        var kept = Assert.Single(Directory.GetFiles(image.Path, "config.toml.event_store*"));
        Assert.Equal("only_key = true", await File.ReadAllTextAsync(kept, Never));
        Assert.Contains(told, line => line.Contains(kept, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_configuration_that_is_replaced_is_kept_behind_the_commit_and_once()
    {
        using var taken = await TakenAsync(5);
        await FillAsync(_target, 3, "plugins.json");
        await File.WriteAllTextAsync(Config, "old = true", Never);
        using (var before = await AtAsync(taken, "staged"))
            Assert.Empty(Kept(before.Path));
        foreach (var at in (string[])["committed", "configuration in place", "event_store in place"])
        {
            Directory.Delete(_target.Directory, recursive: true);
            Directory.CreateDirectory(_target.Directory);
            await FillAsync(_target, 3, "plugins.json");
            await File.WriteAllTextAsync(Config, "old = true", Never);
            using var image = await AtAsync(taken, at);
            await using (Database.Open(_target.Options() with { Directory = image.Path }))
                Assert.Equal("old = true", await File.ReadAllTextAsync(Assert.Single(Kept(image.Path)), Never));
        }

        static string[] Kept(string directory) => Directory.GetFiles(directory, "config.toml.before-*");
    }

    [Fact]
    public async Task An_interrupted_restore_puts_its_configuration_only_where_the_command_reads_one_or_into_the_data_directory()
    {
        using var elsewhere = new TestStore();
        var config = Path.Combine(elsewhere.Directory, "config.toml");
        using var taken = await TakenAsync(5);
        await FillAsync(_target, 3, "plugins.json");
        using var image = await AtAsync(taken, "committed", config: config);
        await File.WriteAllTextAsync(config, "another", Never);
        var options = _target.Options() with { Directory = image.Path };
        var before = Told.Files(image.Path);
        foreach (var place in (ConfigPlace?[])[null, new(Path.Combine(elsewhere.Directory, "another.toml"), static _ => null)])
        {
            var refused = Assert.Throws<StoreRefusedException>(() => Database.Open(options with { Config = place })).Message;
            Assert.Contains($"--config {config} --data-dir {image.Path}", refused, StringComparison.Ordinal);
            Assert.Equal((before, "another"), (Told.Files(image.Path), await File.ReadAllTextAsync(config, Never)));
        }

        using var same = DirectoryImage.Copy(image.Path);
        List<string> told = [];
        await using (var database = Database.Open(options with { Config = new(config, directory => directory == image.Path ? "/another" : null), Progress = told.Add }))
            Assert.Equal((6UL, "another"), (database.LogSize, await File.ReadAllTextAsync(config, Never)));
        Assert.Equal("new = true", await File.ReadAllTextAsync(image.In("config.toml"), Never));
        Assert.Contains(told, line => line.Contains("the store in /another", StringComparison.Ordinal) && line.Contains($"--config {image.In("config.toml")}", StringComparison.Ordinal));
        await using (var database = Database.Open(options with { Directory = same.Path, Config = new(config, static _ => null) }))
            Assert.Equal((6UL, "new = true"), (database.LogSize, await File.ReadAllTextAsync(config, Never)));
    }

    [Fact]
    public async Task An_exchange_in_a_directory_of_another_user_is_not_ended_by_whoever_looks()
    {
        if (!OperatingSystem.IsLinux())
            return;
        using var taken = await TakenAsync(5);
        await FillAsync(_target, 3, "plugins.json");
        using var image = await AtAsync(taken, "committed");
        var (directory, options) = (new DataDirectory(image.Path), _target.Options() with { Directory = image.Path });
        DirectorySwap.DemandOwn(directory, Libc.UserId);
        // What belongs to root is nobody's trap.
        if (Libc.UserId != 0)
            Assert.Contains("belongs to user", RefusedTo(Libc.UserId + 1, directory), StringComparison.Ordinal);
        if (Libc.UserId == 0)
        {
            DirectorySwap.DemandOwn(directory, 65534);
            var before = Told.Files(image.Path);
            foreach (var path in (string[])[directory.Swap, directory.Staged])
            {
                Assert.SkipUnless(await GiveAsync("65534", path), "Files may not be given to others here.");
                var refused = Assert.Throws<StoreRefusedException>(() => Database.Open(options)).Message;
                Assert.Contains($"{path} belongs to user 65534, and this is user 0", refused, StringComparison.Ordinal);
                Assert.Equal(before, Told.Files(image.Path));
                Assert.True(await GiveAsync("0", path));
            }

            // Root has begun it in the directory of a service, and ends it.
            Assert.True(await GiveAsync("65534", image.Path));
        }

        await using var database = Database.Open(options);
        Assert.Equal(6UL, database.LogSize);

        [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
        static string RefusedTo(uint user, DataDirectory directory)
        {
            try
            {
                DirectorySwap.DemandOwn(directory, user);
                return "nothing";
            }
            catch (StoreRefusedException refused)
            {
                return refused.Message;
            }
        }

        static async Task<bool> GiveAsync(string user, string path)
        {
            using var chown = System.Diagnostics.Process.Start("chown", ["-h", user, path]);
            await chown.WaitForExitAsync(Never);
            return chown.ExitCode == 0;
        }
    }

    [Fact]
    public async Task An_accepted_loss_of_what_was_restored_does_not_delete_what_that_had_replaced()
    {
        using var taken = await TakenAsync(5);
        await FillAsync(_target, 30, "tokens.json");
        using var image = await AtAsync(taken, "in place");
        foreach (var table in Directory.GetFiles(Path.Combine(image.Path, "event_store"), "*.sst"))
            File.WriteAllBytes(table, File.ReadAllBytes(table)[..^40]);
        var options = _target.Options() with { Directory = image.Path };
        Assert.Throws<StoreRefusedException>(() => Database.Open(options));
        StoreRecovery.AcceptLoss(options);
        await using (Database.Open(options))
        {
        }

        var aside = Assert.Single(Directory.GetDirectories(image.Path, "event_store.before-*"));
        await using var old = Database.Open(options with { Directory = aside });
        Assert.Equal((30UL, true), (old.LogSize, old.Documents.Read("tokens.json").Content is not null));
    }

    [Fact]
    public async Task Whoever_puts_the_old_store_back_by_hand_does_not_lose_the_rest_of_what_lay_beside_it()
    {
        using var taken = await TakenAsync(5);
        await FillAsync(_target, 3, "tokens.json");
        using var image = await AtAsync(taken, "in place");
        var aside = Assert.Single(Directory.GetDirectories(image.Path, "event_store.before-*"));
        Directory.Delete(image.Store, recursive: true);
        Directory.Move(Path.Combine(aside, "event_store"), image.Store);
        File.Copy(Path.Combine(aside, "watermark"), image.In("watermark"), overwrite: true);
        await using (var old = Database.Open(_target.Options() with { Directory = image.Path }))
            Assert.Equal(3UL, old.LogSize);
        Assert.True(File.Exists(Path.Combine(aside, "tokens.json")));
    }

    [Fact]
    public async Task A_second_restore_that_is_refused_leaves_the_first_one_to_be_ended()
    {
        using var taken = await TakenAsync(5);
        await FillAsync(_target, 3, "tokens.json");
        using var image = await AtAsync(taken, "event_store aside");
        var options = _target.Options() with { Directory = image.Path };
        using (var second = StoreRestore.Begin(options))
            Assert.NotEmpty(second.Occupants);
        await using (var database = Database.Open(options))
            Assert.Equal(6UL, database.LogSize);
        Assert.Equal(["event_store"], Directory.GetDirectories(image.Path).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Nobody_comes_between_a_restore_and_its_first_open_and_who_waited_is_asked_again()
    {
        using var taken = await TakenAsync(5);
        await FillAsync(_target, 3, "tokens.json");
        List<string> free = [];
        void Look(string step)
        {
            if (Database.FindHolder(_target.Directory) is null)
                free.Add(step);
        }

        await RestoreAsync(taken, _target.Options() with { SwapReached = Look }, Config);
        Assert.Empty(free);

        Assert.Contains("another one now", Assert.Throws<StoreRefusedException>(() => Database.Open(_target.Options() with { Locked = static () => throw new StoreRefusedException("another one now") })).Message, StringComparison.Ordinal);
        await using var database = _target.Open();
        Assert.Equal(6UL, database.LogSize);
    }

    [Fact]
    public void The_lock_of_a_file_that_has_lost_its_name_is_none()
    {
        if (OperatingSystem.IsWindows())
            return;
        var path = Path.Combine(_target.Directory, "lock");
        File.WriteAllText(path, "");
        using var open = Libc.Open(path, writable: true);
        Assert.True(Libc.IsAt(open, path));
        File.Delete(path);
        Assert.False(Libc.IsAt(open, path));
        File.WriteAllText(path, "");
        Assert.Equal(!OperatingSystem.IsLinux(), Libc.IsAt(open, path));
    }

    [Fact]
    public void A_place_where_something_is_mounted_is_known_as_one()
    {
        if (!OperatingSystem.IsLinux())
            return;
        Assert.True(Libc.IsMountPoint("/proc"));
        Assert.False(Libc.IsMountPoint("/proc/self"));
        Assert.False(Libc.IsMountPoint(_target.Directory));
        Assert.False(Libc.IsMountPoint(Path.Combine(_target.Directory, "not there")));
        Assert.True(Libc.MayChange(_target.Directory));
    }

    [Fact]
    public async Task Only_the_owner_enters_a_store_that_was_cut_or_rebuilt()
    {
        if (OperatingSystem.IsWindows())
            return;
        using var taken = await TakenAsync(5);
        await taken.RestoreAsync(_target.Options(), request => request with { ToPosition = 4 });
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.Combine(_target.Directory, "event_store")));
        await IndexRebuild.RunAsync(_target.Options(), keepOld: false, null, Never);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.Combine(_target.Directory, "event_store")));
    }

    static Action<string> Fail(params string[] steps) => step =>
    {
        if (steps.Contains(step))
            throw new IOException($"no room at {step}");
    };

    async Task<Taken> TakenAsync(int events)
    {
        await using var database = await _store.FilledAsync(events);
        return Taken.Of(database, _store.Directory);
    }

    static async Task FillAsync(TestStore store, int events, string document)
    {
        await using var database = await store.FilledAsync(events);
        database.Documents.TryReplace(document, "[\"old\"]"u8, database.Documents.Read(document));
    }

    static async Task RestoreAsync(Taken taken, DatabaseOptions options, string config)
    {
        using var restore = StoreRestore.Begin(options);
        restore.Prepare(taken.UnpackInto(restore), options, null, Never);
        restore.Commit(["plugins.json", "tokens.json"], (config, "new = true"u8.ToArray()), keepOld: false);
        await restore.OpenAsync(options);
    }

    /// <summary>The target as a kill at a step of a restore would leave it.</summary>
    async Task<DirectoryImage> AtAsync(Taken taken, string step, List<string>? steps = null, string? config = null)
    {
        DirectoryImage? image = null;
        await RestoreAsync(taken, _target.Options() with
        {
            SwapReached = reached =>
            {
                steps?.Add(reached);
                if (reached == step)
                    image = DirectoryImage.Copy(_target.Directory);
            },
        }, config ?? Config);
        return image!;
    }
}
