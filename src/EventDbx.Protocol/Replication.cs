namespace EventDbx.Protocol.Replication;

#pragma warning disable CS1591 // The messages are documented in the contract.

public sealed partial class HeartbeatRequest : IRequest { public bool HasUnknownFields => _unknownFields is not null; }

public sealed partial class EventRecord { internal bool HasUnknownFields => _unknownFields is not null; }

public sealed partial class EventBatch : IRequest
{
    public bool HasUnknownFields
    {
        get
        {
            foreach (var record in Events)
            {
                if (record.HasUnknownFields)
                    return true;
            }

            return _unknownFields is not null;
        }
    }
}
