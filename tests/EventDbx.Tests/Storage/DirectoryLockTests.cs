using System.Diagnostics;
using EventDbx.Storage;

namespace EventDbx.Tests.Storage;

public sealed class DirectoryLockTests : IDisposable
{
    static readonly TimeSpan FiveSeconds = TimeSpan.FromSeconds(5);
    readonly Scratch _scratch = new();

    string LockFile => _scratch.At(DirectoryLock.FileName);

    [Fact]
    public void A_second_holder_is_refused_with_the_first_ones_name_and_nothing_is_changed()
    {
        var clock = new ImpatientClock();
        Assert.True(DirectoryLock.TryAcquire(LockFile, "dbx start", TimeSpan.Zero, clock, out var first, out _));
        using (first)
        {
            var before = _scratch.Fingerprint();

            Assert.False(DirectoryLock.TryAcquire(LockFile, "dbx aggregate apply", TimeSpan.Zero, clock, out var second, out var why));

            Assert.Null(second);
            Assert.Equal(
                $"The data directory is in use by process {Environment.ProcessId} (dbx start) since 2026-01-02T03:04:05Z; its lock is \"{LockFile}\".",
                why);
            Assert.Equal(before, _scratch.Fingerprint());
        }
    }

    [Fact]
    public void Zero_asks_once_and_a_timeout_asks_until_it_has_passed()
    {
        var clock = new ImpatientClock();
        using var first = Acquire();

        Assert.False(DirectoryLock.TryAcquire(LockFile, "second", TimeSpan.Zero, clock, out _, out _));
        Assert.Equal(0, clock.Waits);
        Assert.False(DirectoryLock.TryAcquire(LockFile, "second", FiveSeconds, clock, out _, out _));
        Assert.Equal(200, clock.Waits);
    }

    [Fact]
    public void A_lock_released_while_we_wait_is_ours()
    {
        var first = Acquire();
        var clock = new ImpatientClock();
        clock.OnWait = () =>
        {
            if (clock.Waits == 3)
                first.Dispose();
        };

        Assert.True(DirectoryLock.TryAcquire(LockFile, "second", FiveSeconds, clock, out var second, out var why), why);

        using (second)
            Assert.Equal("second", DirectoryLock.ReadHolder(LockFile)!.HeldBy);
        Assert.Equal(3, clock.Waits);
    }

    [Fact]
    public void Disposed_it_is_free_and_says_nothing_any_more()
    {
        var first = Acquire();
        first.Dispose();
        first.Dispose();

        Assert.Equal(0, new FileInfo(LockFile).Length);
        Assert.Null(DirectoryLock.ReadHolder(LockFile));
        using var second = Acquire();
    }

    [Fact]
    public void The_file_is_json_for_the_owner_only()
    {
        using var held = Acquire();

        Assert.Equal(
            $$"""{"pid":{{Environment.ProcessId}},"started_at":"2026-01-02T03:04:05Z","held_by":"first"}""",
            ReadBesideTheLock());
        if (!OperatingSystem.IsWindows())
            Assert.Equal(DurableFile.Mode, File.GetUnixFileMode(LockFile));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("[1,2]")]
    [InlineData("""{"pid":"x"}""")]
    public void A_holder_that_says_nothing_sensible_is_another_process(string content)
    {
        using var held = Acquire();
        using (var file = OpenBesideTheLock(writable: true))
        {
            RandomAccess.SetLength(file, 0);
            RandomAccess.Write(file, System.Text.Encoding.UTF8.GetBytes(content), 0);
        }

        Assert.False(DirectoryLock.TryAcquire(LockFile, "second", TimeSpan.Zero, TimeProvider.System, out _, out var why));

        Assert.Equal($"The data directory is in use by another process; its lock is \"{LockFile}\".", why);
    }

    [Fact]
    public void In_a_directory_that_is_not_there_nothing_can_be_locked() =>
        Assert.ThrowsAny<IOException>(
            () => DirectoryLock.TryAcquire(_scratch.At("no/such/lock"), "first", TimeSpan.Zero, TimeProvider.System, out _, out _));

    [Fact]
    public async Task Another_process_keeps_us_out_until_it_is_killed()
    {
        using var other = LockElsewhere("-x", LockFile, "sh", "-c", "echo held; exec cat");
        Assert.Equal("held", await other.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
        await File.WriteAllTextAsync(_scratch.At("stale"), "", TestContext.Current.CancellationToken);
        using (var file = OpenBesideTheLock(writable: true))
            RandomAccess.Write(file, """{"pid":4711,"started_at":"2026-01-01T00:00:00Z","held_by":"dbx start"}"""u8, 0);

        Assert.False(DirectoryLock.TryAcquire(LockFile, "second", TimeSpan.Zero, TimeProvider.System, out _, out var why));
        Assert.StartsWith("The data directory is in use by process 4711 (dbx start) since 2026-01-01T00:00:00Z; ", why, StringComparison.Ordinal);

        other.Kill(entireProcessTree: true);
        await other.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(DirectoryLock.TryAcquire(LockFile, "second", FiveSeconds, TimeProvider.System, out var ours, out why), why);
        using (ours)
            Assert.Equal("second", DirectoryLock.ReadHolder(LockFile)!.HeldBy);
    }

    [Fact]
    public async Task Our_lock_keeps_another_process_out_and_is_not_inherited_by_our_children()
    {
        var held = Acquire();
        using (var other = LockElsewhere("-n", "-x", LockFile, "true"))
        {
            await other.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.Equal(1, other.ExitCode);
        }

        using var child = Process.Start(new ProcessStartInfo("cat") { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        held.Dispose();
        using (Acquire())
            child.Kill();
    }

    /// <summary>Runs util-linux flock, which locks the way we do.</summary>
    static Process LockElsewhere(params string[] arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo("flock", arguments) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("no flock command here to be the other process");
            throw;
        }
    }

    DirectoryLock Acquire()
    {
        Assert.True(DirectoryLock.TryAcquire(LockFile, "first", TimeSpan.Zero, new ImpatientClock(), out var held, out var why), why);
        return held;
    }

    Microsoft.Win32.SafeHandles.SafeFileHandle OpenBesideTheLock(bool writable)
    {
        if (OperatingSystem.IsWindows())
            return File.OpenHandle(LockFile, share: FileShare.ReadWrite);
        return Libc.Open(LockFile, writable);
    }

    string ReadBesideTheLock()
    {
        using var file = OpenBesideTheLock(writable: false);
        var content = new byte[RandomAccess.GetLength(file)];
        RandomAccess.Read(file, content, 0);
        return System.Text.Encoding.UTF8.GetString(content);
    }

    public void Dispose() => _scratch.Dispose();

    /// <summary>A clock on which nobody waits: a timer fires as soon as it is made, and the time has passed.</summary>
    sealed class ImpatientClock : TimeProvider
    {
        TimeSpan _passed;

        public int Waits { get; private set; }

        public Action? OnWait { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _passed.Ticks;

        public override DateTimeOffset GetUtcNow() => new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero) + _passed;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Waits++;
            _passed += dueTime;
            OnWait?.Invoke();
            return System.CreateTimer(callback, state, TimeSpan.Zero, period);
        }
    }
}
