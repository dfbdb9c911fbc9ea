#!/usr/bin/env python3
"""Quotas, the right to ask by hash, and probing, on the real daemon. The published walks towards a listed hash
are played in full: they succeed where nobody stops them, and end before a hundred questions where probing
is refused. Ordinary traffic, copies of a listed picture among it, is refused nothing.

usage: guard.py BUILD_DIRECTORY
"""
import os
import random
import signal
import subprocess
import sys

from daemon import Daemon, png, scene

BUILD = sys.argv[1]
OTHER_UID = 65534
QUESTIONS_MAX = 100


def check(condition, what):
    assert condition, what


def picture_hash(draw):
    """As many ones as zeros, as the hash of a picture has."""
    return sum(1 << bit for bit in draw.sample(range(256), 128))


def ask_hash(d, number, **more):
    return d.ask("GET", f"/v1/match?hash={number:064x}", **more)


def serving(steps, *settings, configuration=""):
    d = Daemon(BUILD, "workers=1", *settings)
    d.configure(configuration)
    try:
        d.start()
        check(d.admin("POST", "/v1/lists", {"name": "ncii"}).status == 201, "list")
        steps(d)
        d.stop()
    except BaseException:
        print(d.log_text(), file=sys.stderr)
        raise
    finally:
        d.remove()


def refused_total(d, reason):
    text = d.admin("GET", "/metrics").body.decode()
    return int(text.split(f'imprint_refused_total{{reason="{reason}"}} ')[1].split("\n")[0])


# --- Quotas -------------------------------------------------------------------------------------------------

def quotas_hold_and_say_when_to_come_back(d):
    hash_ = picture_hash(random.Random(1))
    answers = [ask_hash(d, hash_) for _ in range(30)]
    allowed = [a.status for a in answers].count(200)
    check(20 <= allowed < 28, allowed)  # one more for each second this took
    late = answers[-1]
    check(late.status == 429 and late.code == "rate_limited" and int(late.headers["Retry-After"]) >= 1, late)
    check(refused_total(d, "hash_quota") == 30 - allowed, "metric")
    check(all(ask_hash(d, hash_, admin=True).status == 200 for _ in range(60)), "the admin socket has no quota")

    small = png(scene(1), 64, 64)
    statuses = [d.ask("POST", "/v1/match", small).status for _ in range(8)]
    check(statuses[:3] == [200] * 3 and 429 in statuses, statuses)
    check(d.ask("GET", "/v1/status").status == 200, "status is free")

    # Off while serving; then a batch leaves a debt behind.
    d.configure("hashes_per_s = 0\n")
    d.process.send_signal(signal.SIGHUP)
    d.wait_log("configuration reloaded")
    check(all(ask_hash(d, hash_).status == 200 for _ in range(50)), "off")
    d.configure("hashes_per_s = 10\nhash_burst = 100\n")
    d.process.send_signal(signal.SIGHUP)
    d.wait_log("configuration reloaded", 2)
    lines = "\n".join([f"{hash_:064x}"] * 2000)
    batch = None
    while batch is None or batch.status == 429:
        batch = d.ask("POST", "/v1/match/batch", lines, headers={"Content-Type": "text/plain"})
    check(batch.status == 200 and batch.body.count(b"no_match") == 2000, batch)
    debt = ask_hash(d, hash_)
    check(debt.status == 429 and 180 <= int(debt.headers["Retry-After"]) <= 200, debt.headers)


def one_uid_has_so_many_connections(d):
    held = [d.connection() for _ in range(4)]
    for connection in held:
        check(d.ask("GET", "/v1/live", connection=connection).status == 200, "within the limit")
    over = d.ask("GET", "/v1/live")
    check(over.status == 429 and over.headers["Connection"] == "close" and "Retry-After" in over.headers, over)
    check(d.admin("GET", "/v1/live").status == 200 and refused_total(d, "connections") == 1, "admin socket")
    held.pop().close()
    while d.ask("GET", "/v1/live").status == 429:  # until the daemon has noticed
        pass
    for connection in held:
        connection.close()


# --- Rights -------------------------------------------------------------------------------------------------

