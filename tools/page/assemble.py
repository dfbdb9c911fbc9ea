"""Puts script, style, words and module into one HTML file: a shell without scripts, and in it the tool in a
sandboxed frame, under one policy that lets nothing out."""
import base64
import hashlib
import html
import json
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
LANGUAGES = ("en-GB", "cy")
CONTACT_FIELDS = ("who", "name", "reason", "phone", "address")


class Mismatch(Exception):
    """Words, markup and script do not fit together."""


def read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def read_words(language: str) -> dict:
    """{"texts": {name: text}, "contacts": [{...}]} of a locale file."""
    lines = [line for line in read(f"locale/{language}.txt").splitlines() if not line.startswith("#")]
    blocks, name = {}, None
    for line in lines:
        heading = re.fullmatch(r"\[(\w+)\]", line)
        if heading:
            name = heading.group(1)
            if name in blocks:
                raise Mismatch(f"{language}: [{name}] stands twice")
            blocks[name] = []
        elif name:
            blocks[name].append(line.strip())
    rows = [[cell.strip() for cell in line.split("|")] for line in blocks.pop("contacts", []) if line]
    if not rows or any(len(row) != len(CONTACT_FIELDS) for row in rows):
        raise Mismatch(f"{language}: a contact needs {len(CONTACT_FIELDS)} fields")
    texts = {key: " ".join(part for part in parts if part) for key, parts in blocks.items()}
    empty = [key for key, text in texts.items() if not text]
    if empty:
        raise Mismatch(f"{language}: nothing in {empty}")
    return {"texts": texts, "contacts": [dict(zip(CONTACT_FIELDS, row)) for row in rows]}


def check_words(words: dict, markup: str, script: str) -> None:
    """Every language has the same texts with the same blanks, every text is used, every used one is there."""
    first = words[LANGUAGES[0]]["texts"]
    for language in LANGUAGES[1:]:
        other = words[language]["texts"]
        if first.keys() != other.keys():
            raise Mismatch(f"{language}: differs in {sorted(first.keys() ^ other.keys())}")
        for key, text in first.items():
            if sorted(re.findall(r"\{\w+\}", text)) != sorted(re.findall(r"\{\w+\}", other[key])):
                raise Mismatch(f"{language}: other blanks in [{key}]")
    asked = set(re.findall(r'data-t="(\w+)"', markup)) | set(re.findall(r"say\('(\w+)'", script))
    if asked - first.keys():
        raise Mismatch(f"no such texts: {sorted(asked - first.keys())}")
    unused = {key for key in first if key not in asked and f"'{key}'" not in script
              and not key.startswith("picture_") and key != "language"}
    if unused:
        raise Mismatch(f"texts that nothing shows: {sorted(unused)}")


def digest(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def without_indents(text: str) -> str:
    """Style and script without what only their readers need."""
    text = re.sub(r"^\s*/\*.*?\*/\s*?$", "", text, flags=re.S | re.M)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def links(words: dict) -> str:
    """What a frame without permission to navigate cannot offer: links one can follow."""
    parts = []
    for language in LANGUAGES:
        parts.append(f'<h2 lang="{language}">{html.escape(words[language]["texts"]["help_title"])}</h2>')
        parts.append(f'<ul lang="{language}">')
        for contact in words[language]["contacts"]:
            address = contact["address"] or "tel:" + re.sub(r"\D", "", contact["phone"])
            label = html.escape(f'{contact["name"]} – {contact["reason"]}')
            parts.append(f'<li><a href="{html.escape(address)}" rel="noreferrer nofollow">{label}</a></li>')
        parts.append("</ul>")
    return "\n".join(parts)


def policy(scripts: list, styles: list) -> str:
    """For the shell, and so for all in it. Firefox takes saving a file for a navigation of the frame, which is
    why blob: is let through; what such a blob would show is under this policy too."""
    return "; ".join([
        "default-src 'none'",
        f"script-src {' '.join(map(digest, scripts))} 'wasm-unsafe-eval'",
        f"style-src {' '.join(map(digest, styles))}",
        "worker-src blob:", "img-src data:", "connect-src 'none'", "frame-src blob:", "form-action 'none'",
        "base-uri 'none'",
    ])


def fill(template: str, values: dict) -> str:
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match.group(1)], template)


def page(module: bytes, makes_instance: str, version: str) -> str:
    """With a module, or with a script that makes instances without WebAssembly."""
    words = {language: read_words(language) for language in LANGUAGES}
    markup, plain_script = read("tool.html"), read("tool.js")
    check_words(words, markup, plain_script)
    data = json.dumps(words, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    script = without_indents(plain_script.replace("/*@WORDS@*/ null", data)
                             .replace("/*@TOOL_NAME@*/ null", json.dumps(f"imprint {version}")))
    style, shell_style = without_indents(read("tool.css")), without_indents(read("shell.css"))
    worker = makes_instance + without_indents(read("worker.js"))
    if "</script" in script + worker or "<!--" in script + worker:
        raise Mismatch("a script would end early")
    tool = fill(without_indents(markup), {
        "CSS": style, "SCRIPT": script, "WORKER": worker, "MODULE": base64.b64encode(module).decode()})
    return fill(read("shell.html"), {
        "CSP": html.escape(policy([script], [style, shell_style])), "SHELL_CSS": shell_style,
        "TOOL": html.escape(tool), "LINKS": links(words)})
