namespace EventDbx.Server.Tls;

/// <summary>A certificate, a key or a CA cannot be used. The message names the file, what is wrong with it and what would do; it quotes nothing of it.</summary>
public sealed class TlsException : Exception
{
    public TlsException(string message) : base(message) { }

    public TlsException(string message, Exception cause) : base(message, cause) { }
}
