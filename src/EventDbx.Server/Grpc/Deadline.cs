using System.Buffers;
using System.Globalization;
using EventDbx.Server.Rest;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Grpc;

/// <summary>The header <c>grpc-timeout</c>. The framework waits for ever where it does not understand one.</summary>
/// <remarks>Source: gRPC over HTTP2, Timeout: at most 8 digits, and H, M, S, m, u or n.</remarks>
internal static class Deadline
{
    const string Header = "grpc-timeout";
    const int DigitsMax = 8;
    static readonly SearchValues<char> Digits = SearchValues.Create("0123456789");

    /// <exception cref="RpcException">It is malformed, or no time is left.</exception>
    public static void Check(IHeaderDictionary headers)
    {
        var given = headers[Header];
        if (given.Count == 0)
            return;
        var text = given.Count == 1 ? given[0]!.AsSpan() : default;
        if (text.Length is < 2 or > DigitsMax + 1 || text[..^1].ContainsAnyExcept(Digits) || !"HMSmun".Contains(text[^1]))
            throw GrpcRefusals.Exception(new(RefusalCode.InvalidArgument, $"The metadata `{Header}` is {Shown.Of(given.ToString())}; it is 1 to {DigitsMax.ToString(CultureInfo.InvariantCulture)} digits and one of H, M, S, m, u, n."));
        if (!text[..^1].ContainsAnyExcept('0'))
            throw GrpcRefusals.Exception(new(RefusalCode.RequestTimeout, "No time is left until the deadline of the call. Nothing of it was done."), StatusCode.DeadlineExceeded);
    }
}
