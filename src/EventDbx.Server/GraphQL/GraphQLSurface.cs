using System.Buffers;
using EventDbx.Server.Feed;
using EventDbx.Server.Rest;
using GraphQL;
using GraphQL.Execution;
using GraphQL.Validation;
using GraphQLParser;
using GraphQLParser.AST;
using GraphQLParser.Exceptions;
using Microsoft.Extensions.Logging;
using ExecutionContext = GraphQL.Execution.ExecutionContext;

namespace EventDbx.Server.GraphQL;

/// <summary>From a request to its result, whichever way it came: limits, syntax, validation, execution, in this order.</summary>
/// <remarks>
/// <code>
/// text        bytes, brackets              before the parser, which calls itself
/// document    fields, parts                before anything is compared in pairs
/// operation   depth, fields, cost          fragments put in, lists times their items
/// validation  of the library               invalid_argument
/// execution   one field after the other    each resolver asks Session; payloads and states are counted
/// </code>
/// </remarks>
internal sealed class GraphQLSurface(ServerHost host, ServerOptions options, BodyBudget bodies)
{
    static readonly Executer Runner = new();

    long _gathered;
    int _sockets;

    /// <summary>Bytes of payloads and states in answers under way.</summary>
    public long Gathered => Interlocked.Read(ref _gathered);

    public void Gather(long bytes) => Interlocked.Add(ref _gathered, bytes);

    /// <summary>What messages of sockets may hold, together with the bodies of requests.</summary>
    public BodyBudget Bodies => bodies;

    public ServerHost Host => host;

    public TimeProvider Clock => options.Clock;

    /// <summary>A WebSocket comes.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Overloaded"/>: there are too many.</exception>
    public void EnterSocket()
    {
        if (Interlocked.Increment(ref _sockets) <= ServerLimits.GraphQLSocketsMax)
            return;
        LeaveSocket();
        throw new RefusedException(RefusalCode.Overloaded, $"{ServerLimits.GraphQLSocketsMax} WebSockets are open, and no more are taken. Try again later.");
    }

    public void LeaveSocket() => Interlocked.Decrement(ref _sockets);

    /// <summary>An operation begins.</summary>
    public GraphQLCall Begin(Session session, Action? lookAtToken, CancellationToken cancellation) => new(host, options.Config, options.Clock, session, lookAtToken, cancellation);

    /// <summary>Everything up to validation that can be refused cheaply.</summary>
    /// <exception cref="RefusedException">The document is none, or asks for too much.</exception>
    public PreparedQuery Prepare(GraphQLRequest request)
    {
        DocumentScan.Check(request.Query);
        GraphQLDocument document;
        try
        {
            document = Parser.Parse(request.Query, new ParserOptions { Ignore = IgnoreOptions.Comments, MaxDepth = 4 * ServerLimits.GraphQLNestingMax });
        }
        catch (GraphQLParserException cause)
        {
            throw new RefusedException(RefusalCode.InvalidArgument, $"The query is not GraphQL: {cause.Message.ReplaceLineEndings(" ")}");
        }

        DocumentParts.Check(document);
        var operation = OperationOf(document, request.OperationName);
        var schema = DbxSchema.Instance;
        var variables = VariableJson.Read(request.Variables, document, operation, schema);
        DocumentCost.Check(schema, document, operation, new(options.Config.ListPageSize, options.Config.PageLimit), variables);
        return new(document, operation, request.OperationName, new(variables));
    }

    /// <summary>Runs an operation, or shows one item of a subscription.</summary>
    public static Task<ExecutionResult> RunAsync(PreparedQuery query, GraphQLCall call, bool validated = false) => Runner.ExecuteAsync(new ExecutionOptions
    {
        Schema = DbxSchema.Instance, Document = query.Document, OperationName = query.OperationName, Variables = query.Variables, UserContext = call,
        CancellationToken = call.Cancellation, ValidationRules = validated ? [] : null,
    });

    /// <summary>Opens the feed for a subscription; null where the operation was refused, and the result says why.</summary>
    public async Task<(FeedSubscription? Feed, ExecutionResult Result)> SubscribeAsync(PreparedQuery query, GraphQLCall call)
    {
        var result = await RunAsync(query, call).ConfigureAwait(false);
        if (call.Start is not { } start)
            return (null, result);
        var request = new FeedRequest { Session = call.Session, LookAtToken = call.LookAtToken, After = start.After, Filter = start.Filter };
        return (await FeedSubscription.OpenAsync(host, request, options.Clock, call.Cancellation).ConfigureAwait(false), result);
    }

