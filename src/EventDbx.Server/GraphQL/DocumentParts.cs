using GraphQLParser.AST;
using GraphQLParser.Visitors;

namespace EventDbx.Server.GraphQL;

/// <summary>How much there is in a document for validation to look at, whether it will run or not.</summary>
internal sealed class DocumentParts : ASTVisitor<DocumentParts.Count>
{
    static readonly DocumentParts Visitor = new();

    /// <exception cref="RefusedException"><see cref="RefusalCode.LimitExceeded"/>.</exception>
    public static void Check(GraphQLDocument document)
    {
        // Nothing in it waits for anything.
        var walk = Visitor.VisitAsync(document, new());
        if (!walk.IsCompleted)
            throw new InvalidOperationException("The walk over a document does not wait.");
        walk.GetAwaiter().GetResult();
    }

    protected override ValueTask VisitFieldAsync(GraphQLField field, Count context)
    {
        if (++context.Fields > ServerLimits.GraphQLFieldsMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"The document has more than {ServerLimits.GraphQLFieldsMax} fields.");
        return base.VisitFieldAsync(field, context);
    }

    public override ValueTask VisitAsync(ASTNode? node, Count context)
    {
        if (node is GraphQLDirective or GraphQLArgument or GraphQLVariableDefinition or GraphQLFragmentSpread or GraphQLInlineFragment or GraphQLFragmentDefinition or GraphQLOperationDefinition
            && ++context.Parts > ServerLimits.GraphQLPartsMax)
        {
            throw new RefusedException(RefusalCode.LimitExceeded, $"The document has more than {ServerLimits.GraphQLPartsMax} directives, arguments, variables, fragments and operations.");
        }

        return base.VisitAsync(node, context);
    }

    /// <summary>So far.</summary>
    internal sealed class Count : IASTVisitorContext
    {
        public int Fields { get; set; }

        public int Parts { get; set; }

        public CancellationToken CancellationToken => default;
    }
}
