namespace EventDbx.Server;

public static partial class ServerLimits
{
    /// <summary>Bytes of a GraphQL document. The introspection of an IDE has 2 KB; what is long belongs into variables.</summary>
    public const int GraphQLQueryBytesMax = 64 * 1024;

    /// <summary>Brackets of a GraphQL document within each other, counted before anything is parsed: the parser calls itself. A payload written as a literal, and the fields around it.</summary>
    public const int GraphQLNestingMax = Limits.PayloadDepthMax + 16;

    /// <summary>Fields of a GraphQL operation within each other, through its fragments: the introspection of IDEs has 15, nothing else half as many.</summary>
    public const int GraphQLDepthMax = 15;

    /// <summary>
    /// Fields of a GraphQL document, and of an operation with its fragments put in wherever they are spread: an IDE's introspection has some 240.
    /// </summary>
    public const int GraphQLFieldsMax = 300;

    /// <summary>The same over all operations of a document, those that will not run included: validation looks at them all.</summary>
    public const int GraphQLFieldsOfAllMax = 2 * GraphQLFieldsMax;

    /// <summary>
    /// Fields of one response name in what is answered as one object, fragments put in. Validation compares them in pairs, and makes an error of 2 KB of each pair that
    /// differs: 495 of one name took 1.2 s and 100 MB. As many fragments may ask for the same field.
    /// </summary>
    public const int GraphQLSameNameMax = 8;

    /// <summary>Directives, definitions, variables and arguments of a GraphQL document, all together: each is looked up and checked.</summary>
    public const int GraphQLPartsMax = 2_000;

    /// <summary>Fragments of a GraphQL document: validation compares those of one selection in pairs as well, 6 KB each. 149 of them took 0.3 s and 72 MB.</summary>
    public const int GraphQLFragmentsMax = 32;

    /// <summary>Variables of a GraphQL document: each is looked for in all of it. The most that a field takes are ten.</summary>
    public const int GraphQLVariablesMax = 100;

    /// <summary>Directives at one place of a GraphQL document: those at the same place are compared. There are two for a field, each once.</summary>
    public const int GraphQLDirectivesMax = 8;

    /// <summary>Arguments of one field or directive of a GraphQL document, which are compared as well: the most that a field takes are ten.</summary>
    public const int GraphQLArgumentsMax = 32;

    /// <summary>
    /// Fields that the answer of one GraphQL operation may have: fields times the items that their lists may have at most. A page of 1,000 events
    /// with everything takes 17,000; each costs some 250 bytes while the answer is made.
    /// </summary>
    public const long GraphQLCostMax = 50_000;

    /// <summary>Bytes of payloads and states that one GraphQL operation may gather, after which it gets no further page: four of them.</summary>
    public const long GraphQLAnswerBytesMax = 4L * Limits.PageBytesMax;

    /// <summary>The same over all operations under way: what a crowd of large answers may cost.</summary>
    public const long GraphQLGatheredBytesMax = 512L * 1024 * 1024;

    /// <summary>Errors listed in one GraphQL answer. A list with a bad argument has one for each of its items.</summary>
    public const int GraphQLErrorsMax = 100;

    /// <summary>Bytes of one message of a GraphQL WebSocket: an append at its limits, escaped; batches go by POST.</summary>
    public const int GraphQLMessageBytesMax = 2 * 1024 * 1024;

    /// <summary>Operations at once on one GraphQL WebSocket: as many as a page with lists has open.</summary>
    public const int GraphQLSocketOperationsMax = 32;

    /// <summary>How long a GraphQL WebSocket may take until its <c>connection_init</c>: clients send it at once.</summary>
    public static readonly TimeSpan GraphQLInitTimeout = TimeSpan.FromSeconds(10);

    /// <summary>GraphQL WebSockets at once: each a connection that is kept, some 30 KB (buffers of both directions).</summary>
    public const int GraphQLSocketsMax = 2_000;
}
