# What programs say to a server to have it carry out a command. docs/replication.md says who may, and what.

@0xbdbbb6da8dc7b1e8;

struct CliRequest {
  args @0 :List(Text);  # The command line without the name of the program.
  token @1 :Text;  # Ours: a root token. Others have nothing here.
}

struct CliResponse {
  exitCode @0 :Int32;  # -1: it was not run, and stderr says why.
  stdout @1 :Text;
  stderr @2 :Text;
}
