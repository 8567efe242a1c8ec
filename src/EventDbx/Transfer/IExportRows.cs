using System.Buffers;

namespace EventDbx.Transfer;

/// <summary>Writes the aggregates of one type, one after the other.</summary>
internal interface IExportRows
{
    void Begin(IBufferWriter<byte> output);

    void Row(IBufferWriter<byte> output, AggregateState aggregate);

    void End(IBufferWriter<byte> output);
}
