using System.IO.Compression;

namespace EventDbx.Transfer;

/// <summary>The files of an export while they are written. None has its name before all of them are whole.</summary>
internal abstract class ExportSink : IDisposable
{
    public static ExportSink Open(ExportTarget target, ExportFormat format, IReadOnlyList<string> names, TimeProvider clock)
    {
        foreach (var path in target.Paths)
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return target.Zip
            ? new Archive(PendingFile.Create(target.Paths[0]), [.. names.Select(name => $"{name}.{ExportTarget.NameOf(format)}")], clock)
            : new Loose(target.Paths);
    }

    /// <summary>Where the file of one type is written, until <see cref="End"/>.</summary>
    public abstract Stream Begin(int type);

    /// <summary>The file that was begun is whole.</summary>
    public abstract void End();

    /// <summary>Gives the files their names.</summary>
    public abstract IReadOnlyList<ExportedFile> Complete();

    public abstract void Dispose();

    sealed class Loose(IReadOnlyList<string> paths) : ExportSink
    {
        readonly List<(PendingFile File, long Bytes)> _whole = [];
        PendingFile? _open;

        public override Stream Begin(int type) => (_open = PendingFile.Create(paths[type])).Stream;

        public override void End()
        {
            _whole.Add((_open!, _open!.Finish()));
            _open = null;
        }

        public override IReadOnlyList<ExportedFile> Complete()
        {
            foreach (var (file, _) in _whole)
                file.Rename();
            return [.. _whole.Select(static file => new ExportedFile(file.File.Path, file.Bytes))];
        }

        public override void Dispose()
        {
            _open?.Dispose();
            foreach (var (file, _) in _whole)
                file.Dispose();
        }
    }

    sealed class Archive(PendingFile file, IReadOnlyList<string> names, TimeProvider clock) : ExportSink
    {
        /// <summary>A regular file, 0600, in the form in which ZIP keeps it: the upper half.</summary>
        const int OwnerOnly = unchecked((int)(0x8180u << 16));

        readonly ZipArchive _zip = new(file.Stream, ZipArchiveMode.Create, leaveOpen: true, Encoding.UTF8);
        Stream? _open;

        public override Stream Begin(int type)
        {
            var entry = _zip.CreateEntry(names[type], CompressionLevel.Optimal);
            entry.ExternalAttributes = OwnerOnly;
            entry.LastWriteTime = clock.GetLocalNow();
            return _open = entry.Open();
        }

        public override void End()
        {
            _open!.Dispose();
            _open = null;
        }

        public override IReadOnlyList<ExportedFile> Complete()
        {
            _zip.Dispose();
            var bytes = file.Finish();
            file.Rename();
            return [new(file.Path, bytes)];
        }

        public override void Dispose()
        {
            try
            {
                _open?.Dispose();
                // Where it was not completed, this writes a table of contents that nobody will read.
                _zip.Dispose();
            }
            catch (IOException)
            {
                // The disk is full; what was written is deleted.
            }

            file.Dispose();
        }
    }
}
