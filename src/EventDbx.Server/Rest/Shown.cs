namespace EventDbx.Server.Rest;

/// <summary>What a caller sent, as a message may repeat it: never long.</summary>
internal static class Shown
{
    const int CharactersMax = 64;

    public static string Of(string text) => text.Length <= CharactersMax ? text : $"{text[..(char.IsHighSurrogate(text[CharactersMax - 1]) ? CharactersMax - 1 : CharactersMax)]}…";
}
