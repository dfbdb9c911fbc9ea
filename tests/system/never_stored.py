#!/usr/bin/env python3
"""No part of an uploaded picture stays anywhere: pictures with recognisable metadata, file bytes and pixels are
matched, broken off, sent too large, sent one behind the other, and lose their worker; then the memory of imprintd
and its workers, its files, its log and its open descriptors are searched. The same search finds a picture
while it is being uploaded, in a worker that was built not to wipe, and in a file. strace, where there is one,
shows that no file is made or written but the list's.

usage: never_stored.py BUILD_DIRECTORY; ends with 77 where it may not look into another process's memory
"""
import array
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from daemon import Daemon

BUILD = sys.argv[1]
SKIPPED = 77
PAGE = 4096
CHUNK = 8 << 20
LONGEST_NEEDLE = 24
# The kernel shows the pages of the list's file as memory; the file itself is searched.
NOT_MEMORY = ("[vvar", "[vsyscall]", ".mdb")


def check(condition, what):
    assert condition, what


def wait_for(condition, what):
    until = time.monotonic() + 30
    while not condition():
        check(time.monotonic() < until, "waited in vain: " + what)
        time.sleep(0.005)


# --- Pictures -----------------------------------------------------------------------------------------------

class Sample:
    def __init__(self, directory, file_name):
        self.name = file_name.split(".")[0]
        with open(os.path.join(directory, file_name), "rb") as file:
            self.bytes = file.read()
        with open(os.path.join(directory, self.name + ".needles"), encoding="ascii") as lines:
            self.needles = {kind: bytes.fromhex(text) for kind, text in map(str.split, lines)}


def make_samples():
    directory = tempfile.mkdtemp(prefix="imprint-needles-")
    subprocess.run([os.path.join(BUILD, "tests", "needle_pictures"), directory], check=True)
    samples = [Sample(directory, name) for name in sorted(os.listdir(directory)) if not name.endswith("needles")]
    shutil.rmtree(directory)
    check(len(samples) == 4 and all(len(s.needles) == 4 for s in samples), "samples")
    return samples


# --- Searching ----------------------------------------------------------------------------------------------

class Finds(list):
    """Pairs of a needle's name and the place it was found in."""

    def search(self, data, samples, place):
        for sample in samples:
            for kind, needle in sample.needles.items():
                if needle in data:
                    self.append((f"{sample.name} {kind}", place))


