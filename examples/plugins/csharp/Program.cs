// A process plugin in C#: writes a line for each event to the file that its first argument names.
//
//   dbx plugin install audit-trail 1.0.0 --source audit-trail.tar.gz --bin audit-trail
//   dbx plugin config process --name audit --plugin audit-trail --version 1.0.0 --arg /var/log/audit.txt
//
// It acknowledges what it has written; an event whose payload says {"refuse":true} it refuses. docs/plugin-authors.md
using System.Text;
using System.Text.Json;
using EventDbx.Protocol.CapnProto;

if (args.Length != 1)
{
    Console.Error.WriteLine("usage: audit-trail FILE");
    return 2;
}

await using var input = new BufferedStream(Console.OpenStandardInput());
await using var output = Console.OpenStandardOutput();
await using var file = new FileStream(args[0], FileMode.Append, FileAccess.Write, FileShare.Read);
var frames = new FrameReader(input);
var answer = new MessageWriter();

// The end of the input is the end of the work.
while (await frames.ReadAsync(CancellationToken.None) is { } frame)
{
    var message = PluginFrames.Read(frame);
    switch (message.Kind)
    {
        case PluginMessageKind.Init:
            // Sent back, it says that this plugin acknowledges: it is the first thing on standard output.
            if (Environment.GetEnvironmentVariable("EVENTDBX_PLUGIN_ACKS") == "1")
                await output.WriteAsync(PluginFrames.WriteInit(answer, message.Init!));
            break;
        case PluginMessageKind.Event:
            var e = message.Event!;
            if (IsRefused(e))
            {
                await output.WriteAsync(PluginFrames.WriteError(answer, e.Sequence, "its payload says so"));
                break;
            }

            await file.WriteAsync(Encoding.UTF8.GetBytes($"{e.AggregateType}/{e.AggregateId} {e.EventVersion} {e.EventType}\n"));
            // What is acknowledged is never sent again: it has to be kept before.
            file.Flush(flushToDisk: true);
            await output.WriteAsync(PluginFrames.WriteAck(answer, e.Sequence));
            break;
    }
}

return 0;

static bool IsRefused(PluginEvent e)
{
    using var payload = JsonDocument.Parse(e.PayloadJson);
    return payload.RootElement.ValueKind == JsonValueKind.Object && payload.RootElement.TryGetProperty("refuse", out var refuse) && refuse.ValueKind == JsonValueKind.True;
}
