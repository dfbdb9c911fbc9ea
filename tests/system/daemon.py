"""What the system tests share: a real imprintd on a directory of its own, a client, pictures."""
import http.client
import json
import math
import os
import random
import signal
import socket
import struct
import subprocess
import tempfile
import time
import zlib


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["error"]["code"]

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Daemon:
    """imprintd on a temporary directory; kill() is kill -9, stop() is SIGTERM and must end well."""

    def __init__(self, build, *settings, directory=None, environment=None):
        self.program = os.path.join(build, "daemon", "imprintd")
        self.settings = settings
        self.environment = environment
        self.home = directory or tempfile.mkdtemp(prefix="imprint-")
        self.config = os.path.join(self.home, "imprintd.conf")
        self.process = None
        self.configure("")

    def configure(self, text):
        with open(self.config, "w", encoding="utf-8") as config:
            config.write(text)

    def start(self, ready=True):
        self.log = open(os.path.join(self.home, "log"), "ab")
        arguments = [self.program, "--data-dir", self.home, "--config", self.config]
        for setting in self.settings:
            arguments += ["--set", setting]
        self.process = subprocess.Popen(arguments, stderr=self.log, stdin=subprocess.DEVNULL,
                                        env=self.environment)
        if ready:
            until = time.monotonic() + 60
            while not self.is_ready():
                assert self.process.poll() is None, self.log_text()
                assert time.monotonic() < until, "not ready in a minute: " + self.log_text()
                time.sleep(0.01)
        return self

    def is_ready(self):
        try:
            return self.ask("GET", "/v1/status").status == 200
        except OSError:
            return False

    def log_text(self):
        with open(os.path.join(self.home, "log"), encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_log(self, text, count=1):
        until = time.monotonic() + 30
        while self.log_text().count(text) < count:
            assert time.monotonic() < until, f"not in the log: {text}\n{self.log_text()}"
            time.sleep(0.01)

    def socket_path(self, admin=False):
        return os.path.join(self.home, "admin.sock" if admin else "query.sock")

    def connection(self, admin=False):
        return UnixConnection(self.socket_path(admin))

    def ask(self, method, path, body=None, admin=False, headers=None, connection=None):
        own = connection is None
        connection = connection or self.connection(admin)
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers = {"Content-Type": "application/json", **(headers or {})}
        try:
            connection.request(method, path, body=body, headers=headers or {})
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the body was read: the answer is there all the same
        response = connection.getresponse()
        answer = Answer(response.status, dict(response.getheaders()), response.read())
        if own:
            connection.close()
        return answer

    def admin(self, method, path, body=None, **more):
        return self.ask(method, path, body, admin=True, **more)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        assert status == 0, f"ended with {status}\n{self.log_text()}"

    def remove(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        subprocess.run(["rm", "-rf", self.home], check=True)


def scene(seed):
    """A picture without a size: light and discs drawn from a seed."""
    draw = random.Random(seed)
    waves = [(draw.uniform(0.5, 6), draw.uniform(0.5, 6), draw.uniform(0, 6.3), draw.uniform(10, 30))
             for _ in range(6)]
    discs = [(draw.random(), draw.random(), draw.uniform(0.05, 0.22), draw.randrange(256))
             for _ in range(8)]

    def light(x, y):
        value = 120 + sum(a * math.sin(fx * x * 6.28 + fy * y * 6.28 + p) for fx, fy, p, a in waves)
        for cx, cy, radius, paint in discs:
            if math.hypot(x - cx, y - cy) < radius:
                value = paint
        return max(0, min(255, int(value)))
    return light


def png(light, width, height):
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    rows = b"".join(b"\0" + bytes(light(x / width, y / height) for x in range(width))
                    for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))
