# SPDX-License-Identifier: Apache-2.0
"""The log's files, read by a second implementation of docs/wal-format.md, and what a crash or a bad disk does to them.

A crash (here: of the machine, which SIGKILL alone doesn't show) leaves any of these behind the last synced write, and
recovery must cut it off: bytes that mean nothing, half a record, zeros, a write that lost its end or one of its blocks,
a segment whose header was just being written.
"""

import hashlib
import os
import re
import struct

SEGMENT_HEADER = 64
RECORD = struct.Struct("<IIBBHQq32s")
MORE, WRITE_BEGINS = 1, 1


class Record:
    __slots__ = ("offset", "end", "kind", "flags", "marks", "sequence", "chain", "recorded_at", "payload")

    def __init__(self, offset, end, kind, flags, marks, sequence, chain, recorded_at, payload):
        self.offset, self.end, self.kind, self.flags, self.marks = offset, end, kind, flags, marks
        self.sequence, self.chain, self.recorded_at, self.payload = sequence, chain, recorded_at, payload


class Segment:
    """`records` are those whose chain is right; behind `whole_end` the file holds something else, or nothing."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            data = self.data = file.read()
        self.size = len(data)
        self.records, self.whole_end = [], min(SEGMENT_HEADER, len(data))
        self.start = None  # (first sequence, chain before it), when there is a header
        # A header that was never finished, at the front of a prepared file of zeros perhaps, is none.
        self.has_header = data.startswith(b"STEMEWAL") and any(data[SEGMENT_HEADER - 1:])
        if not self.has_header:
            return
        due, chain = self.start = struct.unpack_from("<Q32s", data, 16)
        while self.whole_end + RECORD.size <= self.size:
            at = self.whole_end
            length, _, kind, flags, marks, sequence, recorded_at, own = RECORD.unpack_from(data, at)
            end = at + RECORD.size + length
            payload = data[at + RECORD.size:end]
            said = struct.pack("<BBQq", kind, flags, sequence, recorded_at) + payload
            chain = hashlib.sha256(chain + said).digest()
            if end > self.size or sequence != due or own != chain:
                return
            self.records.append(Record(at, end, kind, flags, marks, sequence, chain, recorded_at, payload))
            self.whole_end, due = end, due + 1

    def whole(self):
        """Zeros behind the records are room that was prepared for more."""
        has_end = not self.data[self.whole_end:].strip(b"\0")
        return self.has_header and has_end and not (self.records and self.records[-1].flags & MORE)

    def last_write(self):
        """The records of the last write: all before them was synced before they were written."""
        for i in range(len(self.records) - 1, -1, -1):
            if self.records[i].marks & WRITE_BEGINS:
                return self.records[i:]
        return []


def segment_paths(wal_dir):
    if not os.path.isdir(wal_dir):
        return []
    names = (name for name in os.listdir(wal_dir) if re.fullmatch(r"segment-\d{5,}\.log", name))
    return [os.path.join(wal_dir, name) for name in sorted(names, key=lambda n: (len(n), n))]


def _append(path, data):
    with open(path, "ab") as file:
        file.write(data)


def tear(rng, wal_dir, seen):
    """Leaves in the log what a crash may leave, and says what. `seen` is the highest sequence that anybody was told of:
    no record up to it is touched."""
    paths = segment_paths(wal_dir)
    if not paths:
        return None
    last = Segment(paths[-1])
    if not last.has_header:
        return None  # the kill came while this segment was being made: no write has reached it
    write = last.last_write()
    unseen = write and write[0].sequence > seen
    ways = [_garbage, _zeros, _half_record]
    if last.whole():
        ways.append(_unborn_segment)
    if unseen:
        ways += [_cut, _cut, _lose_block, _lose_block]
    return rng.choice(ways)(rng, last, write)


def _garbage(rng, last, _):
    size = rng.choice((1, 7, 59, 60, 61, 300, 4096, rng.randrange(1, 20_000)))
    _append(last.path, rng.randbytes(size))
    return f"{size} bytes of garbage behind the log"


def _zeros(rng, last, _):
    size = rng.choice((1, 59, 60, 512, 4096, rng.randrange(1, 20_000)))
    _append(last.path, bytes(size))
    return f"{size} zeros behind the log"


def _half_record(rng, last, _):
    payload = rng.randbytes(rng.randrange(1, 2000))
    sequence = last.records[-1].sequence + 1 if last.records else 1
    chain = last.records[-1].chain if last.records else bytes(32)
    said = struct.pack("<BBQq", 1, 0, sequence, 1_800_000_000_000) + payload
    record = RECORD.pack(len(payload), rng.getrandbits(32), 1, 0, WRITE_BEGINS, sequence, 1_800_000_000_000,
                         hashlib.sha256(chain + said).digest()) + payload
    size = rng.randrange(1, len(record))
    _append(last.path, record[:size])
    return f"{size} of a record's {len(record)} bytes behind the log"


def _unborn_segment(rng, last, _):
    number = int(re.search(r"(\d+)\.log$", last.path).group(1)) + 1
    content = rng.choice((b"", b"STEMEWAL"[:rng.randrange(1, 9)], bytes(rng.randrange(1, 5000))))
    with open(os.path.join(os.path.dirname(last.path), f"segment-{number:05}.log"), "wb") as file:
        file.write(content)
    return f"a segment {number} with {len(content)} bytes of an unwritten header"


def _cut(rng, last, write):
    """The file system brought the file's old length back, or part of the way to the new one."""
    at = rng.randrange(write[0].offset, last.whole_end)
    os.truncate(last.path, at)
    return f"the last, unacknowledged write (from sequence {write[0].sequence}) cut {last.whole_end - at} bytes before its end"


def _lose_block(rng, last, write):
    """A block of the last write never reached the disk, later ones did."""
    blocks = range(-(-write[0].offset // 512), last.whole_end // 512)
    if not blocks:
        return _cut(rng, last, write)
    block = rng.choice(blocks)
    with open(last.path, "r+b") as file:
        file.seek(block * 512)
        file.write(bytes(512))
    return f"a block of zeros in the last, unacknowledged write (from sequence {write[0].sequence})"


def flip_bit(rng, path, offset, end):
    """Damage: one bit between two offsets of a file."""
    at = rng.randrange(offset, end)
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0] ^ (1 << rng.randrange(8))
        file.seek(at)
        file.write(bytes([byte]))
    return at