def present_runs(pagemap, start, end):
    """Addresses of pages that are in memory or swap, in runs."""
    os.lseek(pagemap, start // PAGE * 8, os.SEEK_SET)
    entries = array.array("Q", os.read(pagemap, (end - start) // PAGE * 8))
    run = None
    for i, entry in enumerate(entries):
        if entry >> 62 and run is None:
            run = i
        elif not entry >> 62 and run is not None:
            yield start + run * PAGE, start + i * PAGE
            run = None
    if run is not None:
        yield start + run * PAGE, start + len(entries) * PAGE


def search_process(pid, samples):
    finds, searched = Finds(), 0
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    pagemap = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY)
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        regions = maps.read().splitlines()
    for region in regions:
        span, mode = region.split()[:2]
        if mode[0] != "r" or any(name in region for name in NOT_MEMORY):
            continue
        start, end = (int(part, 16) for part in span.split("-"))
        for at, stop in present_runs(pagemap, start, end):
            while at < stop:
                try:
                    data = os.pread(memory, min(CHUNK, stop - at), at)
                except OSError:
                    break  # given back meanwhile
                if not data:
                    break
                finds.search(data, samples, f"memory of {pid}: {region}")
                searched += len(data)
                at += len(data) if at + len(data) == stop else max(1, len(data) - LONGEST_NEEDLE + 1)
    os.close(memory)
    os.close(pagemap)
    check(searched > 256 << 10, f"searched only {searched} bytes of {pid}")
    return finds


def search_files(directory, samples):
    finds = Finds()
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    finds.search(file.read(), samples, path)
    return finds


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def workers_of(d):
    """Children of any thread that still have memory."""
    pids = []
    for thread in os.listdir(f"/proc/{d.process.pid}/task"):
        with open(f"/proc/{d.process.pid}/task/{thread}/children", encoding="ascii") as children:
            pids += [int(pid) for pid in children.read().split()]
    return [pid for pid in pids if is_alive(pid)]


def check_descriptors(d):
    """Nothing is open but the list, the log and what has no name."""
    for pid in [d.process.pid, *workers_of(d)]:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
            except FileNotFoundError:
                continue
            fine = (target.startswith(("socket:", "pipe:", "anon_inode:", d.home + "/"))
                    or target in ("/dev/null", d.home))
            is_our_output = pid == d.process.pid and fd == "1" and target == os.readlink("/proc/self/fd/1")
            is_hidden = "deleted" in target or "memfd" in target
            check((fine or is_our_output) and not is_hidden, f"{pid} has {target} open")
        with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
            check(re.search(r"Max core file size +0 +0 ", limits.read()), f"{pid} could leave a core file")
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            check("VmSwap:\t       0 kB" in status.read(), f"{pid} is in swap")


def search_everything(d, samples):
    finds = search_files(d.home, samples)
    for pid in [d.process.pid, *workers_of(d)]:
        finds += search_process(pid, samples)
    return finds


# --- What happens to a picture ------------------------------------------------------------------------------

def post(d, body, length=None, more=b""):
    """A connection on which all this has been sent."""
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.settimeout(30)
    peer.connect(d.socket_path())
    head = f"POST /v1/match HTTP/1.1\r\nHost: x\r\nContent-Length: {length or len(body)}\r\n\r\n".encode()
    try:
        peer.sendall(head + body + more)
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before all was taken
    return peer


def read_to_the_end(peer):
    """A peer that ends with something unread in its queue says so once (ECONNRESET), before what it had answered."""
    got, is_reset = b"", False
    while True:
        try:
            more = peer.recv(65536)
        except ConnectionResetError:
            if is_reset:
                return got
            is_reset, more = True, b" "
        if not more:
            return got
        got += more


def bodies_are_gone(d):
    return d.admin("GET", "/v1/stats").json["server"]["body_memory_bytes"] == 0


def matched(d, samples):
    connection = d.connection()
    for sample in samples:
        answer = d.ask("POST", "/v1/match", sample.bytes, connection=connection)
        check(answer.status == 200 and answer.json["verdict"] == "no_match", answer)
    return [connection]  # stays open while its memory is searched


def hashed_in_a_form(d, samples):
    for sample in samples:
        body = (b'--b\r\nContent-Disposition: form-data; name="f"; filename="needle.jpg"\r\n\r\n' + sample.bytes
                + b"\r\n--b--\r\n")
        answer = d.ask("POST", "/v1/hash", body, headers={"Content-Type": "multipart/form-data; boundary=b"})
        check(answer.status == 200, answer)


def broken_off(d, samples):
    for sample in samples:
        for part in (300, len(sample.bytes) // 2, len(sample.bytes) - 1):
            post(d, sample.bytes[:part], length=len(sample.bytes)).close()


def too_large(d, samples):
    for sample in samples:
        whole = sample.bytes * ((4 << 20) // len(sample.bytes) + 1)
        peer = post(d, whole)
        check(b" 413 " in peer.recv(4096), "413")
        peer.close()
        peer = post(d, sample.bytes, length=30 << 20)
        check(b" 413 " in peer.recv(4096), "413 at once")
        peer.close()


def behind_one_another(d, samples):
    for sample in samples:
        second = f"POST /v1/hash HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sample.bytes)}\r\n\r\n".encode()
        peer = post(d, sample.bytes, more=second + sample.bytes + sample.bytes[:20000])
        answers = read_to_the_end(peer)
        check(answers.count(b" 200 OK") == 2, answers)
        peer.close()


def not_a_picture_after_all(d, samples):
    for sample in samples:
        answer = d.ask("POST", "/v1/match", sample.bytes[:len(sample.bytes) // 3])
        check(answer.status in (200, 422), answer)
        answer = d.ask("POST", "/v1/lists/nowhere/entries", sample.bytes)
        check(answer.status == 403, answer)
        answer = d.ask("POST", "/v1/match?nonsense=1", sample.bytes)
        check(answer.status == 400, answer)


def signal_workers(d, number):
    for pid in workers_of(d):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass  # one that was being replaced


def losing_its_worker(d, samples):
    losses = d.admin("GET", "/v1/stats").json["workers"]["deaths"]
    for sample in samples:
        signal_workers(d, signal.SIGSTOP)
        peer = post(d, sample.bytes)
        # A worker that was just being started may have answered.
        wait_for(lambda: not bodies_are_gone(d) or select.select([peer], [], [], 0)[0], "the body arrives")
        signal_workers(d, signal.SIGKILL)
        check(re.search(rb" (200|422|503) ", peer.recv(65536)), "an answer all the same")
        peer.close()
    check(d.admin("GET", "/v1/stats").json["workers"]["deaths"] > losses, "no worker was lost with a picture")
    wait_for(lambda: d.admin("GET", "/v1/stats").json["workers"]["alive"] == 2, "new workers")


SCENES = (matched, hashed_in_a_form, broken_off, too_large, behind_one_another, not_a_picture_after_all,
          losing_its_worker)


def daemon(*settings):
    return Daemon(BUILD, "workers=2", "image_bytes_max=4M", "body_memory_bytes_max=64M", *settings)


def nothing_of_a_picture_stays(samples):
    d = daemon()
    try:
        d.start()
        for scene in SCENES:
            kept = scene(d, samples)
            wait_for(lambda: bodies_are_gone(d), "bodies are given back")
            finds = search_everything(d, samples)
            check(not finds, f"{scene.__name__}: {finds}")
            check_descriptors(d)
            del kept
            print(f"{scene.__name__}: nothing found")
        d.stop()
        finds = search_files(d.home, samples)
        check(not finds, finds)
    finally:
        d.remove()


def the_same_search_finds_a_picture_where_it_is(samples):
    """Positive controls: a search that finds nothing must be able to find."""
    unwiped = os.path.join(BUILD, "tests", "imprint-worker-unwiped")
    d = daemon(f"worker_path={unwiped}")
    try:
        d.start()
        sample = samples[0]
        peer = post(d, sample.bytes[:-1], length=len(sample.bytes))
        wait_for(lambda: {name.split()[1] for name, _ in search_process(d.process.pid, [sample])}
                 >= {"metadata", "early", "late"}, "an upload is found in the daemon")
        peer.close()
        wait_for(lambda: bodies_are_gone(d), "bodies are given back")
        check(not search_process(d.process.pid, [sample]), "gone from the daemon")

        check(d.ask("POST", "/v1/match", sample.bytes).status == 200, "match")
        found = {name.split()[1] for pid in workers_of(d) for name, _ in search_process(pid, [sample])}
        check(found >= {"metadata", "early", "late"}, f"in an unwiped worker: {found}")

        with open(os.path.join(d.home, "stray"), "wb") as stray:
            stray.write(b"x" * 1000 + sample.bytes)
        check(len(search_files(d.home, [sample])) == 3, "in a file")
        d.stop()
    finally:
        d.remove()


# --- strace -------------------------------------------------------------------------------------------------

WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE")
MAKING = ("creat(", "mkdir", "rename", "link", "mknod", "truncate(", "memfd_create", "symlink")


def strange_calls(trace, home):
    """System calls that make or write a file other than the list's and the sockets."""
    folder = re.escape(home)
    own = re.compile(rf'"({folder}/)?(list\.mdb(\.new|-lock)?|query\.sock|admin\.sock)"|"{folder}", 0700')
    for line in trace.splitlines():
        call = line.split(None, 1)[-1]
        is_open = call.startswith("open") and WRITING.search(call)
        if (is_open or call.startswith(MAKING)) and not own.search(call) and '"/dev/null"' not in call:
            if " = -1 " not in call:
                yield line


def no_file_is_made_but_the_list(samples):
    strace = shutil.which("strace")
    if strace is None:
        print("strace is not installed: not traced")
        return
    d = daemon()
    try:
        check(list(strange_calls('7 openat(AT_FDCWD, "/tmp/x", O_RDWR|O_CREAT, 0600) = 3', d.home)), "control")
        check(list(strange_calls('7 memfd_create("x", 0) = 3', d.home)), "control")
        trace = os.path.join(d.home, "trace")
        real = os.path.join(BUILD, "daemon", "imprintd")
        with open(os.path.join(d.home, "log"), "ab") as log:
            tracer = subprocess.Popen(
                [strace, "-f", "-qq", "-s", "4096", "-e", "trace=%file,ftruncate,memfd_create", "-o", trace, real,
                 "--data-dir", d.home, "--set", "workers=2", "--set", "image_bytes_max=4M"],
                stderr=log, stdin=subprocess.DEVNULL)
        d.process = tracer
        wait_for(d.is_ready, "ready under strace: " + d.log_text())
        for scene in (matched, hashed_in_a_form, broken_off, too_large, behind_one_another):
            scene(d, samples)
        check(d.admin("POST", "/v1/lists", {"name": "ncii"}).status == 201, "a change of the list")
        with open(f"/proc/{tracer.pid}/task/{tracer.pid}/children", encoding="ascii") as children:
            os.kill(int(children.read().split()[0]), signal.SIGTERM)
        tracer.wait(timeout=60)
        with open(trace, encoding="utf-8", errors="replace") as file:
            text = file.read()
        check("list.mdb" in text and text.count("\n") > 20, "traced nothing")
        strange = list(strange_calls(text, d.home))
        check(not strange, "\n".join(strange))
        print("strace: no file is made or written but the list's")
    finally:
        d.remove()


def may_look():
    """Into the memory of a process that is not dumpable, which takes root."""
    d = daemon()
    try:
        d.start()
        os.close(os.open(f"/proc/{d.process.pid}/mem", os.O_RDONLY))
        return True
    except PermissionError:
        return False
    finally:
        d.remove()


def main():
    if not may_look():
        print("skipped: only root may search the memory of imprintd")
        sys.exit(SKIPPED)
    samples = make_samples()
    the_same_search_finds_a_picture_where_it_is(samples)
    nothing_of_a_picture_stays(samples)
    no_file_is_made_but_the_list(samples)
    print("nothing of a picture stays")


if __name__ == "__main__":
    main()
