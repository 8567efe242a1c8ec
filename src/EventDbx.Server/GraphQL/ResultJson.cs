using System.Buffers;
using System.Globalization;
using GraphQL.Execution;

namespace EventDbx.Server.GraphQL;

/// <summary>Data on its way out, from the tree that execution leaves behind straight into the answer.</summary>
internal static class ResultJson
{
    public static void Write(IBufferWriter<byte> output, ExecutionNode? node)
    {
        switch (node)
        {
            case null or NullExecutionNode:
                output.Write("null"u8);
                break;
            case ObjectExecutionNode { SubFields: { } fields }:
                for (var i = 0; i < fields.Length; i++)
                {
                    output.Write(i == 0 ? "{"u8 : ","u8);
                    RecordJson.WriteText(output, fields[i].Name!);
                    output.Write(":"u8);
                    Write(output, fields[i]);
                }

                output.Write(fields.Length == 0 ? "{}"u8 : "}"u8);
                break;
            case ArrayExecutionNode { Items: { } items }:
                output.Write("["u8);
                for (var i = 0; i < items.Count; i++)
                {
                    if (i > 0)
                        output.Write(","u8);
                    Write(output, items[i]);
                }

                output.Write("]"u8);
                break;
            default:
                WriteValue(output, node.ToValue());
                break;
        }
    }

    static void WriteValue(IBufferWriter<byte> output, object? value)
    {
        switch (value)
        {
            case null:
                output.Write("null"u8);
                break;
            case RawJson raw:
                output.Write(raw.Text.Span);
                break;
            case string text:
                RecordJson.WriteText(output, text);
                break;
            case bool truth:
                output.Write(truth ? "true"u8 : "false"u8);
                break;
            case ulong number:
                RecordJson.WriteNumber(output, number);
                break;
            case int number:
                output.Write(Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture)));
                break;
            case System.Collections.IEnumerable items:
                // A list of scalars is one value to the library.
                output.Write("["u8);
                var first = true;
                foreach (var item in items)
                {
                    if (!first)
                        output.Write(","u8);
                    first = false;
                    WriteValue(output, item);
                }

                output.Write("]"u8);
                break;
            default:
                throw new InvalidOperationException($"No scalar of ours is a {value.GetType().Name}.");
        }
    }
}
