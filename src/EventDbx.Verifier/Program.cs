using System.Text;
using EventDbx.Verifier.CommandLine;

// The streams themselves: an encoding of the console would be another one on every machine.
var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
using var output = new StreamWriter(Console.OpenStandardOutput(), utf8);
using var error = new StreamWriter(Console.OpenStandardError(), utf8);
return new Runner(output, error, showProgress: !Console.IsErrorRedirected).Run(args);
