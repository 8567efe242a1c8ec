using System.IO.Compression;
using Grpc.Core;
using Grpc.Net.Compression;

namespace EventDbx.Server.Grpc;

/// <summary>gzip, in which a small message must not become a large one: the framework bounds only what is sent.</summary>
internal sealed class BoundedGzip : ICompressionProvider
{
    public string EncodingName => "gzip";

    public Stream CreateCompressionStream(Stream stream, CompressionLevel? compressionLevel) =>
        new GZipStream(stream, compressionLevel ?? CompressionLevel.Fastest, leaveOpen: true);

    public Stream CreateDecompressionStream(Stream stream) => new Bounded(new GZipStream(stream, CompressionMode.Decompress));

    /// <summary>Reads so much and no more. Only what the framework does with it: read, forward.</summary>
    sealed class Bounded(Stream inner) : ReadOnlyStream
    {
        long _left = Limits.RequestBytesMax;

        public override int Read(Span<byte> buffer)
        {
            int read;
            try
            {
                read = inner.Read(buffer);
            }
            catch (InvalidDataException broken)
            {
                throw GrpcRefusals.Exception(new(RefusalCode.InvalidArgument, $"The message says that it is compressed with gzip, and is not: {broken.Message}"));
            }

            _left -= read;
            return _left >= 0 ? read : throw GrpcRefusals.Exception(Rest.RestRefusals.TooLarge());
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
