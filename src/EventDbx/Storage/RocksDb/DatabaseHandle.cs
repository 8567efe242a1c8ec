using System.Runtime.InteropServices;

using static EventDbx.Storage.RocksDb.Native;

namespace EventDbx.Storage.RocksDb;

/// <summary>An open database. Closes when the engine is disposed and the last view is gone, whichever is later.</summary>
internal sealed unsafe class DatabaseHandle : SafeHandle
{
    readonly NativeOptions _options;
    readonly nint[] _families;

    DatabaseHandle(nint db, nint[] families, NativeOptions options)
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
        (_families, _options) = (families, options);
        SetHandle(db);
    }

    readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes once RocksDB has let go of the directory.</summary>
    public Task Closed => _closed.Task;

    public override bool IsInvalid => handle == 0;

    /// <summary>Valid while a reference is held, or the engine is not disposed.</summary>
    public nint Db => handle;

    public NativeOptions Options => _options;

    /// <summary>The families in number order, without the default one.</summary>
    public ReadOnlySpan<nint> Families => _families.AsSpan(1);

    public nint Of(Family family) => _families[(int)family];

    /// <exception cref="StorageFailedException">RocksDB would not open it.</exception>
    public static DatabaseHandle Open(string directory, RocksDbOptions options, bool readOnly)
    {
        var native = new NativeOptions(options, TablesIn(directory));
        try
        {
            return Open(directory, native, readOnly);
        }
        catch
        {
            native.Dispose();
            throw;
        }
    }

    static DatabaseHandle Open(string directory, NativeOptions options, bool readOnly)
    {
        const int count = 1 + Storage.Families.Count;
        var names = stackalloc byte*[count];
        var familyOptions = stackalloc nint[count];
        var families = new nint[count];
        for (var i = 0; i < count; i++)
        {
            names[i] = (byte*)Marshal.StringToCoTaskMemUTF8(i == 0 ? "default" : Storage.Families.NameOf((Family)i));
            familyOptions[i] = i == 0 ? options.OfDefault : options.Of((Family)i);
        }
        var path = (byte*)Marshal.StringToCoTaskMemUTF8(directory);
        try
        {
            byte* error = null;
            nint db;
            fixed (nint* handles = families)
            {
                db = readOnly
                    ? rocksdb_open_for_read_only_column_families(
                        options.Database, path, count, names, familyOptions, handles, errorIfWalExists: 0, &error)
                    : rocksdb_open_column_families(options.Database, path, count, names, familyOptions, handles, &error);
            }
            if (error is not null)
                throw Refused(directory, Take(error));
            return new DatabaseHandle(db, families, options);
        }
        finally
        {
            for (var i = 0; i < count; i++)
                Marshal.FreeCoTaskMem((nint)names[i]);
            Marshal.FreeCoTaskMem((nint)path);
        }
    }

    static int TablesIn(string directory)
    {
        try
        {
            return Directory.Exists(directory) ? Directory.EnumerateFiles(directory, "*.sst").Take(NativeOptions.FewTables + 1).Count() : 0;
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            // RocksDB will say what is wrong with it.
            return 0;
        }
    }

    static StorageFailedException Refused(string directory, string error) =>
        error.Contains("lock", StringComparison.OrdinalIgnoreCase) && error.Contains("/LOCK", StringComparison.Ordinal)
            ? new($"The store in {directory} is open already, in this process or in another; one at a time can write. ({error})")
            : new($"The store in {directory} could not be opened: {error}");

    protected override bool ReleaseHandle()
    {
        foreach (var family in _families)
            rocksdb_column_family_handle_destroy(family);
        rocksdb_close(handle);
        _options.Dispose();
        _closed.TrySetResult();
        return true;
    }
}
