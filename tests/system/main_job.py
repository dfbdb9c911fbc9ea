#!/usr/bin/env python3
"""The main job on the real daemon with real workers: lists, entries, matches, cases, restarts, kill -9,
SIGTERM in the middle of a request, SIGHUP, and a bad request for every error a client can cause.

usage: main_job.py BUILD_DIRECTORY
"""
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib

from daemon import Daemon, png, scene

BUILD = sys.argv[1]
HEX = "d8f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22"
PICTURE = png(scene(1), 400, 300)
SMALLER = png(scene(1), 256, 192)
OTHER = png(scene(2), 400, 300)
FLAT = png(lambda x, y: 128, 64, 64)


def far_hash(number):
    """Hashes far from each other: 256 bits of SHA-256."""
    return hashlib.sha256(b"%d" % number).hexdigest()


def check(condition, what):
    assert condition, what


def a_reported_picture_is_recognised(d):
    made = d.admin("POST", "/v1/lists", {"name": "ncii", "note": "reported here"})
    check(made.status == 201 and made.json["name"] == "ncii", made)
    check(d.admin("POST", "/v1/lists", {"name": "ncii"}).code == "list_exists", "twice")
    before = d.ask("POST", "/v1/match", PICTURE)
    check(before.status == 200 and before.json["verdict"] == "no_match", before)

    added = d.admin("POST", "/v1/lists/ncii/entries", PICTURE, headers={"Content-Type": "image/png"})
    check(added.status == 201 and added.json["list"] == "ncii", added)
    same = d.ask("POST", "/v1/match", PICTURE).json
    check(same["verdict"] == "match" and same["matches"][0]["distance"] == 0, same)
    check(same["matches"][0]["entry"] == added.json["id"], same)
    check(same["matches"][0]["view"] == "upright" and same["matches"][0]["action"] == "block", same)
    smaller = d.ask("POST", "/v1/match", SMALLER).json
    check(smaller["verdict"] == "match" and smaller["matches"][0]["distance"] <= 31, smaller)
    check(d.ask("POST", "/v1/match", OTHER).json["verdict"] == "no_match", "other")
    check(d.ask("POST", "/v1/match", FLAT).json["verdict"] == "unhashable", "flat")

    told = d.ask("POST", "/v1/hash", PICTURE).json
    check(told["hash"] == added.json["hash"] and told["format"] == "png" and told["width"] == 400, told)
    by_hash = d.ask("GET", "/v1/match?hash=" + told["hash"].upper()).json
    check(by_hash["matches"][0]["entry"] == added.json["id"] and by_hash["quality"] is None, by_hash)
    check(d.ask("HEAD", "/v1/match?hash=" + told["hash"]).body == b"", "HEAD")
    return added.json


def many_hashes_in_one_request(d, entry):
    text = d.ask("POST", "/v1/match/batch", f"{far_hash(3)}\n{entry['hash']}\n", headers={"Content-Type": "text/plain"})
    lines = [json.loads(line) for line in text.body.splitlines()]
    check([line["verdict"] for line in lines] == ["no_match", "match"], text)
    binary = d.ask("POST", "/v1/match/batch", bytes.fromhex(far_hash(3) + entry["hash"]) * 20000,
                   headers={"Content-Type": "application/octet-stream", "Accept": "application/octet-stream"})
    check(len(binary.body) == 16 * 40000 and binary.body[10] == 0 and binary.body[26] == 1, binary.status)
    check(int.from_bytes(binary.body[16:24], "little") == entry["id"], "entry")
    form = (b'--b\r\nContent-Disposition: form-data; name="photo"; filename="x.png"\r\n\r\n' + PICTURE + b"\r\n--b--\r\n")
    told = d.ask("POST", "/v1/match", form, headers={"Content-Type": "multipart/form-data; boundary=b"}).json
    check(told["verdict"] == "match", told)
    opinion = {"match": told["matches"][0]["match"], "verdict": "confirmed"}
    check(d.ask("POST", "/v1/feedback", opinion).status == 204, "feedback")
    check(d.admin("GET", "/v1/feedback").json["feedback"][0]["entry"] == entry["id"], "kept")


