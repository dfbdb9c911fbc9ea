"""Small PNG files made on the spot: with structure, flat, or with texts planted where cameras and programs put them."""
import random
import struct
import zlib

SIDE = 160
PLANTED = "Jane-Doe-51.5074N-0.1278W"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(rows: list, extra: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def rich(seed: int, extra: bytes = b"") -> bytes:
    """Twelve by twelve cells of random grey: much contrast, quality 100."""
    numbers = random.Random(seed)
    cells = [[numbers.randrange(256) for _ in range(12)] for _ in range(12)]
    return png([[cells[y * 12 // SIDE][x * 12 // SIDE] for x in range(SIDE)] for y in range(SIDE)], extra)


def plain() -> bytes:
    """One grey: nothing to tell it by."""
    return png([[128] * SIDE for _ in range(SIDE)])


def faint() -> bytes:
    """A gentle slope: hashable, with hardly any quality."""
    return png([[100 + (x + y) // 16 for x in range(SIDE)] for y in range(SIDE)])


def with_secrets(seed: int) -> bytes:
    """PLANTED as a text chunk, as EXIF's artist, and after the end of the picture."""
    text = PLANTED.encode()
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x3b\0\x02" + struct.pack(">II", len(text) + 1, 26) + b"\0\0\0\0" + text + b"\0"
    return rich(seed, chunk(b"tEXt", b"Author\0" + text) + chunk(b"eXIf", tiff)) + text
