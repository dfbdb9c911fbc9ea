#!/usr/bin/env python3
"""Writes the seeds that are bytes rather than text: wire messages and rows of the list's file.

Run it after a change of either format, and commit what it wrote under corpus/. Seeds made of text
are kept by hand.
"""
import hashlib
import struct
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"
HASH = bytes(range(32))


def put(target: str, name: str, content: bytes) -> None:
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    (CORPUS / target / name).write_bytes(content)


# --- Wire (daemon/wire.c): the first byte chooses the message ---------------------------------------

VERSION = struct.pack("<I", 1)


def job(views=7, length=1000, policy=0):
    limits = struct.pack("<IIIQQQQ", 20000, 20000, 0, 32 << 20, 1 << 26, 40_000_000, 256 << 20)
    return b"jIMPRNJOB" + VERSION + struct.pack("<IQQI", views, 5, length, policy) + limits


def answer(kind, error=0, orientation=1, is_truncated=0, view_count=1):
    head = kind + b"IMPRANSW" + VERSION + struct.pack("<I", error) + b"THENONCE"
    if error != 0:
        return head
    picture = struct.pack("<IIIBBBBII", 640, 480, 1, orientation, is_truncated, 97, 0, view_count, 0)
    return head + picture + b"".join(struct.pack("<HBB", i, 90, 0) + HASH for i in range(view_count))


def write_wire():
    put("wire", "ready", b"rIMPREADY" + VERSION + struct.pack("<IQ", 3, 0))
    put("wire", "job", job(views=1))
    put("wire", "job_fast", job(policy=1, views=0))
    put("wire", "job_long", job(length=1 << 40))
    put("wire", "answer", answer(b"a", view_count=2))
    put("wire", "answer_upright", answer(b"u"))
    put("wire", "answer_truncated", answer(b"a", is_truncated=1, orientation=6, view_count=0))
    put("wire", "answer_error", answer(b"a", error=5))
    put("wire", "answer_two_for_one", answer(b"u", view_count=2))
    put("wire", "job_unused_set", job()[:45] + b"\1" + job()[46:])
    put("wire", "answer_quality", answer(b"a")[:51] + b"\x65" + answer(b"a")[52:])


# --- Rows (docs/formats.md): the record, the bit to turn, key and value -----------------------------

LIST, ENTRY, CASE, AUDIT, CHANGE = b"A", b"B", b"C", b"D", b"E"


def text(content: bytes) -> bytes:
    return bytes([len(content)]) + content


def list_row(state=1, kind=1, threshold=31, name=b"ncii"):
    fixed = bytes([1, state, kind, threshold, 50, 0, 0, 0]) + struct.pack("<qQ", 1790000000, 3)
    return LIST + b"\3" + struct.pack(">I", 4) + fixed + text(name) + text(b"") + text(b"partner") + text(b"block")


def entry_row(number=17, flags=1, quality=97, note=b"note"):
    fixed = bytes([1, flags, quality, len(note)]) + struct.pack("<IIIqqqQ", 4, 1000, 1, 1790000000, 0, 0, 9)
    return ENTRY + b"\t" + struct.pack(">Q", number) + fixed + HASH + note


def case_row(state=1, reserved=0):
    fixed = bytes([1, state]) + struct.pack("<HIIIqq", reserved, 4, 1000, 2, 1790000000, 0)
    return CASE + b"\x11" + bytes(range(16)) + fixed + bytes(96)


def audit_row(reason=b"because", reserved=0):
    fixed = bytes([1, 6, len(reason), reserved]) + struct.pack("<IqIIQQ", 1000, 1790000000, 4, 0, 17, 1)
    covered = struct.pack(">Q", 7) + fixed + bytes(16) + reason
    # The first record of a chain.
    return AUDIT + b"\x11" + covered + hashlib.blake2b(bytes(32) + covered, digest_size=32).digest()


def change_row(kind=1):
    return CHANGE + b"\x11" + struct.pack(">Q", 7) + bytes([1, kind, 0, 0]) + struct.pack("<IQ", 4, 17)


def write_rows():
    rows = {
        "list": list_row(), "list_threshold": list_row(threshold=64), "list_state": list_row(state=4),
        "list_name": list_row(name=b"a\0b"),
        "entry": entry_row(), "entry_unknown_quality": entry_row(quality=255, note=b""),
        "entry_quality": entry_row(quality=101), "entry_id": entry_row(number=1 << 53), "entry_flag": entry_row(flags=2),
        "case": case_row(), "case_withdrawn": case_row(2), "case_state": case_row(3), "case_reserved": case_row(1, 1),
        "audit": audit_row(), "audit_reason": audit_row(b"a\0"), "audit_reserved": audit_row(reserved=1),
        "change": change_row(), "change_kind": change_row(0),
    }
    for name, row in rows.items():
        put("row", name, row)


if __name__ == "__main__":
    write_wire()
    write_rows()
