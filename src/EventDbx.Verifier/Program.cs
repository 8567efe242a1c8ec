using System.Text;
using EventDbx.Verifier.CommandLine;

// The streams themselves: an encoding of the console would be another one on every machine. They are not disposed of: what could not be
// written then would be tried again, with nobody to catch it.
var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
var output = new StreamWriter(StandardOutput.Open(), utf8);
var error = new StreamWriter(Console.OpenStandardError(), utf8);
return new Runner(output, error, showProgress: !Console.IsErrorRedirected).Run(args);
