#!/usr/bin/env python3
"""A process plugin that acknowledges what it wrote to its file, and now and then ends in the middle, or hangs.

Arguments: FILE, examples/plugins/python/plugin.py, a seed, one in how many events fails, how often at most, whether it hangs (0 or 1).
Each line is written at once and whole, so several may write that overlap: one whose server was killed has events left in its pipe.
"""
import importlib.util
import json
import os
import random
import struct
import sys
import time

FILE, EXAMPLE = sys.argv[1:3]
SEED, ONE_IN, AT_MOST, HANGS = map(int, sys.argv[3:7])
PARENT = os.getppid()
output = os.open(FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
os.write(output, f"start {os.getpid()}\n".encode())

spec = importlib.util.spec_from_file_location("example", EXAMPLE)
sys.dont_write_bytecode = True
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)
with open(FILE, encoding="utf-8") as before:
    lines = [line for line in before if line.startswith(("start", "fails"))]
failures = [line for line in lines if line.startswith("fails")]
chance = random.Random(SEED + len(lines))


def fail(kinds):
    """How, if it is to: before it wrote, after that, or by hanging."""
    if not ONE_IN or chance.randrange(ONE_IN) or len(failures) >= AT_MOST or os.path.exists(FILE + ".calm"):
        return None
    how = chance.choice(kinds)
    os.write(output, f"fails {how}\n".encode())
    return how


# Once: it costs half a minute.
kinds = ["before", "after"] + (["hangs"] if HANGS and "fails hangs\n" not in failures else [])
try:
    while (message := example.read_message(sys.stdin.buffer)) is not None:
        envelope = message.struct(0, 0)
        place = message.struct(envelope[0], envelope[1] + envelope[2])
        if message.number(envelope, 0) & 0xFFFF == example.INIT:
            example.send(example.frame(example.pointer(1, 1), example.INIT, example.pointer(0, 3), 0, 0, 0))
            continue
        how = fail(kinds)
        if how == "before":
            os._exit(7)
        while how == "hangs":
            # The server ends it; one that was killed cannot.
            if os.getppid() != PARENT:
                os._exit(0)
            time.sleep(0.1)
        os.write(output, f"event {message.text(place, 1)} {message.number(place, 1)} {json.loads(message.text(place, 4))['n']}\n".encode())
        if how == "after":
            os._exit(7)
        example.ack(message.number(place, 0))
except (BrokenPipeError, struct.error, IndexError, ValueError):
    pass  # The server was killed: nobody is there to be told, or the last message is cut off.
os.write(output, f"end {os.getpid()}\n".encode())
os._exit(0)
