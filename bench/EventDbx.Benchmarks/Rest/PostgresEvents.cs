using Npgsql;

using NpgsqlTypes;

namespace EventDbx.Benchmarks.Rest;

/// <summary>An event table as a team would write it by hand; and one that keeps each aggregate's state beside it, as we do.</summary>
/// <remarks>No hashes, no tokens, no repeats recognised beyond the unique id: less than what an append does here.</remarks>
internal sealed class PostgresEvents(bool keepsState)
{
    const string Tables =
        """
        create table events_only (
          position bigint generated always as identity primary key,
          aggregate_type text not null, aggregate_id text not null, version bigint not null,
          event_type text not null, event_id uuid not null unique, payload jsonb not null,
          created_at timestamptz not null default now(),
          unique (aggregate_type, aggregate_id, version));
        create table events (like events_only including all);
        create table states (
          aggregate_type text, aggregate_id text, version bigint not null, state jsonb not null,
          primary key (aggregate_type, aggregate_id));
        """;

    /// <summary>Without a head the next version is found in the index; who comes second breaks it and tries again.</summary>
    const string AppendOnly =
        """
        insert into events_only (aggregate_type, aggregate_id, version, event_type, event_id, payload)
        select $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5 from events_only where aggregate_type = $1 and aggregate_id = $2
        returning position, version, created_at
        """;

    /// <summary>One statement, so one way there and back; the row of the state takes the writers of an aggregate in turns.</summary>
    const string AppendWithState =
        """
        with head as (
          insert into states as s (aggregate_type, aggregate_id, version, state) values ($1, $2, 1, $5)
          on conflict (aggregate_type, aggregate_id) do update set version = s.version + 1, state = s.state || excluded.state
          returning s.version)
        insert into events (aggregate_type, aggregate_id, version, event_type, event_id, payload)
        select $1, $2, head.version, $3, $4, $5 from head
        returning position, version, created_at
        """;

    const string Read = "select version, state from states where aggregate_type = $1 and aggregate_id = $2";

    public NpgsqlCommand Append(string type, string id, string eventType, Guid eventId, ReadOnlyMemory<byte> payload) => new(keepsState ? AppendWithState : AppendOnly)
    {
        Parameters =
        {
            new NpgsqlParameter<string> { TypedValue = type },
            new NpgsqlParameter<string> { TypedValue = id },
            new NpgsqlParameter<string> { TypedValue = eventType },
            new NpgsqlParameter<Guid> { TypedValue = eventId },
            new NpgsqlParameter<ReadOnlyMemory<byte>> { TypedValue = payload, NpgsqlDbType = NpgsqlDbType.Jsonb },
        },
    };

    public static NpgsqlCommand State(string type, string id) => new(Read)
    {
        Parameters = { new NpgsqlParameter<string> { TypedValue = type }, new NpgsqlParameter<string> { TypedValue = id } },
    };

    /// <summary>Somebody else took this version of the aggregate: the statement is to be sent again.</summary>
    public static bool IsConflict(PostgresException error) => error.SqlState == PostgresErrorCodes.UniqueViolation;

    /// <summary>The tables, with one event in each aggregate.</summary>
    public static void Create(string connectionString, Receipts receipts, AggregateKey[] aggregates)
    {
        using var source = NpgsqlDataSource.Create(connectionString);
        Execute(Tables);
        string[] ids = [.. aggregates.Select(aggregate => aggregate.Id)];
        string[] payloads = [.. aggregates.Select((_, i) => Encoding.UTF8.GetString(receipts.Payload(i).Span))];
        foreach (var table in new[] { "events_only", "events" })
            Fill($"insert into {table} (aggregate_type, aggregate_id, version, event_type, event_id, payload) select $1, id, 1, 'first', gen_random_uuid(), payload::jsonb");
        Fill("insert into states select $1, id, 1, payload::jsonb");
        Execute("vacuum analyze");
        Execute("checkpoint");

        void Execute(string text)
        {
            using var command = source.CreateCommand(text);
            command.ExecuteNonQuery();
        }

        void Fill(string insert)
        {
            using var command = source.CreateCommand(insert + " from unnest($2, $3) as t (id, payload)");
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = aggregates[0].Type });
            command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = ids });
            command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = payloads });
            command.ExecuteNonQuery();
        }
    }
}
