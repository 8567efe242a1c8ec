using EventDbx.Backups;
using EventDbx.Documents;
using EventDbx.Server.Backups;
using EventDbx.Server.Configuration;
using EventDbx.TestKit;

namespace EventDbx.Server.Tests.Backups;

/// <summary>What goes into a backup is judged by where files lie, not by how they are spelt.</summary>
public sealed class BackupScopeTests : IDisposable
{
    readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_key_file_that_is_named_through_a_link_is_left_out_of_a_backup_without_keys()
    {
        _directory.Write("data/dek.key", "x");
        _directory.Write("data/tls.pem", "x");
        File.CreateSymbolicLink(_directory["key"], _directory["data/dek.key"]);
        Directory.CreateSymbolicLink(_directory["linked"], _directory["data"]);
        _directory.Write("config.toml", $"data_encryption_key_file = \"{_directory["key"]}\"\n[tls]\ncert_file = \"{_directory["linked/tls.crt"]}\"\nkey_file = \"{_directory["linked/tls.pem"]}\"\n");
        foreach (var data in (string[])["data", "linked"])
        {
            var file = ConfigFile.Load(_directory["config.toml"], _directory.Path, _directory[data], TimeProvider.System);
            var request = BackupScope.Of(new BackupOrder { Keys = false }, _directory[data], file, encrypted: true, "1.0", new DocumentMemory());
            Assert.Contains("--without-keys", request.LeaveOut("dek.key"), StringComparison.Ordinal);
            Assert.Contains("TLS", request.LeaveOut("tls.pem"), StringComparison.Ordinal);
            Assert.Null(request.LeaveOut("tokens.json"));
            Assert.False(request.Keys);
        }
    }
}