    /// <summary>The items of a batch, one after the other; the next is made when the one before was taken. A heartbeat is one where they were asked for.</summary>
    public static async IAsyncEnumerable<ExecutionResult> ShowAsync(PreparedQuery query, GraphQLCall call, uint epoch, FeedBatch batch)
    {
        foreach (var item in batch.Items)
        {
            call.Item = new(new(epoch, item.Position), item.Event);
            yield return await RunAsync(query, call, validated: true).ConfigureAwait(false);
        }

        if (batch.Items.Count == 0 && call.Start!.Heartbeats)
        {
            call.Item = new(batch.Reached, null);
            yield return await RunAsync(query, call, validated: true).ConfigureAwait(false);
        }
    }

    /// <summary>The result as JSON.</summary>
    public void Write(IBufferWriter<byte> output, ExecutionResult result, GraphQLCall call)
    {
        if (result.Errors is { Count: > 0 } errors)
        {
            output.Write("{\"errors\":"u8);
            WriteErrors(output, errors, call);
            if (!result.Executed)
            {
                output.Write("}"u8);
                return;
            }

            output.Write(",\"data\":"u8);
        }
        else
        {
            output.Write("{\"data\":"u8);
        }

        ResultJson.Write(output, result.Data as ExecutionNode);
        output.Write("}"u8);
    }

    public void WriteErrors(IBufferWriter<byte> output, ExecutionErrors errors, GraphQLCall? call) => GraphQLErrors.WriteAll(output, errors, call, Log);

    /// <summary>A refusal before anything ran, as a result.</summary>
    public static void WriteRefusal(IBufferWriter<byte> output, Refusal refusal)
    {
        output.Write("{\"errors\":"u8);
        GraphQLErrors.WriteOne(output, refusal);
        output.Write("}"u8);
    }

    /// <summary>What was thrown, as a client may see it; a fault of ours is written down.</summary>
    public Refusal RefusalOf(Exception thrown)
    {
        if (RestRefusals.Of(thrown, host.Stopping) is { } refusal)
            return refusal;
        Log(LogLevel.Error, $"A GraphQL operation failed: {thrown.GetType().Name}: {thrown.Message}", thrown);
        return new(RefusalCode.Internal, "The server failed at this operation, and has written down why. Nothing is known about whether it took effect.");
    }

    void Log(LogLevel level, string message, Exception failure) => options.Log?.Invoke(new(Timestamp.From(options.Clock.GetUtcNow()), level, "graphql", message, failure));

    static GraphQLOperationDefinition OperationOf(GraphQLDocument document, string? name)
    {
        var operations = document.Definitions.OfType<GraphQLOperationDefinition>().ToList();
        if (operations.Count == 0)
            throw new RefusedException(RefusalCode.InvalidArgument, "The document has no operation; it takes a query, a mutation or a subscription.");
        if (name is not null)
        {
            return operations.Find(operation => operation.Name?.Value == name)
                ?? throw new RefusedException(RefusalCode.InvalidArgument, $"`operationName` is \"{Shown.Of(name)}\", and the document has no operation of that name.");
        }

        return operations.Count == 1 ? operations[0]
            : throw new RefusedException(RefusalCode.InvalidArgument, $"The document has {operations.Count} operations; say in `operationName` which of them is to run.");
    }

    /// <summary>One field after the other, in their order; an item of a subscription like the answer of a query.</summary>
    sealed class Executer : DocumentExecuter
    {
        static readonly SerialExecutionStrategy OneByOne = new();

        protected override IExecutionStrategy SelectExecutionStrategy(ExecutionContext context) => OneByOne;
    }
}

/// <summary>An operation that is within the limits.</summary>
internal sealed record PreparedQuery(GraphQLDocument Document, GraphQLOperationDefinition Operation, string? OperationName, Inputs Variables)
{
    public bool IsSubscription => Operation.Operation == OperationType.Subscription;

    public bool IsMutation => Operation.Operation == OperationType.Mutation;
}
