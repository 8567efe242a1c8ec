#!/usr/bin/env python3
"""A process plugin in Python, with nothing but its standard library: writes a line for each event to a file.

    dbx plugin install audit-trail 1.0.0 --source plugin.py
    dbx plugin config process --name audit --plugin audit-trail --version 1.0.0 --arg /var/log/audit.txt

It acknowledges what it has written; an event whose payload says {"refuse":true} it refuses. docs/plugin-authors.md
"""
import json
import os
import struct
import sys

INIT, EVENT, ACK, ERROR = range(4)


class Message:
    """A Cap'n Proto message: segments of 8-byte words. A struct is (segment, data word, data words, pointers)."""

    def __init__(self, segments):
        self.segments = segments

    def word(self, segment, at):
        return struct.unpack_from("<Q", self.segments[segment], at * 8)[0]

    def follow(self, segment, at):
        """The word that describes what a pointer leads to, and where that begins."""
        word = self.word(segment, at)
        if word & 3 != 2:
            return word, segment, at + 1 + (struct.unpack("<i", struct.pack("<I", word & 0xFFFFFFFF))[0] >> 2)
        target, pad = word >> 32, (word & 0xFFFFFFFF) >> 3
        if word & 4:  # Two words there: where it is, and what it is.
            far = self.word(target, pad)
            return self.word(target, pad + 1), far >> 32, (far & 0xFFFFFFFF) >> 3
        return self.follow(target, pad)

    def struct(self, segment, at):
        word, segment, start = self.follow(segment, at)
        return segment, start, word >> 32 & 0xFFFF, word >> 48

    def number(self, place, index):
        segment, start, words, _ = place
        return self.word(segment, start + index) if index < words else 0

    def text(self, place, index):
        segment, start, words, pointers = place
        if index >= pointers or self.word(segment, start + words + index) == 0:
            return ""
        word, segment, at = self.follow(segment, start + words + index)
        return bytes(self.segments[segment][at * 8 : at * 8 + (word >> 35) - 1]).decode()


def read_message(stream):
    head = stream.read(4)
    if len(head) < 4:
        return None
    count = struct.unpack("<I", head)[0] + 1
    lengths = struct.unpack(f"<{count}I", stream.read(4 * count))
    if count % 2 == 0:
        stream.read(4)
    return Message([stream.read(8 * words) for words in lengths])


def frame(*words, text=None):
    body = b"".join(struct.pack("<Q", word) for word in words)
    if text is not None:
        body += text + b"\0" * (8 - len(text) % 8)
    return struct.pack("<II", 0, len(body) // 8) + body


def pointer(data_words, pointers):
    return data_words << 32 | pointers << 48


def send(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def ack(sequence):
    send(frame(pointer(1, 1), ACK, pointer(1, 0), sequence))


def refuse(sequence, reason):
    text = reason.encode()
    send(frame(pointer(1, 1), ERROR, pointer(1, 1), sequence, 1 | (2 | (len(text) + 1) << 3) << 32, text=text))


def main():
    with open(sys.argv[1], "a", encoding="utf-8") as file:
        while (message := read_message(sys.stdin.buffer)) is not None:
            envelope = message.struct(0, 0)
            kind = message.number(envelope, 0) & 0xFFFF
            place = message.struct(envelope[0], envelope[1] + envelope[2])
            if kind == INIT and os.environ.get("EVENTDBX_PLUGIN_ACKS") == "1":
                # An init sent back says that this plugin acknowledges: it is the first thing on standard output.
                send(frame(pointer(1, 1), INIT, pointer(0, 3), 0, 0, 0))
            elif kind == EVENT:
                sequence = message.number(place, 0)
                if json.loads(message.text(place, 4)).get("refuse") is True:
                    refuse(sequence, "its payload says so")
                    continue
                file.write(f"{message.text(place, 0)}/{message.text(place, 1)} {message.number(place, 1)} {message.text(place, 2)}\n")
                # What is acknowledged is never sent again: it has to be kept before.
                file.flush()
                os.fsync(file.fileno())
                ack(sequence)


if __name__ == "__main__":
    main()
