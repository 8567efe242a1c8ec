using EventDbx.Recovery;
using EventDbx.Server.Configuration;
using EventDbx.Server.Health;

namespace EventDbx.Cli.Commands.Doctor;

/// <summary>Whether an exchange of stores was interrupted: it is told, and left for a command that opens the store.</summary>
internal static class ExchangeCheck
{
    /// <summary>Looks in the data directory, and in that of the configuration: the file may be one that is yet to be put there.</summary>
    public static bool FindsOne(Findings findings, ConfigFile file)
    {
        var found = false;
        foreach (var directory in ((string[])[file.Config.DataDir, Path.GetDirectoryName(file.Path)!]).Distinct())
        {
            // Whoever has the directory is at it.
            if (!File.Exists(Path.Combine(directory, "event_store.swap")) || Database.FindHolder(directory) is not null)
                continue;
            try
            {
                if (StoreRestore.FindInterrupted(directory) is not { } cause)
                    continue;
                findings.Problem("store", $"A {cause} in {directory} was interrupted behind its commit point; the store was not looked at.", $"The next command that opens the store ends it, with the configuration that goes with it: `dbx status --data-dir {directory}`.");
            }
            catch (StoreRefusedException refused)
            {
                findings.Problem("store", refused.Message, "Look at both folders, and restore again what you need.");
            }

            found = true;
        }

        return found;
    }
}
