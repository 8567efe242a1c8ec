namespace EventDbx.Checkpoints;

/// <summary>The key that signs checkpoints. The engine has no signature scheme of its own; whoever opens the database brings one.</summary>
public interface ICheckpointSigner
{
    /// <summary>The public key under a name, as a vkey: <c>name+key id+base64(01 ‖ public key)</c>.</summary>
    /// <param name="keyName">The origin of the checkpoints.</param>
    string VerifierKey(string keyName);

    /// <summary>Signs the text of a note under a name.</summary>
    NoteSignature Sign(string keyName, string text);

    /// <summary>Whether one of the signatures is ours under that name, and good.</summary>
    bool Verifies(string keyName, SignedNote note);
}
