"""Does the tar walk find what Python's tarfile and GNU tar put in, and all that lies before a cut?

    cargo xtask peers tars

Writes tars in every format that tarfile and GNU tar know (long, nested and non-ASCII names, links, folders, sparse
files, several tars in one), ingests them, and compares keys, offsets and captions with those that tarfile reads. Then
cuts one of them at many places. The exit code is 1 where anything differs.
"""
import io
import os
import random
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pyarrow.parquet
from PIL import Image

BIN = Path(os.environ["CLIPA_BIN"])
CUTS = 40

failures = 0


def check(what, holds, detail=""):
    """Prints and counts one comparison."""
    global failures
    failures += not holds
    print(f"{'same' if holds else 'DIFFERENT':9}  {what:30} {detail}")


def jpeg(shade):
    """A small JPEG of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (shade % 256, 90, 200)).save(buffer, "JPEG")
    return buffer.getvalue()


def files():
    """Path and bytes of the members of some samples."""
    keys = ["000010005", "7", "folder/7", "deep/" * 30 + "x", "n" * 120, "späße/été", "with space", "a-b_c"]
    for number, key in enumerate(keys):
        yield f"{key}.jpg", jpeg(number * 31)
        yield f"{key}.txt", f"caption {number}".encode()


def add(tar, name, data):
    """Adds a regular file."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def python_tar(path, format):
    """Written by tarfile, with a folder and a hard link."""
    with tarfile.open(path, "w", format=format) as tar:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in files():
            if format == tarfile.USTAR_FORMAT and len(name) > 100 and "/" not in name:
                continue
            add(tar, name, data)
        link = tarfile.TarInfo("linked.jpg")
        link.type, link.linkname = tarfile.LNKTYPE, "7.jpg"
        tar.addfile(link)
        add(tar, "linked.txt", b"a link")


def gnu_tar(path, folder, *options):
    """Written by GNU tar from a folder, names with a leading ./"""
    for name, data in files():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    holes = folder / "holes.jpg"
    with open(holes, "wb") as file:
        file.truncate(1 << 20)
        file.write(jpeg(1))
    if not (folder / "same.jpg").exists():
        os.link(folder / "7.jpg", folder / "same.jpg")
        (folder / "same.txt").write_bytes(b"linked")
    subprocess.run(["tar", *options, "-cf", path, "-C", folder, "."], check=True)


def samples_of(path):
    """Key -> (offset of the image's data, caption), as tarfile and WebDataset's rule for names say."""
    members, found = {}, {}
    with tarfile.open(path, ignore_zeros=True) as tar:
        for member in tar:
            if not (member.isreg() or member.islnk()) or member.issparse():
                continue
            data = member if member.isreg() else tar._find_link_target(member)
            match = re.match(r"^((?:.*/|)[^./][^./]*)[.]([^/]+)$", re.sub(r"^(\./)+", "", member.name))
            if match:
                members.setdefault(match[1], {})[match[2].lower()] = (data.offset_data, tar.extractfile(member).read())
    for key, suffixes in members.items():
        if "jpg" in suffixes and "txt" in suffixes:
            found[key] = (suffixes["jpg"][0], suffixes["txt"][1].decode())
    return found


def ingest(tar, output):
    """Exit code, and key -> (offset, caption) of the rows."""
    command = [BIN / "clipa-prep", "laion", "ingest", tar, "--output", output, "--tagger", "none", "--image", "8:rgb8"]
    code = subprocess.run(command, stderr=subprocess.DEVNULL).returncode
    found = {}
    for shard in (output / "shards").glob("*.parquet"):
        columns = pyarrow.parquet.read_table(shard, columns=["key", "source_offset", "caption"])
        found |= {row["key"]: (row["source_offset"], row["caption"]) for row in columns.to_pylist()}
    return code, found


def compare(folder, name, tar):
    """One whole tar."""
    _, ours = ingest(tar, folder / f"{name}-set")
    theirs = samples_of(tar)
    check(name, ours == theirs and len(ours) >= 8, f"{len(ours)} samples, tarfile {len(theirs)}")


def compare_cuts(folder, tar):
    """The same tar, cut: every sample that lies before the cut is there, and the exit code says that not all is well."""
    data = tar.read_bytes()
    with tarfile.open(tar) as whole:
        ends = {}
        for member in whole:
            key = member.name.split(".")[0]
            ends[key] = max(ends.get(key, 0), member.offset_data + (member.size if member.isreg() else 0))
        last = max(ends.values())
    dice = random.Random(1)
    right = 0
    for number in range(CUTS):
        cut = dice.randrange(2048, last)
        short = folder / f"cut{number}.tar"
        short.write_bytes(data[:cut])
        code, ours = ingest(short, folder / f"cut{number}-set")
        theirs = {key: value for key, value in samples_of(tar).items() if ends[key] <= cut}
        right += ours == theirs and code == 1
    check("cut anywhere", right == CUTS, f"{right} of {CUTS} cuts: whole samples kept, exit code 1")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        formats = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
        for format, number in formats.items():
            python_tar(folder / f"{format}.tar", number)
            compare(folder, f"tarfile {format}", folder / f"{format}.tar")
        if shutil.which("tar"):
            for format in ("oldgnu", "gnu", "posix"):
                for sparse in ((), ("--sparse",)):
                    tar = folder / f"{format}{len(sparse)}.tar"
                    gnu_tar(tar, folder / "files", f"--format={format}", *sparse)
                    compare(folder, f"GNU tar {format} {' '.join(sparse)}", tar)
        joined = folder / "joined.tar"
        with tarfile.open(folder / "more.tar", "w") as more:
            add(more, "more.jpg", jpeg(3))
            add(more, "more.txt", b"behind the end mark")
        joined.write_bytes((folder / "pax.tar").read_bytes() + (folder / "more.tar").read_bytes())
        compare(folder, "two tars in one", joined)
        compare_cuts(folder, folder / "pax.tar")
    print(f"{failures} differences" if failures else "no differences")
    sys.exit(1 if failures else 0)


main()