def a_list_and_its_entries_are_governed(d, entry):
    one = f"/v1/entries/{entry['id']}"
    query = "/v1/match?hash=" + entry["hash"]

    def verdict():
        return d.ask("GET", query).json["verdict"]
    check(d.admin("GET", one).json == {k: v for k, v in entry.items() if k != "duplicate"}, "shown")
    check(d.admin("GET", "/v1/entries?hash=" + entry["hash"]).json["entries"][0]["id"] == entry["id"], "found")
    check(d.admin("PATCH", one, {"disabled_until": 2**63 - 1}).status == 200 and verdict() == "no_match", "off")
    check(d.admin("PATCH", one, {"disabled_until": 0}).status == 200 and verdict() == "match", "on")
    check(d.admin("PATCH", one, {"expires": 1}).status == 200 and verdict() == "no_match", "expired")
    check(d.admin("PATCH", one, {"expires": 0}).status == 200 and verdict() == "match", "not expired")
    for state, expected in (("off", "no_match"), ("shadow", "no_match"), ("active", "match")):
        check(d.admin("PATCH", "/v1/lists/ncii", {"state": state}).json["state"] == state, state)
        check(verdict() == expected, state)

    lines = "".join(json.dumps({"hash": far_hash(i), "quality": 90}) + "\n" for i in range(2500))
    batch = d.admin("POST", "/v1/lists/ncii/entries/batch", lines)
    check(batch.json == {"lines": 2500, "added": 2500, "duplicates": 0}, batch)
    again = d.admin("POST", "/v1/lists/ncii/entries/batch?atomic=1", lines)
    check(again.json == {"lines": 2500, "added": 0, "duplicates": 2500}, again)
    seen, after = 0, 0
    while after is not None:
        page = d.admin("GET", f"/v1/lists/ncii/entries?after={after}&limit=1000").json
        seen, after = seen + len(page["entries"]), page["next"]
    check(seen == 2501 and d.ask("GET", "/v1/status").json["entries"] == 2501, seen)
    check(d.ask("GET", "/v1/match?hash=" + far_hash(7)).json["verdict"] == "match", "bulk")

    check(d.admin("POST", "/v1/lists", {"name": "second", "threshold": 0, "action": "review"}).status == 201, "")
    check(d.admin("POST", "/v1/lists/second/entries", {"hash": entry["hash"]}).status == 201, "two lists")
    both = d.ask("GET", query).json["matches"]
    check({m["list"] for m in both} == {"ncii", "second"}, both)
    only = d.ask("GET", query + "&lists=second").json["matches"]
    check([m["action"] for m in only] == ["review"], only)
    check(d.admin("DELETE", "/v1/lists/second?reason=not+needed").status == 200, "deleted")
    check(d.admin("GET", "/v1/lists/second").code == "list_not_found", "gone")


def report(case, *hashes):
    def verifier(use):
        key = hashlib.blake2b(b"root", key=use, digest_size=32).digest()
        raw = b"imprint-verifier/1/" + use + b"\xff" * 16 + key
        return hashlib.blake2b(raw, digest_size=32).hexdigest(), key.hex()
    return {"format": "imprint-report/1", "algorithm": "pdq/1", "tool": "imprint 0.1.0",
            "case": {"id": case, "day": "2026-11-22", "status_verifier": verifier(b"status")[0],
                     "withdraw_verifier": verifier(b"withdraw")[0], "append_verifier": verifier(b"append")[0]},
            "statements": {"text": "en-GB/1", "adult": True, "mine": True, "understood": True},
            "items": [{"hash": h, "quality": 97} for h in hashes], "padding": "  "}, verifier(b"withdraw")[1]


def a_case_comes_in_and_is_withdrawn(d):
    case = "7" + "Z" * 25
    file, key = report(case, far_hash(90001), far_hash(90002))
    query = "/v1/match?hash=" + far_hash(90001)
    taken = d.admin("POST", "/v1/cases?list=ncii", file)
    check(taken.status == 201 and taken.json["state"] == "active" and taken.json["items"] == 2, taken)
    check(d.admin("POST", "/v1/cases?list=ncii", file).json["new"] is False, "same report twice")
    check(d.ask("GET", query).json["verdict"] == "match", "in force")
    other, _ = report(case, far_hash(90003))
    other["case"]["append_verifier"] = HEX
    check(d.admin("POST", "/v1/cases?list=ncii", other).code == "case_conflict", "conflict")
    check(d.admin("GET", "/v1/cases/" + case).json["list"] == "ncii", "shown")

    path = f"/v1/cases/{case}/withdraw"
    wrong = {"format": "imprint-withdrawal/1", "case": {"id": case}, "key": "00" * 32}
    check(d.admin("POST", path, wrong).code == "case_not_found", "wrong key")
    check(d.admin("POST", path).code == "parameter_invalid", "no reason")
    check(d.ask("GET", query).json["verdict"] == "match", "still in force")
    check(d.admin("POST", path, {**wrong, "key": key}).json["state"] == "withdrawn", "withdrawn")
    check(d.ask("GET", query).json["verdict"] == "no_match", "gone at once")
    check(d.admin("POST", "/v1/cases?list=ncii", file).code == "case_withdrawn", "does not come back")
    check(d.admin("GET", "/v1/cases/" + "0" * 26).code == "case_not_found", "unknown")


