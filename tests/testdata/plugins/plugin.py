#!/usr/bin/env python3
"""A process plugin that does what its first argument says, for the tests; it reads frames as examples/plugins/python does."""
import importlib.util
import os
import signal
import sys
import time

MODE, FILE, EXAMPLE = sys.argv[1:4]
spec = importlib.util.spec_from_file_location("example", EXAMPLE)
sys.dont_write_bytecode = True
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)


def note(line):
    with open(FILE, "a", encoding="utf-8") as file:
        file.write(line + "\n")


def messages():
    while (message := example.read_message(sys.stdin.buffer)) is not None:
        envelope = message.struct(0, 0)
        kind = message.number(envelope, 0) & 0xFFFF
        place = message.struct(envelope[0], envelope[1] + envelope[2])
        yield message, kind, place


def say(line):
    sys.stdout.write(line)
    sys.stdout.flush()


def hello():
    example.send(example.frame(example.pointer(1, 1), 0, example.pointer(0, 3), 0, 0, 0))


note(f"start {os.getpid()}")
if MODE == "environment":
    note(" ".join(f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("EVENTDBX") or name == "COLOUR"))
    # What is open besides the standard streams may be the test runner's own inheritance; the store, its lock and sockets are ours.
    data, ours = os.path.join(os.path.dirname(FILE), "data"), []
    for fd in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []:
        try:
            link = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue  # The one of the listing itself.
        if int(fd) > 2 and (link.startswith(data) and "/plugins/" not in link or link.startswith("socket:")):
            ours.append(link)
    note(f"ours {ours}")
    note(f"group {os.getpgid(0) == os.getpid()} cwd {os.getcwd()} args {sys.argv[4:]}")
if MODE == "text":
    say("hello\n\n  \n\x1b[31mred\n")
    sys.stderr.write("x" * 10_000 + "\nlast")
    sys.stderr.flush()
if MODE == "noisy":
    say("line\n" * 5_000)
if MODE == "garbage":
    example.send(b"\0" * 64)
if MODE == "asleep":
    signal.signal(signal.SIGTERM, lambda *_: None)
    while True:
        time.sleep(1)
if MODE == "stubborn":
    signal.signal(signal.SIGTERM, lambda *_: note("term"))

for count, (message, kind, place) in enumerate(messages()):
    if kind == 0:
        note("init " + " ".join(message.text(place, i) for i in range(3)))
        if MODE in ("acks", "mute", "crash-acks", "forward"):
            hello()
        if MODE == "late":
            # Not before it counts as one without acknowledgements.
            while not os.path.exists(FILE + ".go"):
                time.sleep(0.01)
            hello()
        continue
    sequence = message.number(place, 0)
    note(f"event {sequence} {message.text(place, 0)}/{message.text(place, 1)} {message.number(place, 1)}")
    if MODE == "crash-acks" and count == 3:
        os._exit(7)
    if MODE == "crash" and count == 3 and not os.path.exists(FILE + ".crashed"):
        open(FILE + ".crashed", "w").close()
        os._exit(7)
    if MODE in ("acks", "crash-acks", "late"):
        example.ack(sequence)
    if MODE == "forward":
        example.ack(sequence + 1)
note("end")
while MODE == "stubborn":
    time.sleep(1)
