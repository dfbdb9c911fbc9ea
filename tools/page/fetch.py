"""The codecs' sources, from Debian's source packages, into a folder of ours.

apt checks what it fetches against Debian's signatures; the system's own package sources, lists and
cache are read or left alone, never changed. What is already unpacked is used without any network.
"""
import re
import subprocess
from pathlib import Path

# Source package -> the oldest version we are content with: the one with the fixes known when this was
# written. The newest that can be had is taken.
PACKAGES = {
    "libjpeg-turbo": "1:2.1.5-2",
    "libpng1.6": "1.6.39-2+deb12u5",
    "zlib": "1:1.2.13.dfsg-1",
    "libsodium": "1.0.18-1+deb12u1",
}

APT_FOLDER = Path("/etc/apt")


class Unavailable(Exception):
    """A source package cannot be had; the text says which and what to do."""


def run(command: list, folder: Path) -> str:
    result = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True)
    if result.returncode != 0:
        raise Unavailable(f"{' '.join(map(str, command[:1]))} failed:\n{result.stdout}{result.stderr}")
    return result.stdout


def codename() -> str:
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    match = re.search(r"^VERSION_CODENAME=\"?(\w+)", release, re.M)
    if not match:
        raise Unavailable("/etc/os-release names no Debian release")
    return match.group(1)


def source_stanzas(suite: str):
    """The system's own places to get this release from, turned into places to get its sources from."""
    for path in sorted((APT_FOLDER / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text(encoding="utf-8")):
            if re.search(rf"^Suites:.*\b{suite}\b", stanza, re.M):
                yield re.sub(r"^Types:.*$", "Types: deb-src", stanza, flags=re.M)
    lists = [APT_FOLDER / "sources.list", *sorted((APT_FOLDER / "sources.list.d").glob("*.list"))]
    for path in lists:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for options, uri, name, parts in re.findall(
                r"^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)$", text, re.M):
            if name == suite or name.startswith((suite + "-", suite + "/")):
                signed = re.search(r"signed-by=(\S+)", options)
                key = f"Signed-By: {signed.group(1)}\n" if signed else ""
                yield f"Types: deb-src\nURIs: {uri}\nSuites: {name}\nComponents: {parts}\n{key}"


class Apt:
    """apt with lists, cache and package sources of its own under a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("lists/partial", "cache/archives/partial", "parts"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        stanzas = "\n\n".join(source_stanzas(codename()))
        (folder / "parts" / "debian.sources").write_text(stanzas + "\n", encoding="utf-8")
        self.options = ["-q", "-o", "Dir::Etc::sourcelist=/dev/null",
                        "-o", f"Dir::Etc::sourceparts={folder}/parts",
                        "-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache",
                        "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2"]

    def update(self):
        run(["apt-get", *self.options, "update"], self.folder)

    def versions(self, package: str) -> list:
        """Newest first."""
        text = run(["apt-cache", *self.options, "showsrc", "--only-source", package], self.folder)
        found = sorted(set(re.findall(r"^Version: (\S+)$", text, re.M)))
        ordered = []
        for version in found:
            at = next((i for i, other in enumerate(ordered) if is_newer(version, other)), len(ordered))
            ordered.insert(at, version)
        return ordered

    def download(self, package: str, version: str, folder: Path) -> Path:
        """The .dsc, with what it names beside it."""
        run(["apt-get", *self.options, "source", "--download-only", "--only-source",
             f"{package}={version}"], folder)
        return next(folder.glob("*.dsc"))


def is_newer(version: str, other: str) -> bool:
    return subprocess.run(["dpkg", "--compare-versions", version, "gt", other]).returncode == 0


def fetch_package(apt: Apt, package: str, oldest: str, into: Path, say) -> None:
    versions = [v for v in apt.versions(package) if v == oldest or is_newer(v, oldest)]
    problems = []
    for version in versions:
        download = into.parent / f"{into.name}.download"
        subprocess.run(["rm", "-rf", str(download), str(into)], check=True)
        download.mkdir(parents=True)
        try:
            description = apt.download(package, version, download)
        except Unavailable as error:
            problems.append(f"{version}: {str(error).strip().splitlines()[-1]}")
            continue
        run(["dpkg-source", "--no-copy", "-x", description.name, into], download)
        (into / ".version").write_text(version + "\n", encoding="utf-8")
        subprocess.run(["rm", "-rf", str(download)], check=True)
        for problem in problems:
            say(f"{package}: a newer version is listed and cannot be had: {problem}")
        return
    raise Unavailable(f"no source of {package} from {oldest} on can be had\n" + "\n".join(problems))


def installed(folder: Path, oldest: str) -> str:
    """The version unpacked in folder if it will do, else an empty text."""
    stamp = folder / ".version"
    version = stamp.read_text(encoding="utf-8").strip() if stamp.exists() else ""
    return version if version and not is_newer(oldest, version) else ""


def fetch_all(folder: Path, say) -> dict:
    """Source package -> (its unpacked folder, its version)."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in PACKAGES if not installed(folder / name, PACKAGES[name])]
    if missing:
        say(f"fetching the sources of {', '.join(missing)} from Debian")
        apt = Apt((folder / "apt").resolve())
        apt.update()
        for name in missing:
            fetch_package(apt, name, PACKAGES[name], (folder / name).resolve(), say)
    return {name: (folder / name, installed(folder / name, PACKAGES[name])) for name in PACKAGES}