def status_as_other(d, *curl):
    """The same machine, another uid."""
    done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket",
                           d.socket_path(), *curl], capture_output=True, text=True, user=OTHER_UID, check=True)
    return int(done.stdout)


def asking_by_hash_is_a_right_of_its_own(d):
    hash_ = picture_hash(random.Random(2))
    answer = ask_hash(d, hash_)
    check(answer.status == 403 and answer.code == "forbidden", answer)
    batch = d.ask("POST", "/v1/match/batch", f"{hash_:064x}", headers={"Content-Type": "text/plain"})
    check(batch.status == 403, batch)
    check(d.ask("HEAD", f"/v1/match?hash={hash_:064x}").status == 403, "HEAD")
    for path in ("/m/lookup", "/m/raw_lookup"):
        answer = d.ask("GET", f"{path}?signal_type=pdq&signal={hash_:064x}")
        check(answer.status == 403, answer)
    check(d.ask("POST", "/v1/match", png(scene(1), 64, 64)).status == 200, "by picture")
    check(ask_hash(d, hash_, admin=True).status == 200, "the admin socket may")
    check(refused_total(d, "hash_right") == 5, "metric")
    if os.getuid() == 0:
        os.chmod(d.home, 0o711)
        check(status_as_other(d, f"http://localhost/v1/match?hash={hash_:064x}") == 200, "granted")


# --- Probing ------------------------------------------------------------------------------------------------

class Walk:
    """Somebody who has a near copy of the listed picture and asks."""

    def __init__(self, d, seed, in_batches=False):
        self.d, self.draw, self.asked, self.in_batches = d, random.Random(seed), 0, in_batches
        self.listed = picture_hash(self.draw)
        self.copy = self.listed
        ones = [bit for bit in range(256) if self.listed >> bit & 1]
        zeros = [bit for bit in range(256) if not self.listed >> bit & 1]
        for bit in self.draw.sample(ones, 9) + self.draw.sample(zeros, 9):
            self.copy ^= 1 << bit
        made = d.admin("POST", "/v1/lists/ncii/entries", {"hash": f"{self.listed:064x}"})
        check(made.status == 201, made)
        self.connection = d.connection()

    def verdict(self, number):
        """A verdict, or None when refused."""
        self.asked += 1
        if self.in_batches:
            line = self.d.ask("POST", "/v1/match/batch", f"{number:064x}", connection=self.connection,
                              headers={"Content-Type": "text/plain"}).json
            return line if "verdict" in line else None
        answer = ask_hash(self.d, number, connection=self.connection)
        check(answer.status in (200, 429), answer)
        return answer.json if answer.status == 200 else None

    def distance(self, number):
        verdict = self.verdict(number)
        if verdict is None:
            return None
        return min([match["distance"] for match in verdict["matches"]], default=256)

    def bits(self):
        return self.draw.sample(range(256), 256)


def climb(walk):
    """With distances: turn a bit, keep what comes nearer. The hash found, or None when refused."""
    number = walk.copy
    best = walk.distance(number)
    for bit in walk.bits():
        distance = walk.distance(number ^ 1 << bit)
        if distance is None:
            return None
        if distance < best:
            number, best = number ^ 1 << bit, distance
    return number


def feel_the_edge(walk):
    """With yes and no alone: away until one bit decides, then each bit in turn."""
    edge = walk.copy
    for bit in walk.bits():
        verdict = walk.verdict(edge ^ 1 << bit)
        if verdict is None:
            return None
        if verdict["verdict"] == "no_match":
            edge ^= 1 << bit
            break
        edge ^= 1 << bit
    found = edge
    for bit in range(256):
        verdict = walk.verdict(edge ^ 1 << bit)
        if verdict is None:
            return None
        if verdict["verdict"] == "match":
            found ^= 1 << bit
    return found


def walks_succeed_where_they_are_only_told(d):
    for seed, attack in ((11, climb), (12, feel_the_edge)):
        walk = Walk(d, seed)
        check(attack(walk) == walk.listed, f"{attack.__name__} is no attack")
        print(f"{attack.__name__}: the listed hash after {walk.asked} questions")
    check(d.log_text().count("walks towards a listed hash") == 2, d.log_text())
    check("imprint_probing_runs_total 2\n" in d.admin("GET", "/metrics").body.decode(), "metric")