def every_error_a_client_can_cause(d):
    """Each is answered with its code, and the daemon goes on."""
    header = b"IHDR" + (50000).to_bytes(4, "big") * 2 + PICTURE[24:29]
    huge = PICTURE[:12] + header + zlib.crc32(header).to_bytes(4, "big") + PICTURE[33:]
    cases = [
        ("image_empty", 422, ("POST", "/v1/match", b"")),
        ("image_unknown", 415, ("POST", "/v1/match", b"not a picture at all")),
        ("image_unsupported", 415, ("POST", "/v1/match", b"\0\0\0\x20ftypheic" + b"\0" * 40)),
        ("image_malformed", 422, ("POST", "/v1/match", PICTURE[:16] + b"\xff" * 60)),
        ("image_truncated", 422, ("POST", "/v1/match", PICTURE[:45])),
        ("image_too_large", 413, ("POST", "/v1/match", huge)),
        ("hash_invalid", 400, ("GET", "/v1/match?hash=12")),
        ("parameter_invalid", 400, ("GET", "/v1/match")),
        ("parameter_invalid", 400, ("GET", f"/v1/match?hash={HEX}&hash={HEX}")),
        ("parameter_invalid", 400, ("GET", f"/v1/match?hash={HEX}&list=ncii")),
        ("list_not_found", 404, ("GET", f"/v1/match?hash={HEX}&lists=nope")),
        ("forbidden", 403, ("GET", "/v1/lists")),
        ("route_not_found", 404, ("GET", "/v2/match")),
        ("method_not_allowed", 405, ("PUT", "/v1/match", b"x")),
        ("body_too_large", 413, ("POST", "/v1/match", b"x" * (1 << 20) + b"y")),
        ("body_too_large", 413, ("GET", "/v1/status", b"body")),
    ]
    admin_cases = [
        ("json_invalid", 400, ("POST", "/v1/lists", "{")),
        ("parameter_invalid", 400, ("POST", "/v1/lists", {"name": "Bad Name"})),
        ("parameter_invalid", 400, ("POST", "/v1/lists", {"name": "x", "threshold": 64})),
        ("parameter_invalid", 400, ("GET", "/v1/lists?limit=0")),
        ("entry_not_found", 404, ("GET", "/v1/entries/999999999")),
        ("entry_not_found", 404, ("DELETE", "/v1/entries/999999999")),
        ("case_not_found", 404, ("GET", "/v1/cases/nonsense")),
        ("report_invalid", 422, ("POST", "/v1/cases?list=ncii", "{}")),
        ("list_not_found", 404, ("POST", "/v1/cases?list=nope", report("1" + "0" * 25, HEX)[0])),
        ("list_not_found", 404, ("POST", "/v1/lists/nope/entries", {"hash": HEX})),
        ("parameter_invalid", 400, ("POST", "/v1/lists/ncii/entries", {"hash": HEX, "quality": 3})),
        ("body_too_large", 413, ("POST", "/v1/lists", "x" * 70000)),
    ]
    for admin, table in ((False, cases), (True, admin_cases)):
        for code, status, request in table:
            answer = d.ask(*request, admin=admin)
            check((answer.status, answer.code) == (status, code), f"{request[:2]}: {answer}, not {code}")
            check(answer.headers["Content-Type"] == "application/json", answer)
    check(d.ask("PUT", "/v1/match", b"x").headers["Allow"] == "GET, HEAD, POST", "Allow")
    check(raw(d, b"POST /v1/match HTTP/1.1\r\nHost: l\r\n\r\n").startswith(b"HTTP/1.1 411"), "411")
    check(b'"bad_request"' in raw(d, b"POST /v1/match HTTP/1.1\r\nHost: l\r\nContent-Length: 1\r\n"
                                     b"Content-Length: 1\r\n\r\nx"), "400")
    check(b'"request_timeout"' in raw(d, b"GET /v1/live HTTP/1.1\r\nHo"), "408")
    check(d.is_ready(), "goes on")


