namespace EventDbx.Protocol;

/// <summary>A message that a client sends.</summary>
public interface IRequest
{
    /// <summary>Whether it has fields, itself or in a message inside it, that this version does not know.</summary>
    bool HasUnknownFields { get; }
}

#pragma warning disable CS1591 // The messages are documented in the contract.

public sealed partial class HealthRequest : IRequest { public bool HasUnknownFields => _unknownFields is not null; }

public sealed partial class AppendEventRequest : IRequest { public bool HasUnknownFields => _unknownFields is not null; }

public sealed partial class AppendEventsRequest : IRequest
{
    public bool HasUnknownFields
    {
        get
        {
            foreach (var append in Events)
            {
                if (append.HasUnknownFields)
                    return true;
            }

            return _unknownFields is not null;
        }
    }
}

public sealed partial class AppendStreamRequest : IRequest { public bool HasUnknownFields => _unknownFields is not null || Append?.HasUnknownFields == true; }

public sealed partial class SubscribeRequest : IRequest { public bool HasUnknownFields => _unknownFields is not null; }

public sealed partial class ListAggregatesRequest : IRequest { public bool HasUnknownFields => _unknownFields is not null; }

public sealed partial class GetAggregateRequest : IRequest { public bool HasUnknownFields => _unknownFields is not null; }

public sealed partial class ListEventsRequest : IRequest { public bool HasUnknownFields => _unknownFields is not null; }

public sealed partial class GetEventRequest : IRequest { public bool HasUnknownFields => _unknownFields is not null; }

public sealed partial class VerifyAggregateRequest : IRequest { public bool HasUnknownFields => _unknownFields is not null; }

public sealed partial class CreateAggregateRequest : IRequest { public bool HasUnknownFields => _unknownFields is not null; }

public sealed partial class RemoveAggregateRequest : IRequest { public bool HasUnknownFields => _unknownFields is not null; }

public sealed partial class ArchiveAggregateRequest : IRequest { public bool HasUnknownFields => _unknownFields is not null; }

public sealed partial class RestoreAggregateRequest : IRequest { public bool HasUnknownFields => _unknownFields is not null; }

public sealed partial class CreateSnapshotRequest : IRequest { public bool HasUnknownFields => _unknownFields is not null; }

public sealed partial class ListSnapshotsRequest : IRequest { public bool HasUnknownFields => _unknownFields is not null; }
