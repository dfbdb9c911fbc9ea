#!/usr/bin/env python3
"""Plays the calls of Hasher-Matcher-Actioner's known clients on the real daemon and compares every shape.

usage: hma.py BUILD_DIRECTORY
"""
import sys

from daemon import Daemon, png, scene

HEX = "d8f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22"
PICTURE = png(scene(1), 400, 300)
SMALLER = png(scene(1), 256, 192)


def form(bytes_, name="photo", count=1):
    part = b'--b\r\nContent-Disposition: form-data; name="%s"; filename="x"\r\n\r\n' % name.encode() + bytes_ + b"\r\n"
    return part * count + b"--b--\r\n", {"Content-Type": "multipart/form-data; boundary=b"}


def check(answer, status, body):
    got = answer.body.decode() if isinstance(body, str) else answer.json
    assert (answer.status, got) == (status, body), f"{answer} instead of {status} {body}"


def main():
    d = Daemon(sys.argv[1], "workers=1")
    try:
        d.start()
        play(d)
        d.stop()
    except BaseException:
        print(d.log_text(), file=sys.stderr)
        raise
    finally:
        d.remove()
    print("every shape as they know it")


def play(d):
    check(d.ask("GET", "/status"), 200, "I-AM-ALIVE")
    check(d.ask("GET", "/status/live"), 200, "I-AM-ALIVE")
    assert "/m/lookup" in d.ask("GET", "/site-map").json
    bank = {"name": "NCII_1", "matching_enabled_ratio": 1.0}
    check(d.admin("POST", "/c/banks", {"name": "NCII_1", "enabled_ratio": "1", "unknown": [1]}), 201, bank)
    check(d.admin("POST", "/c/banks", {"name": "NCII_1"}), 403, {"message": "Bank already exists"})
    for name in ("bad name", "lower", "1A", "A" * 65, ""):
        check(d.admin("POST", "/c/banks", {"name": name}), 400, {"message": "Bank names must be UPPER_WITH_UNDERSCORE"})
    check(d.admin("GET", "/c/banks"), 200, [bank])
    check(d.admin("GET", "/c/bank/NCII_1"), 200, bank)
    check(d.admin("GET", "/c/bank/NOPE"), 404, {"message": "bank 'NOPE' not found"})

    added = d.admin("POST", "/c/bank/NCII_1/signal", {"pdq": HEX.upper(), "note": "case 42"})
    number = added.json["id"]
    check(added, 200, {"id": number, "signals": {"pdq": HEX}})
    lookup = f"/m/lookup?signal_type=pdq&signal={HEX.upper()}&seed=1"
    found = [{"bank_content_id": number, "distance": "0"}]
    check(d.ask("GET", lookup), 200, {"NCII_1": found})
    check(d.ask("GET", lookup + "&banks=NCII_1"), 200, {"NCII_1": found})
    check(d.ask("GET", lookup + "&banks=UNKNOWN"), 200, {})
    check(d.ask("GET", f"/m/lookup?signal_type=pdq&signal={'0f' * 32}"), 200, {})
    raw = f"/m/raw_lookup?signal_type=pdq&signal={HEX}"
    check(d.ask("GET", raw), 200, {"matches": [number]})
    check(d.ask("GET", raw + "&include_distance=true"), 200, {"matches": found})

    content = f"/c/bank/NCII_1/content/{number}"
    shape = {"id": number, "disable_until_ts": 1, "original_media_uri": None, "bank": bank, "note": "case 42"}
    check(d.admin("GET", content), 200, shape)
    check(d.admin("GET", content + "?include_signals=true"), 200, {**shape, "signals": {"pdq": HEX}})
    check(d.admin("PUT", content, {"disable_until_ts": 0}), 200, {**shape, "disable_until_ts": 0})
    check(d.ask("GET", lookup), 200, {})
    check(d.admin("PUT", content, {"disable_until_ts": "1"}), 200, shape)
    check(d.ask("GET", lookup), 200, {"NCII_1": found})
    assert d.admin("PUT", content, {"disable_until_ts": 99999999999}).status == 400

    off = {"name": "NCII_1", "matching_enabled_ratio": 0.0}
    check(d.admin("PUT", "/c/bank/NCII_1", {"enabled_ratio": 0}), 200, off)
    check(d.ask("GET", lookup), 200, {})
    check(d.admin("PUT", "/c/bank/NCII_1", {"enabled": "true"}), 200, bank)

    body, headers = form(PICTURE)
    added = d.admin("POST", "/c/bank/NCII_1/content", body, headers=headers).json
    body, headers = form(SMALLER)
    told = d.ask("POST", "/m/lookup?bypass_coinflip=true", body, headers=headers)
    match = told.json["pdq"]["NCII_1"][0]
    assert match["bank_content_id"] == added["id"] and 0 <= int(match["distance"]) <= 31, told
    body, headers = form(PICTURE)
    check(d.ask("POST", "/h/hash", body, headers=headers), 200, added["signals"])
    body, headers = form(png(lambda x, y: 128, 64, 64))
    check(d.ask("POST", "/h/hash", body, headers=headers), 200, {"pdq": ""})
    for spoilt, message in ((form(PICTURE, "video"), "no such content_type: only 'photo'"),
                            (form(PICTURE, count=2), "Only one file allowed per request"),
                            ((b"x", {}), "Missing multipart/form-data file upload")):
        check(d.ask("POST", "/h/hash", spoilt[0], headers=spoilt[1]), 400, {"message": message})
    body, headers = form(b"not a picture")
    answer = d.ask("POST", "/m/lookup", body, headers=headers)
    assert answer.status == 415 and list(answer.json) == ["message"], answer
    check(d.ask("GET", "/h/hash?url=http://x/"), 403, {"message": "Hashing is disabled, missing role"})
    check(d.ask("GET", "/m/lookup?url=http://x/"), 403, {"message": "Hashing is disabled, missing role"})
    check(d.ask("POST", "/m/compare", {"pdq": [HEX, "f" + HEX[1:]]}), 200, {"pdq": [True, {"distance": 1}]})
    status = d.ask("GET", "/m/index/status").json["pdq"]
    assert status["present"] is True and status["size"] == 2 and status["built_to"] > 1700000000, status
    for wrong in ("/m/lookup", "/m/lookup?signal_type=tlsh&signal=x", "/m/lookup?signal_type=pdq&signal=12"):
        answer = d.ask("GET", wrong)
        assert answer.status == 400 and list(answer.json) == ["message"], answer
    answer = d.ask("GET", "/c/banks")
    assert answer.status == 403 and list(answer.json) == ["message"], answer

    check(d.admin("DELETE", content), 200, {"deleted": 1})
    assert d.admin("GET", content).status == 404
    check(d.admin("DELETE", "/c/bank/NCII_1"), 200, {"message": "Done"})
    check(d.admin("DELETE", "/c/bank/NCII_1"), 200, {"message": "Done"})
    check(d.admin("GET", "/c/signal_type"), 200, [{"name": "pdq", "enabled_ratio": 1.0}])
    check(d.admin("GET", "/c/content_type"), 200, [{"name": "photo", "enabled": True}])
    check(d.admin("GET", "/c/exchanges/apis"), 200, [])
    assert d.admin("GET", "/c/exchange/X").status == 404


if __name__ == "__main__":
    main()
