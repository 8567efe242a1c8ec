using System.Globalization;

namespace EventDbx.Server.Witness;

/// <summary>An answer of a witness.</summary>
/// <param name="Status">Of HTTP: 200, 400, 403, 404, 409, 422; 500 where nothing could be kept.</param>
/// <param name="ContentType">With 409 <see cref="SizeType"/>.</param>
/// <param name="Body">With 200 signature lines, with 409 the size that was cosigned last, otherwise a sentence.</param>
public sealed record WitnessAnswer(int Status, string ContentType, string Body)
{
    /// <summary>What a size is sent as.</summary>
    public const string SizeType = "text/x.tlog.size";

    const string TextType = "text/plain; charset=utf-8";

    public static WitnessAnswer Cosigned(NoteSignature cosignature) => new(200, TextType, cosignature.Line());

    public static WitnessAnswer Refused(int status, string why) => new(status, TextType, why + "\n");

    public static WitnessAnswer Conflict(ulong size) => new(409, SizeType, size.ToString(CultureInfo.InvariantCulture) + "\n");
}
