namespace EventDbx.Protocol.CapnProto;

/// <summary>The word that says where an object lies and how large it is.</summary>
/// <remarks>
/// <code>
/// bits   0-1 kind        2-31                        32-63
/// struct 0               offset, signed, in words    32-47 words of numbers, 48-63 pointers
/// list   1               offset                      32-34 size of an element, 35-63 elements (composite: words)
/// far    2               2 two words there, 3-31 at  segment
/// </code>
/// </remarks>
internal static class Pointer
{
    public const int StructKind = 0, ListKind = 1, FarKind = 2;

    /// <summary>Sizes of the elements of lists.</summary>
    public const int Bits = 1, Bytes = 2, Pointers = 6, Composite = 7;

    public static ulong Struct(int offset, int dataWords, int pointers) => (uint)(offset << 2) | ((ulong)(uint)dataWords << 32) | ((ulong)(uint)pointers << 48);

    public static ulong List(int offset, int size, int count) => ((uint)(offset << 2) | ListKind) | ((ulong)(uint)size << 32) | ((ulong)(uint)count << 35);

    public static int KindOf(ulong word) => (int)(word & 3);

    public static int OffsetOf(ulong word) => (int)(uint)word >> 2;

    public static int DataWordsOf(ulong word) => (int)((word >> 32) & 0xFFFF);

    public static int PointersOf(ulong word) => (int)(word >> 48);

    public static int SizeOf(ulong word) => (int)((word >> 32) & 7);

    public static int CountOf(ulong word) => (int)(word >> 35);

    public static bool IsDouble(ulong word) => (word & 4) != 0;

    public static int FarOffsetOf(ulong word) => (int)((uint)word >> 3);

    public static uint SegmentOf(ulong word) => (uint)(word >> 32);
}