def walks_end_where_probing_is_refused(d):
    walk = None
    for seed, attack, in_batches in ((21, climb, False), (22, feel_the_edge, False), (23, climb, True)):
        walk = Walk(d, seed, in_batches)
        check(attack(walk) is None, "found the listed hash")
        check(walk.asked < QUESTIONS_MAX, walk.asked)
        print(f"{attack.__name__}: refused after {walk.asked} questions")
        check(f"{walk.listed:064x}" not in d.log_text(), "no hash in the log")
    # What was answered before is answered again; everything else of this uid goes on.
    walk.in_batches = False
    check(walk.verdict(walk.copy)["verdict"] == "match", "a known answer")
    check(ask_hash(d, walk.copy ^ 1 << 5).status == 429, "a further step")
    check(int(ask_hash(d, walk.copy ^ 1 << 6).headers["Retry-After"]) == 3600, "Retry-After")
    lookup = d.ask("GET", f"/m/lookup?signal_type=pdq&signal={walk.copy ^ 1 << 5:064x}")
    check(lookup.status == 429, lookup)
    check(ask_hash(d, picture_hash(walk.draw)).json["verdict"] == "no_match", "another question")
    check(ask_hash(d, walk.copy ^ 1 << 7, admin=True).status == 200, "the admin socket")
    check(refused_total(d, "probing") >= 3, "metric")


def copies_of(seed, count):
    """The same picture in slightly different copies: light, contrast, noise, a step aside."""
    draw = random.Random(seed)
    light = scene(seed)
    side = 72
    base = [[light(x / side, y / side) for x in range(side)] for y in range(side)]
    for _ in range(count):
        gain, shift, noise = draw.uniform(0.8, 1.2), draw.uniform(-15, 15), draw.randrange(1, 5)
        left, up = draw.choice((0, 0, 0, 1)), draw.choice((0, 0, 0, 1))
        size = side - 3

        def copy(x, y):
            value = base[int(y * size) + up][int(x * size) + left]
            return max(0, min(255, int((value - 128) * gain + 128 + shift + draw.randrange(-noise, noise + 1))))
        yield png(copy, size, size)


def ordinary_traffic_is_refused_nothing(d):
    copies = list(copies_of(31, 300))
    made = d.admin("POST", "/v1/lists/ncii/entries", copies[0], headers={"Content-Type": "image/png"})
    check(made.status == 201, made)
    draw = random.Random(32)
    matches, hashes = 0, set()
    for copy in copies:
        by_picture = d.ask("POST", "/v1/match", copy)
        check(by_picture.status == 200, by_picture)
        # A platform that hashes for itself asks the same by hash.
        told = d.ask("POST", "/v1/hash", copy).json["hash"]
        by_hash = d.ask("GET", "/v1/match?hash=" + told)
        check(by_hash.status == 200, by_hash)
        matches += by_hash.json["verdict"] == "match"
        hashes.add(told)
        check(ask_hash(d, picture_hash(draw)).status == 200, "unrelated")
    check(matches > 100 and len(hashes) > 100, f"{matches} matches, {len(hashes)} hashes: not the case in question")
    print(f"300 copies, {len(hashes)} different hashes, {matches} of them matches: none refused")
    check("walks towards" not in d.log_text() and refused_total(d, "probing") == 0, d.log_text())


def main():
    serving(quotas_hold_and_say_when_to_come_back,
            configuration="hashes_per_s = 1\nhash_burst = 20\nimages_per_s = 1\nimage_burst = 3\n")
    serving(one_uid_has_so_many_connections, "connections_per_uid_max=4")
    serving(asking_by_hash_is_a_right_of_its_own, f"hash_query_uids={OTHER_UID}", "query_socket_mode=0666")
    serving(walks_succeed_where_they_are_only_told)
    serving(walks_end_where_probing_is_refused, "probe_action=refuse")
    serving(ordinary_traffic_is_refused_nothing, "probe_action=refuse")
    print("quotas, rights and probing hold")


if __name__ == "__main__":
    main()
