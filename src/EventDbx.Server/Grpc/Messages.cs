using System.Buffers;
using EventDbx.Protocol;
using Google.Protobuf;
using Grpc.Core;

namespace EventDbx.Server.Grpc;

/// <summary>Messages from bytes, and to bytes.</summary>
internal static class Messages
{
    /// <summary>Requests: what is malformed, or has fields that are not known here, is refused with a reason.</summary>
    public static Marshaller<T> Requests<T>(MessageParser<T> parser) where T : class, IMessage<T>, IRequest => new(
        static (_, _) => throw new NotSupportedException("A server sends no requests."),
        context =>
        {
            T request;
            try
            {
                request = parser.ParseFrom(context.PayloadAsReadOnlySequence());
            }
            catch (InvalidProtocolBufferException malformed)
            {
                throw GrpcRefusals.Exception(new(RefusalCode.InvalidArgument, $"The message is no {typeof(T).Name}: {malformed.Message}"));
            }

            return request.HasUnknownFields
                ? throw GrpcRefusals.Exception(new(
                    RefusalCode.UnknownMember, $"The {request.Descriptor.Name} has fields that this server does not know, and must not ignore. Send it without them, or use a server that is as new as the client."))
                : request;
        });

    public static Marshaller<T> Answers<T>() where T : class, IMessage<T> => new(
        static (message, context) =>
        {
            context.SetPayloadLength(message.CalculateSize());
            message.WriteTo(context.GetBufferWriter());
            context.Complete();
        },
        static _ => throw new NotSupportedException("A server reads no answers."));
}
