#!/usr/bin/env python3
"""32 clients throw bombs, garbage, slow heads, aborted bodies and smuggled requests at one imprintd, while another
client's questions must all be answered, correctly, by the same process from beginning to end.

usage: hostile.py BUILD_DIRECTORY [SECONDS]
"""
import hashlib
import os
import random
import socket
import struct
import sys
import threading
import time
import zlib

from daemon import Daemon, png, scene

BUILD = sys.argv[1]
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 10
CLIENTS = 32
PICTURE = png(scene(1), 160, 120)
OTHER = png(scene(2), 160, 120)


def check(condition, what):
    assert condition, what


# --- Hostile files ------------------------------------------------------------------------------------------

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width, height, *chunks):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IEND", b"")


def deflated_zeros(size):
    packer = zlib.compressobj(9)
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(size >> 20)] + [packer.flush()])


def make_bombs():
    zeros = deflated_zeros(64 << 20)
    return [
        png_of(50000, 50000, chunk(b"IDAT", zeros)),
        png_of(1, 2**31 - 1, chunk(b"IDAT", zeros)),
        png_of(160, 120, chunk(b"iTXt", b"x\0\1\0\0\0" + zeros), chunk(b"IDAT", zlib.compress(bytes(161 * 120)))),
        png_of(160, 120, chunk(b"iCCP", b"x\0\0" + zeros), chunk(b"IDAT", zlib.compress(bytes(161 * 120)))),
        png_of(160, 120, *[chunk(b"tEXt", b"a\0b")] * 20000, chunk(b"IDAT", zlib.compress(bytes(161 * 120)))),
        png_of(160, 120, chunk(b"IDAT", zeros)),  # far more than the picture needs
        b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01" + bytes(5000),
        b"\xff\xd8" + b"\xff\xfe\xff\xff" * 20000,
        b"RIFF\xff\xff\xff\xffWEBPVP8L\xff\xff\xff\xff" + bytes(3000),
        b"GIF89a\xff\xff\xff\xff\xff\0\0" + b"\x2c" + bytes(3000),
        b"",
    ]


BOMBS = make_bombs()
HEAVY = png_of(6000, 6000, chunk(b"IDAT", zlib.compress(bytes(6001 * 6000), 1)))


# --- Hostile deeds: each gets a source of chance and a daemon ------------------------------------------------

