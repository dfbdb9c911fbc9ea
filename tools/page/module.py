"""hashlib, the codecs and the code's derivation, compiled to one WebAssembly module that imports nothing."""
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

CLANG = "clang-14"
LINKER = "wasm-ld-14"
STACK_BYTES = 1 << 20
MEMORY_BYTES_MAX = 768 << 20  # a file, its coefficients and its samples at hashlib's limits

# -ffp-contract=off: as in the native build, so that the hashes are the same to the last bit.
FLAGS = ["--target=wasm32-wasi", "--sysroot=/usr", "-std=c17", "-g0", "-ffp-contract=off",
         "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections"]
# For size, but not where the time goes.
FAST, SMALL = "-Os", "-Oz"
FAST_FILES = {"jdhuff", "jdphuff", "jidctint", "jdcolor", "jdmerge", "jdsample", "jdcoefct", "jdmainct", "inffast",
              "inflate", "adler32", "pngrutil", "pngrtran", "sampler", "pdq_kernel", "page"}
OUR_WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wvla", "-Werror"]

JPEG = """jaricom jcomapi jdapimin jdapistd jdarith jdcoefct jdcolor jddctmgr jdhuff jdinput jdmainct
jdmarker jdmaster jdmerge jdphuff jdpostct jdsample jerror jidctflt jidctfst jidctint jidctred jmemmgr jmemnobs
jquant1 jquant2 jsimd_none jutils""".split()
PNG = "png pngerror pngget pngmem pngread pngrio pngrtran pngrutil pngset pngtrans".split()
ZLIB = "adler32 crc32 inffast inflate inftrees zutil".split()
SODIUM = """crypto_generichash/crypto_generichash crypto_generichash/blake2b/generichash_blake2
crypto_generichash/blake2b/ref/blake2b-compress-ref crypto_generichash/blake2b/ref/blake2b-ref
crypto_generichash/blake2b/ref/generichash_blake2b""".split()
HASHLIB_EXCEPT = {"image_jpeg.c", "image_png.c"}  # these come through wasm/codec_*.c
OURS = ["page.c", "case.c", "libc.c", "codec_jpeg.c", "codec_png.c"]
SHARED = ["common/code.c", "common/strbuf.c", "imprint/report.c"]  # with the program, below tools/

JCONFIG = """#define JPEG_LIB_VERSION 62
#define LIBJPEG_TURBO_VERSION {version}
#define LIBJPEG_TURBO_VERSION_NUMBER {number}
#define D_ARITH_CODING_SUPPORTED 1
#define MEM_SRCDST_SUPPORTED 1
#define BITS_IN_JSAMPLE 8
"""
JCONFIGINT = """#define BUILD ""
#define INLINE inline __attribute__((always_inline))
#define THREAD_LOCAL
#define PACKAGE_NAME "libjpeg-turbo"
#define VERSION "{version}"
#define SIZEOF_SIZE_T 4
#define HAVE_BUILTIN_CTZL
#define FALLTHROUGH __attribute__((fallthrough));
"""
SODIUM_VERSION = """#ifndef sodium_version_H
#define sodium_version_H
#include "export.h"
#define SODIUM_VERSION_STRING "{version}"
#endif
"""
# What pnglibconf.h.prebuilt switches on and nobody here needs: writing, files, and every chunk that does
# not make the picture.
PNG_WITHOUT = r"""WRITE\w* STDIO SIMPLIFIED\w* PROGRESSIVE_READ READ_\w*(?:TEXT|tEXt|zTXt|iTXt|iCCP|sPLT|hIST|pCAL|sCAL|tIME|eXIf)
SAVE_\w+ CONVERT_tIME TIME_RFC1123 CONSOLE_IO\w* (?:TEXT|tEXt|zTXt|iTXt|iCCP|sPLT|hIST|pCAL|sCAL|tIME|eXIf) MNG_FEATURES""".split()


class BuildFailed(Exception):
    """A tool of the toolchain refused; the text is what it said."""


def run(command: list) -> str:
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if result.returncode != 0:
        raise BuildFailed(f"{' '.join(map(str, command))}\n{result.stdout}{result.stderr}")
    return result.stdout


def upstream_version(version: str) -> str:
    """1:2.1.5-2 -> 2.1.5"""
    return re.match(r"(?:\d+:)?([\d.]+\d)", version).group(1)


def write_headers(sources: dict, folder: Path) -> None:
    """What the codecs' own build systems would have generated."""
    folder.mkdir(parents=True, exist_ok=True)
    jpeg = upstream_version(sources["libjpeg-turbo"][1])
    numbers = [int(part) for part in jpeg.split(".")] + [0, 0]
    number = numbers[0] * 1000000 + numbers[1] * 1000 + numbers[2]
    template = (sources["libjpeg-turbo"][0] / "jversion.h.in").read_text(encoding="utf-8")
    prebuilt = sources["libpng1.6"][0] / "scripts" / "pnglibconf.h.prebuilt"
    png = prebuilt.read_text(encoding="utf-8")
    for name in PNG_WITHOUT:
        png = re.sub(rf"^#define PNG_{name}_SUPPORTED$", "", png, flags=re.M)
    files = {
        "jconfig.h": JCONFIG.format(version=jpeg, number=number),
        "jconfigint.h": JCONFIGINT.format(version=jpeg),
        "jversion.h": template.replace("@COPYRIGHT_YEAR@", ""),
        "pnglibconf.h": png,
        "version.h": SODIUM_VERSION.format(version=upstream_version(sources["libsodium"][1])),
    }
    (folder / "sodium").mkdir(exist_ok=True)
    for name, text in files.items():
        path = folder / ("sodium/version.h" if name == "version.h" else name)
        path.write_text(text, encoding="utf-8")


