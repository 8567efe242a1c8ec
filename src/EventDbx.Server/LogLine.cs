using Microsoft.Extensions.Logging;

namespace EventDbx.Server;

/// <summary>Something worth telling whoever runs the server. Never holds a token, a key or a payload.</summary>
/// <param name="Time">When.</param>
/// <param name="Level">How much it matters.</param>
/// <param name="Source">Which part of the server says it: <c>rest</c>, <c>http</c>, <c>server</c>.</param>
/// <param name="Message">One line.</param>
/// <param name="Failure">What was thrown, where something was.</param>
public sealed record LogLine(Timestamp Time, LogLevel Level, string Source, string Message, Exception? Failure = null);