def talk(d, data, pause_s=0.0, pieces=1, wait=True):
    """Sends data in pieces and returns what comes back until the end, or nothing."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(20)
        peer.connect(d.socket_path())
        size = max(1, len(data) // pieces)
        try:
            for at in range(0, len(data), size):
                peer.sendall(data[at:at + size])
                if pause_s:
                    time.sleep(pause_s)
        except (BrokenPipeError, ConnectionResetError):
            wait = True  # refused: the answer is there
        try:
            return peer.recv(65536) if wait else b""
        except ConnectionResetError:
            return b""


def upload(body, *heads):
    lines = "".join(f"{head}\r\n" for head in heads) or f"Content-Length: {len(body)}\r\n"
    return f"POST /v1/match HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode() + body


def send_bomb(d, draw):
    return talk(d, upload(draw.choice(BOMBS)))


def send_broken_picture(d, draw):
    data = bytearray(PICTURE[:draw.randrange(1, len(PICTURE))] if draw.random() < 0.5 else PICTURE)
    for _ in range(draw.randrange(20)):
        data[draw.randrange(len(data))] = draw.randrange(256)
    return talk(d, upload(bytes(data)))


def send_garbage(d, draw):
    return talk(d, draw.randbytes(draw.randrange(1, 70000)), wait=draw.random() < 0.5)


def drip_a_head(d, draw):
    return talk(d, b"GET /v1/status HTTP/1.1\r\nX: " + b"y" * 60, pause_s=0.05, pieces=60)


def drip_a_body(d, draw):
    return talk(d, upload(PICTURE[:1000], "Content-Length: 4000"), pause_s=0.05, pieces=50)


def break_off(d, draw):
    body = draw.randbytes(300000)
    return talk(d, upload(body, f"Content-Length: {draw.choice((300001, 900000))}"), wait=False)


def promise_too_much(d, draw):
    return talk(d, upload(b"x" * 1000, f"Content-Length: {draw.choice((10**9, 10**19, 10**30))}"))


def smuggle(d, draw):
    return talk(d, upload(PICTURE, "Content-Length: 5", draw.choice(("Content-Length: 6",
                                                                    "Transfer-Encoding: chunked"))))


def send_broken_chunks(d, draw):
    return talk(d, upload(draw.choice((b"zz\r\nabc", b"ffffffffffffffffff\r\n", b"5\r\nabcdefgh\r\n")),
                          "Transfer-Encoding: chunked"), wait=False)


def send_wrong_forms(d, draw):
    body = b"--b\r\n" * draw.randrange(1, 3000) + b"Content-Disposition: form-data\r\n\r\n"
    return talk(d, upload(body, f"Content-Length: {len(body)}", "Content-Type: multipart/form-data; boundary=b"))


def send_wrong_lines(d, draw):
    body = b"\n".join(draw.randbytes(32) for _ in range(2000))
    request = upload(body, f"Content-Length: {len(body)}", "Content-Type: text/plain")
    return talk(d, request.replace(b"/v1/match", b"/v1/match/batch", 1))


def pipeline(d, draw):
    return talk(d, upload(OTHER) * 5 + b"GET " + b"/" * 3000, wait=draw.random() < 0.5)


def come_and_go(d, draw):
    peers = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(20)]
    for peer in peers:
        peer.settimeout(20)
        peer.connect(d.socket_path())
    for peer in peers:
        peer.close()
    return b""


DEEDS = (send_bomb, send_broken_picture, send_garbage, drip_a_head, drip_a_body, break_off, promise_too_much, smuggle,
         send_broken_chunks, send_wrong_forms, send_wrong_lines, pipeline, come_and_go)


class Hostile(threading.Thread):
    def __init__(self, d, number, until):
        super().__init__()
        self.d, self.number, self.until = d, number, until
        self.draw = random.Random(number)
        self.deeds, self.statuses, self.failure = 0, {}, None

    def run(self):
        try:
            while time.monotonic() < self.until:
                if self.number == 0:  # one has the pictures that are costly by right
                    answer = talk(self.d, upload(HEAVY))
                else:
                    answer = self.draw.choice(DEEDS)(self.d, self.draw)
                self.deeds += 1
                if answer.startswith(b"HTTP/1.1 "):
                    status = int(answer[9:12])
                    self.statuses[status] = self.statuses.get(status, 0) + 1
        except BaseException as failure:  # told by the main thread
            self.failure = failure


# --- Somebody who just wants answers --------------------------------------------------------------------------

class Counts:
    hashes = pictures = busy = 0
    slowest_s = 0.0


def ask_picture(d, connection, picture, counts):
    """Busy is an answer too, but one must come in the end."""
    for _ in range(20):
        answer = d.ask("POST", "/v1/match", picture, connection=connection)
        if answer.status != 503:
            return answer
        counts.busy += 1
        time.sleep(int(answer.headers["Retry-After"]))
    return answer


def ask_until(d, entry, until):
    counts = Counts()
    connection = d.connection()
    while time.monotonic() < until:
        for _ in range(20):
            began = time.monotonic()
            hit = d.ask("GET", "/v1/match?hash=" + entry["hash"], connection=connection)
            counts.slowest_s = max(counts.slowest_s, time.monotonic() - began)
            check(hit.status == 200 and hit.json["matches"][0]["entry"] == entry["id"], hit)
            far = hashlib.sha256(b"%d" % counts.hashes).hexdigest()
            miss = d.ask("GET", "/v1/match?hash=" + far, connection=connection)
            check(miss.status == 200 and miss.json["verdict"] == "no_match", miss)
            counts.hashes += 2
        hit = ask_picture(d, connection, PICTURE, counts)
        check(hit.status == 200 and hit.json["matches"][0]["entry"] == entry["id"], hit)
        miss = ask_picture(d, connection, OTHER, counts)
        check(miss.status == 200 and miss.json["verdict"] == "no_match", miss)
        counts.pictures += 2
    connection.close()
    return counts


def nobody_elses_request_is_lost(d):
    check(d.admin("POST", "/v1/lists", {"name": "ncii"}).status == 201, "list")
    entry = d.admin("POST", "/v1/lists/ncii/entries", PICTURE, headers={"Content-Type": "image/png"}).json
    pid, until = d.process.pid, time.monotonic() + SECONDS
    crowd = [Hostile(d, number, until) for number in range(CLIENTS)]
    for hostile in crowd:
        hostile.start()
    try:
        counts = ask_until(d, entry, until)
    finally:
        for hostile in crowd:
            hostile.until = 0
            hostile.join()
    for hostile in crowd:
        check(hostile.failure is None, f"client {hostile.number}: {hostile.failure!r}")

    statuses = {}
    for hostile in crowd:
        for status, count in hostile.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    deeds = sum(hostile.deeds for hostile in crowd)
    print(f"{deeds} hostile deeds by {CLIENTS} clients, answered {dict(sorted(statuses.items()))}")
    print(f"{counts.hashes} questions by hash and {counts.pictures} by picture, all answered; "
          f"busy {counts.busy} times, slowest hash {1000 * counts.slowest_s:.0f} ms")
    check({200, 400, 408, 413, 415, 422} <= set(statuses), "the crowd was not hostile enough")
    check(500 not in statuses, "internal errors")
    check(counts.hashes >= 40 and counts.pictures >= 2, "hardly anything was asked")
    check(d.process.poll() is None and d.process.pid == pid and os.path.exists(f"/proc/{pid}"), "the daemon ended")
    return entry


def nothing_is_left_behind(d, entry):
    until = time.monotonic() + 30
    while True:
        stats = d.admin("GET", "/v1/stats").json
        left = stats["server"]["body_memory_bytes"] + stats["workers"]["queued"]
        if left == 0 and stats["server"]["connections"] <= 2 and stats["workers"]["alive"] == 2:
            break
        check(time.monotonic() < until, f"left behind: {stats}")
        time.sleep(0.05)
    print(f"workers: {stats['workers']}")
    check(stats["workers"]["violations"] == 0, "a worker tried to leave its cage")
    hit = d.ask("POST", "/v1/match", PICTURE)
    check(hit.json["matches"][0]["entry"] == entry["id"], hit)


def main():
    d = Daemon(BUILD, "workers=2", "head_timeout_ms=1000", "body_timeout_ms=1500", "image_bytes_max=8M",
               "body_memory_bytes_max=128M")
    try:
        d.start()
        entry = nobody_elses_request_is_lost(d)
        nothing_is_left_behind(d, entry)
        d.stop()
        check(d.log_text().count("main: ready") == 1, "restarted")
    except BaseException:
        print(d.log_text()[-4000:], file=sys.stderr)
        raise
    finally:
        d.remove()
    print("32 hostile clients: nobody else noticed")


if __name__ == "__main__":
    main()