def work_list(sources: dict, headers: Path) -> list:
    """Every (source file, flags)."""
    folders = {name: folder for name, (folder, _) in sources.items()}
    sodium = folders["libsodium"] / "src" / "libsodium"
    common = FLAGS + ["-I", HERE / "wasm", "-I", headers]
    jpeg = ["-I", folders["libjpeg-turbo"]]
    png = ["-I", folders["libpng1.6"], "-I", folders["zlib"]]
    salt = ["-I", sodium / "include", "-I", sodium / "include" / "sodium", "-I", headers / "sodium",
            "-DSODIUM_STATIC=1", "-DCONFIGURED=1", "-DNATIVE_LITTLE_ENDIAN=1"]
    ours = ["-D_GNU_SOURCE", *OUR_WARNINGS, "-I", ROOT / "include", "-I", ROOT / "hashlib", "-I",
            ROOT / "tools" / "common", "-I", ROOT / "tools"]
    system = [flag if flag != "-I" else "-isystem" for flag in jpeg + png + salt]
    files = [(folders["libjpeg-turbo"] / f"{name}.c", common + jpeg + ["-w"]) for name in JPEG]
    files += [(folders["libpng1.6"] / f"{name}.c", common + png + ["-w"]) for name in PNG]
    files += [(folders["zlib"] / f"{name}.c", common + ["-w", "-I", folders["zlib"]]) for name in ZLIB]
    files += [(sodium / f"{name}.c", common + salt + ["-w"]) for name in SODIUM]
    hashlib = [path for path in sorted((ROOT / "hashlib").glob("*.c"))
               if path.name not in HASHLIB_EXCEPT and not needs_other_library(path)]
    own = hashlib + [ROOT / "tools" / name for name in SHARED] + [HERE / "wasm" / name for name in OURS]
    return files + [(path, common + ours + system) for path in own]


def needs_other_library(path: Path) -> bool:
    """Codecs of hashlib whose libraries are not in the page."""
    return bool(re.search(r"#\s*include\s+<(webp/|gif_lib|libheif/|avif/)", path.read_text(encoding="utf-8")))


def compile_one(job: tuple) -> Path:
    source, flags, target = job
    run([CLANG, FAST if source.stem in FAST_FILES else SMALL, *flags, "-c", source, "-o", target])
    return target


def link(objects: list, target: Path) -> None:
    builtins = run([CLANG, "--target=wasm32-wasi", "-print-resource-dir"]).strip()
    run([LINKER, *objects, "-o", target, "--no-entry", "--gc-sections", "--strip-all", "-z",
         f"stack-size={STACK_BYTES}", "--stack-first", f"--max-memory={MEMORY_BYTES_MAX}",
         "-L/usr/lib/wasm32-wasi", "-lc", f"{builtins}/lib/wasi/libclang_rt.builtins-wasm32.a"])


def read_number(data: bytes, at: int) -> tuple:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def imports_of(module: bytes) -> int:
    """How many imports a module asks for: section 2 begins with their number."""
    if module[:8] != b"\0asm\1\0\0\0":
        raise BuildFailed("the linker made no WebAssembly module")
    at = 8
    while at < len(module):
        kind = module[at]
        size, at = read_number(module, at + 1)
        if kind == 2:
            return read_number(module, at)[0]
        at += size
    return 0


def as_javascript(module: Path, target: Path) -> str:
    """The same module in plain JavaScript, for browsers whose WebAssembly is switched off: a function
    that makes an instance."""
    small = target.with_suffix(".wasm")
    run(["wasm-opt", "-Oz", "--strip-debug", "--strip-producers", module, "-o", small])
    run(["wasm2js", small, "-O3", "--pedantic", "-o", target])
    text = target.read_text(encoding="utf-8")
    body, names = [], []
    for line in text.splitlines():
        export = re.match(r"export var (\w+) = retasmFunc\.(\S+);$", line)
        if export:
            names.append(export.group(2))
        elif not line.startswith("import "):
            body.append(line.strip())
    if not names or "export " in "\n".join(body):
        raise BuildFailed("wasm2js wrote something this script does not know")
    return "function makeInstance() {\n" + "\n".join(body) + "\nreturn retasmFunc;\n}\n"


def build_module(sources: dict, folder: Path, jobs: int) -> Path:
    headers = folder / "include"
    write_headers(sources, headers)
    objects = folder / "objects"
    objects.mkdir(parents=True, exist_ok=True)
    work = [(source, flags, objects / f"{number}-{source.stem}.o")
            for number, (source, flags) in enumerate(work_list(sources, headers))]
    with ThreadPoolExecutor(min(jobs, os.cpu_count() or 1)) as pool:
        compiled = list(pool.map(compile_one, work))
    linked, small = folder / "linked.wasm", folder / "page.wasm"
    link(compiled, linked)
    run(["wasm-opt", "-Os", "--strip-debug", "--strip-producers", linked, "-o", small])
    count = imports_of(small.read_bytes())
    if count != 0:
        raise BuildFailed(f"the module has {count} imports; it must have none")
    return small
