using System.Security.Cryptography;
using System.Text.Json;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace EventDbx.Backups;

/// <summary>Writes an archive: a tar in one Zstd frame, the manifest first, the checksums last.</summary>
/// <remarks>Until <see cref="Finish"/> has returned it is not one, and no reader takes it for one. In memory are buffers and a line for each file.</remarks>
internal sealed class BackupWriter : IDisposable
{
    const int BufferBytes = 256 * 1024;

    readonly Compressor _compressor = new(level: 1);
    readonly CompressionStream _zstd;
    readonly IReadOnlyList<BackupFile> _files;
    readonly List<BackupChecksum> _written = [];
    readonly byte[] _buffer = new byte[BufferBytes];
    readonly long _unixSeconds;
    int _next;

    /// <summary>Begins one, with its manifest.</summary>
    /// <param name="output">Where to. It is not closed.</param>
    /// <param name="manifest">Names every file, in the order in which they will be added.</param>
    public BackupWriter(Stream output, BackupManifest manifest)
    {
        // Tables are compressed already (LZ4): more than the fastest level gains little. A core is left to whoever writes meanwhile.
        _compressor.SetParameter(ZSTD_cParameter.ZSTD_c_checksumFlag, 1);
        _compressor.SetParameter(ZSTD_cParameter.ZSTD_c_nbWorkers, Math.Clamp(Environment.ProcessorCount / 2, 1, 4));
        _zstd = new(output, _compressor, preserveCompressor: true, leaveOpen: true);
        _files = manifest.Files;
        _unixSeconds = DateTimeOffset.TryParse(manifest.CreatedAt, System.Globalization.CultureInfo.InvariantCulture, out var at) ? at.ToUnixTimeSeconds() : 0;
        SkipThoseOfBase();
        AddSmall(BackupPath.Manifest, manifest.Write());
    }

    /// <summary>The file that is due; null when all are there.</summary>
    public BackupFile? Due => _next < _files.Count ? _files[_next] : null;

    /// <summary>Adds the file that is <see cref="Due"/>.</summary>
    /// <param name="content">Exactly as many bytes as the manifest says.</param>
    /// <param name="cancellation">Ends it between buffers.</param>
    /// <exception cref="IOException">It is shorter or longer than it was, or cannot be read; or the archive cannot be written.</exception>
    public void Add(Stream content, CancellationToken cancellation)
    {
        var file = Due ?? throw new InvalidOperationException("Every file of the manifest is there.");
        Begin(file.Path, file.Size, file.Executable);
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (var left = file.Size; left > 0;)
        {
            cancellation.ThrowIfCancellationRequested();
            var read = content.Read(_buffer, 0, (int)Math.Min(left, _buffer.Length));
            if (read == 0)
                throw new IOException($"`{file.Path}` became shorter while it was backed up: it had {file.Size} bytes, and {file.Size - left} are there. Something else writes into the data directory; try again.");
            digest.AppendData(_buffer, 0, read);
            _zstd.Write(_buffer, 0, read);
            left -= read;
        }

        if (content.Read(_buffer, 0, 1) != 0)
            throw new IOException($"`{file.Path}` became longer while it was backed up: it had {file.Size} bytes. Something else writes into the data directory; try again.");
        End(file.Path, file.Size, digest);
        _next++;
        SkipThoseOfBase();
    }

    /// <summary>Writes the checksums and the end: from here on it is an archive, once the output is on disk.</summary>
    public void Finish()
    {
        if (Due is { } missing)
            throw new InvalidOperationException($"{missing.Path} is missing.");
        AddSmall(BackupPath.Checksums, JsonSerializer.SerializeToUtf8Bytes(new(_written), BackupJson.Default.BackupChecksums));
        _zstd.Write(new byte[2 * TarHeader.Bytes]);
        _zstd.Dispose();
    }

    /// <summary>Lets go of the compressor. What was written without <see cref="Finish"/> is no archive.</summary>
    /// <remarks>The stream is not closed then: that would write an end.</remarks>
    public void Dispose() => _compressor.Dispose();

    void SkipThoseOfBase()
    {
        while (Due is { InBase: true })
            _next++;
    }

    void AddSmall(string name, byte[] content)
    {
        Begin(name, content.Length, executable: false);
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        digest.AppendData(content);
        _zstd.Write(content);
        End(name, content.Length, digest);
    }

    void Begin(string name, long size, bool executable)
    {
        Span<byte> header = stackalloc byte[TarHeader.Bytes];
        if (!TarHeader.Fits(name))
        {
            var record = TarHeader.PathRecord(name);
            TarHeader.Write(header, "pax", TarHeader.Pax, record.Length, executable: false, _unixSeconds);
            _zstd.Write(header);
            _zstd.Write(record);
            Pad(record.Length);
            name = "long-name";
        }

        TarHeader.Write(header, name, TarHeader.Regular, size, executable, _unixSeconds);
        _zstd.Write(header);
    }

    void End(string path, long size, IncrementalHash digest)
    {
        Pad(size);
        _written.Add(new(path, size, Convert.ToHexStringLower(digest.GetHashAndReset())));
    }

    void Pad(long size)
    {
        if ((int)(size % TarHeader.Bytes) is > 0 and var over)
            _zstd.Write(new byte[TarHeader.Bytes - over]);
    }
}
