namespace EventDbx.Protocol.CapnProto;

/// <summary>A Cap'n Proto message that is none, or that is larger or deeper than one may be. The only exception of the codec.</summary>
public sealed class MessageException(string message) : Exception(message);