def raw(d, text):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(d.socket_path())
        client.sendall(text)
        got = b""
        while True:
            more = client.recv(65536)
            got += more
            if not more or (b"\r\n\r\n" in got and got.endswith(b"}\n")):
                return got


def what_was_acknowledged_survives_kill(d):
    """Adds go on from two connections while the daemon is killed; whatever was answered is there after."""
    acknowledged = []

    def add(start):
        try:
            for i in range(start, start + 100000):
                if d.admin("POST", "/v1/lists/ncii/entries", {"hash": far_hash(i)}).status == 201:
                    acknowledged.append(i)
        except OSError:
            pass
        except Exception:  # an answer cut in two by the kill
            pass
    adders = [threading.Thread(target=add, args=(start,)) for start in (200000, 400000)]
    for adder in adders:
        adder.start()
    while len(acknowledged) < 20:
        time.sleep(0.005)
    d.kill()
    for adder in adders:
        adder.join()
    d.start()
    check(len(acknowledged) >= 20, acknowledged)
    for i in acknowledged:
        check(d.ask("GET", "/v1/match?hash=" + far_hash(i)).json["verdict"] == "match", f"lost: {i}")


def restart_keeps_everything(d):
    status = d.ask("GET", "/v1/status").json
    d.stop()
    check(not os.path.exists(d.socket_path()), "socket removed")
    d.start()
    check(d.ask("GET", "/v1/status").json == status, "same list, same seq, same epoch")
    check(d.ask("POST", "/v1/match", SMALLER).json["verdict"] == "match", "still recognised")


def sigterm_finishes_what_is_in_flight(d):
    with socket.socket(socket.AF_UNIX) as slow:
        slow.settimeout(30)
        slow.connect(d.socket_path())
        slow.sendall(b"POST /v1/match HTTP/1.1\r\nHost: l\r\nContent-Length: %d\r\n\r\n" % len(PICTURE)
                     + PICTURE[:1000])
        # The first bytes have arrived when the daemon holds memory for them.
        while b"imprint_body_memory_bytes 0\n" in d.admin("GET", "/metrics").body:
            pass
        d.process.send_signal(signal.SIGTERM)
        while os.path.exists(d.socket_path()):
            time.sleep(0.005)
        slow.sendall(PICTURE[1000:])
        answer = b""
        while True:
            more = slow.recv(65536)
            if not more:
                break
            answer += more
    check(b'"verdict":"match"' in answer and b"200 OK" in answer, answer)
    check(d.process.wait(timeout=30) == 0, "ended well")
    d.start()


def sighup_reloads(d):
    query = "/v1/match?hash=" + far_hash(7)
    check(d.ask("GET", query).json["matches"][0]["distance"] == 0, "exact")
    d.configure("distance = hidden\nqueue_max = 7\n")
    d.process.send_signal(signal.SIGHUP)
    d.wait_log("configuration reloaded")
    check("distance" not in d.ask("GET", query).json["matches"][0], "hidden")
    check(d.admin("GET", query).json["matches"][0]["distance"] == 0, "admins see it")
    check("queue_max takes effect after a restart" in d.log_text(), d.log_text())
    d.configure("distance = nonsense\n")
    d.process.send_signal(signal.SIGHUP)
    d.wait_log("configuration kept as it was")
    check("imprintd.conf:1: distance: 'nonsense' is not allowed" in d.log_text(), d.log_text())
    check("distance" not in d.ask("GET", query).json["matches"][0], "kept")
    d.configure("")


def numbers_are_told(d):
    text = d.admin("GET", "/metrics").body.decode()
    check('imprint_http_requests_total{route="POST /v1/match",status="200"}' in text, text)
    check("imprint_ready 1" in text and "imprint_workers 2" in text, text)
    check(HEX not in text and far_hash(7) not in text, "no hash in metrics")
    stats = d.admin("GET", "/v1/stats").json
    check(stats["list"]["ready"] and stats["workers"]["alive"] == 2, stats)
    check(far_hash(7) not in d.log_text(), "no hash in the log")


