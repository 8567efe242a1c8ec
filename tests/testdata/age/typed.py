"""Runs a program on a terminal of its own, and types a line whenever it asks for a passphrase: typed.py LINE PROGRAM ARGUMENT…"""
import os, pty, sys

line, program = sys.argv[1].encode() + b"\n", sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execvp(program[0], program)
said = b""
while True:
    try:
        more = os.read(terminal, 4096)
    except OSError:
        break
    if not more:
        break
    said += more
    if b"passphrase" in said.lower() and said.rstrip().endswith(b":"):
        os.write(terminal, line)
        said = b""
_, status = os.waitpid(child, 0)
sys.stderr.write(said.decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(status))
