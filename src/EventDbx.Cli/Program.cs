using EventDbx.Cli;

using var shell = Shell.OfProcess();
return await CommandTree.RunAsync(args, shell, CancellationToken.None).ConfigureAwait(false);