def the_file_is_cared_for(d):
    records = d.admin("GET", "/v1/audit?limit=1000").json["records"]
    verbs = [r["verb"] for r in records]
    check(verbs[0] == "list_create" and "case_withdraw" in verbs and records[0]["uid"] == os.getuid(), records[:3])
    check(HEX not in json.dumps(records) and far_hash(90001) not in json.dumps(records), "no hash in the audit")
    check(d.admin("GET", "/v1/audit/verify").json["intact"], "chain")
    changes = d.admin("GET", "/v1/changes?limit=1000").json
    check(changes["epoch"] == d.ask("GET", "/v1/status").json["epoch"] and changes["next"], "changes")
    check(any(c["kind"] == "list_removed" for c in all_changes(d)), "list removed")
    check(d.admin("POST", "/v1/compact?reason=spring").json["file_bytes"] > 0, "compact")
    backup = os.path.join(d.home, "backup.mdb")
    check(d.admin("POST", "/v1/backup", {"path": backup}).status == 201, "backup")
    check(os.stat(backup).st_mode & 0o777 == 0o600, "backup's mode")
    check(d.ask("POST", "/v1/match", SMALLER).json["verdict"] == "match", "still recognised")


def all_changes(d):
    after = 0
    while after is not None:
        page = d.admin("GET", f"/v1/changes?after={after}&limit=1000").json
        yield from page["changes"]
        after = page["next"]


def wrong_starts_say_why(d):
    def run(*arguments):
        done = subprocess.run([d.program, *arguments], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr
    status, text = run("--data-dir", d.home)
    check(status == 1 and ("another process" in text or "in use" in text or "cannot start" in text), text)
    check(run("--set", "workers=x", "--check")[0] == 2, "check")
    check("0 to 64 processes" in run("--set", "workers=x", "--check")[1], "says what is allowed")
    check(run("--no-such-option")[0] == 2 and run("stray")[0] == 2, "usage")
    check(run("--config", "/nonexistent", "--check")[0] == 2, "no file")
    check(run("--version") == (0, "imprintd 0.1.0\n"), run("--version"))
    check("--print-config" in run("--help")[1], "help")
    status, text = run("--print-config", "--set", "queue_max=9")
    check(status == 0 and "queue_max = 9\n" in text, text)
    check(d.is_ready(), "the running one is unharmed")


def sockets_handed_over_are_served_and_left(d):
    """As systemd does it: the sockets outlive the daemon, which says when it is ready and when it ends."""
    home = os.path.join(d.home, "activated")
    os.mkdir(home, 0o700)
    listeners, paths = [], [os.path.join(home, name) for name in ("a", "q", "notify")]
    for path in paths[:2]:
        listeners.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listeners[-1].bind(path)
        listeners[-1].listen(16)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(paths[2])
        manager.settimeout(60)

        def hand_over():
            high = [os.dup2(listener.fileno(), 20 + i) for i, listener in enumerate(listeners)]
            for i, number in enumerate(high):
                os.dup2(number, 3 + i)  # inheritable
        process = subprocess.Popen(
            ["sh", "-c", 'LISTEN_PID=$$ exec "$0" "$@"', d.program, "--data-dir", home], preexec_fn=hand_over,
            close_fds=False, stderr=d.log,
            env={"LISTEN_FDS": "2", "LISTEN_FDNAMES": "admin:query", "NOTIFY_SOCKET": paths[2], "PATH": os.environ["PATH"]})
        check(manager.recv(100) == b"READY=1", "ready is told")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(paths[1])
            client.sendall(b"GET /v1/lists HTTP/1.1\r\nHost: l\r\nConnection: close\r\n\r\n")
            check(b" 403 " in client.recv(4096), "the name gives the role")
        process.send_signal(signal.SIGTERM)
        check(manager.recv(100) == b"STOPPING=1" and process.wait(timeout=60) == 0, "ended")
    check(os.path.exists(paths[0]) and os.path.exists(paths[1]), "the sockets are the manager's")
    check(not os.path.exists(os.path.join(home, "query.sock")), "none of its own")
    for listener in listeners:
        listener.close()


def main():
    d = Daemon(BUILD, "workers=2", "head_timeout_ms=1000", "body_timeout_ms=5000", "image_bytes_max=1M")
    try:
        d.start()
        entry = a_reported_picture_is_recognised(d)
        many_hashes_in_one_request(d, entry)
        a_list_and_its_entries_are_governed(d, entry)
        a_case_comes_in_and_is_withdrawn(d)
        every_error_a_client_can_cause(d)
        restart_keeps_everything(d)
        what_was_acknowledged_survives_kill(d)
        sigterm_finishes_what_is_in_flight(d)
        sighup_reloads(d)
        the_file_is_cared_for(d)
        wrong_starts_say_why(d)
        d.ask("POST", "/v1/match", PICTURE)
        numbers_are_told(d)
        sockets_handed_over_are_served_and_left(d)
        d.stop()
    except BaseException:
        print(d.log_text(), file=sys.stderr)
        raise
    finally:
        d.remove()
    print("the main job holds")


if __name__ == "__main__":
    main()
