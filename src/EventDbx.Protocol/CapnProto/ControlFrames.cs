namespace EventDbx.Protocol.CapnProto;

/// <summary>What a program says to a server to have it carry out a command: <c>proto/control.capnp</c>.</summary>
/// <remarks>
/// <code>
/// CliRequest   0/2   args, a list of texts; token (ours: others have one pointer)
/// CliResponse  1/2   exit code i32 0; standard output, standard error
/// </code>
/// </remarks>
public static class ControlFrames
{
    /// <summary>Whether the first message of a connection is one of these, and no hello: its first pointer leads to texts, or nowhere.</summary>
    /// <exception cref="MessageException">It is no message.</exception>
    public static bool IsCommand(MessageReader message) => message.Root.KindOf(0) is PointerKind.Null or PointerKind.Pointers;

    public static ReadOnlyMemory<byte> WriteRequest(MessageWriter message, IReadOnlyList<string> arguments, string token)
    {
        var root = message.SetRoot(0, token.Length == 0 ? 1 : 2);
        var list = root.SetPointers(0, arguments.Count);
        for (var i = 0; i < arguments.Count; i++)
            list.SetText(i, arguments[i]);
        if (token.Length > 0)
            root.SetText(1, token);
        return message.Frame;
    }

    /// <summary>The token alone: who has none is not listened to.</summary>
    /// <exception cref="MessageException">It is something else, or no UTF-8.</exception>
    public static string ReadToken(MessageReader message) => message.Root.GetText(1);

    /// <exception cref="MessageException">There is no list of texts in it.</exception>
    public static IReadOnlyList<string> ReadArguments(MessageReader message)
    {
        var list = message.Root.GetPointers(0);
        var arguments = new string[list.Count];
        for (var i = 0; i < arguments.Length; i++)
            arguments[i] = list.GetText(i);
        return arguments;
    }

    public static ReadOnlyMemory<byte> WriteResponse(MessageWriter message, int exitCode, string output, string error)
    {
        var root = message.SetRoot(1, 2);
        root.SetInt32(0, exitCode);
        root.SetText(0, output);
        root.SetText(1, error);
        return message.Frame;
    }

    /// <exception cref="MessageException">It is none.</exception>
    public static (int ExitCode, string Output, string Error) ReadResponse(MessageReader message) =>
        (message.Root.GetInt32(0), message.Root.GetText(0), message.Root.GetText(1));
}
