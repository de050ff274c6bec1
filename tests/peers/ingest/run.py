"""How fast is `clipa-prep laion ingest` beside Python programs that do the same?

    cargo xtask peers ingest [TAR...]

The Python programs are those that a careful user would write: webdataset reads, open_clip's tokenizer with its cache and NLTK with
its model loaded once read the captions, pyarrow writes raw pixels. One decodes and resizes with OpenCV (area filter, one thread,
small sizes from the largest: the fastest that Python has), one with Pillow (bicubic, each size from the source: open_clip's way,
whose pixels ours match). It stores what clipa stores: key, url, caption, SHA-256 of the image, tokens, words' tags,
squares of 64, 84, 112 and 224 pixels. It repairs, checks and counts nothing. All run with one thread on the same tars, in
turn, and clipa once more as it runs by default, on all cores; the best of three rounds counts. Without TAR, the shared pairs are
taken, which is too few for the start-up not to matter.
"""
import functools
import hashlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy
import pyarrow
import pyarrow.parquet
import webdataset
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "text"))
from originals import Originals  # noqa: E402

SHARED = Path(os.environ.get("CLIPA_SHARED", Path(__file__).parents[4] / "shared")) / "data"
BIN = Path(os.environ["CLIPA_BIN"])
SIDES = [64, 84, 112, 224]
ROUNDS = 3
GROUP_ROWS = 300


def with_pillow(jpeg):
    image = Image.open(io.BytesIO(jpeg)).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return {side: numpy.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box)) for side in SIDES}


def with_opencv(jpeg):
    image = cv2.imdecode(numpy.frombuffer(jpeg, numpy.uint8), cv2.IMREAD_COLOR_RGB)
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    image = image[top:top + side, left:left + side]
    found = {224: cv2.resize(image, (224, 224), interpolation=cv2.INTER_AREA)}
    for side in SIDES[:-1]:
        base = found[224] if 2 * side <= 224 else image
        found[side] = cv2.resize(base, (side, side), interpolation=cv2.INTER_AREA)
    return found


SCHEMA = pyarrow.schema(
    [
        ("key", pyarrow.string()),
        ("url", pyarrow.string()),
        ("caption", pyarrow.string()),
        ("image_hash", pyarrow.binary(32)),
        ("clip_bpe", pyarrow.list_(pyarrow.uint16())),
        ("pos", pyarrow.list_(pyarrow.string())),
    ]
    + [(f"image_{side}", pyarrow.binary(side * side * 3)) for side in SIDES]
)
PIXELS = [f"image_{side}" for side in SIDES]
OTHERS = [name for name in SCHEMA.names if name not in PIXELS]


class Peer:
    def __init__(self, squares):
        self.squares = squares
        cv2.setNumThreads(1)
        pyarrow.set_cpu_count(1)
        self.originals = Originals(SHARED / "metadata")
        # as open_clip's tokenizer, which remembers every word
        self.originals.bpe.merge = functools.cache(self.originals.bpe.merge)

    def ingest(self, tars, output):
        count = 0
        for number, tar in enumerate(tars):
            compression = {name: "zstd" if name in OTHERS else "none" for name in SCHEMA.names}
            writer = pyarrow.parquet.ParquetWriter(
                output / f"{number:05}.parquet", SCHEMA, compression=compression, use_dictionary=OTHERS, write_statistics=False
            )
            rows = []
            samples = webdataset.WebDataset(str(tar), shardshuffle=False, empty_check=False)
            for sample in samples:
                rows.append(self.row(sample))
                if len(rows) == GROUP_ROWS:
                    writer.write_table(pyarrow.Table.from_pylist(rows, SCHEMA))
                    count += len(rows)
                    rows = []
            writer.write_table(pyarrow.Table.from_pylist(rows, SCHEMA))
            count += len(rows)
            writer.close()
        return count

    def row(self, sample):
        caption = sample["txt"].decode()
        words = self.originals.words(caption)
        return {
            "key": sample["__key__"],
            "url": json.loads(sample["json"]).get("url"),
            "caption": caption,
            "image_hash": hashlib.sha256(sample["jpg"]).digest(),
            "clip_bpe": self.originals.bpe.encode(caption),
            "pos": [tag for _, tag in words],
        } | {f"image_{side}": pixels.tobytes() for side, pixels in self.squares(sample["jpg"]).items()}


def ours(tars, output, options=("--threads", "1")):
    columns = [word for side in SIDES for word in ("--image", f"{side}:rgb8-square")]
    command = [BIN / "clipa-prep", "laion", "ingest", *tars, "--output", output, "--json", *options, *columns]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(result.stdout)["accepted"]


def processor_time():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def timed(work, tars):
    with tempfile.TemporaryDirectory(dir=BIN) as folder:
        before, start = processor_time(), time.perf_counter()
        count = work(tars, Path(folder))
        return count, time.perf_counter() - start, processor_time() - before


def main():
    tars = [Path(word).resolve() for word in sys.argv[1:]] or sorted((SHARED / "pairs").glob("*.tar"))
    if not (SHARED / "metadata").is_dir():
        sys.exit("no shared data: put it beside the workspace or set CLIPA_SHARED")
    all_cores = f"clipa, {os.cpu_count()} threads"
    ways = {
        "OpenCV": Peer(with_opencv).ingest,
        "Pillow": Peer(with_pillow).ingest,
        "clipa": ours,
        all_cores: functools.partial(ours, options=()),
    }
    best = {}
    for _ in range(ROUNDS):
        for name, work in ways.items():
            count, wall, processor = timed(work, tars)
            old = best.get(name, (0, wall, processor))
            best[name] = (count, min(wall, old[1]), min(processor, old[2]))
    for name, (count, wall, processor) in best.items():
        print(f"{name:<18} {count} samples, {count / wall:,.0f} a second of wall time, {count / processor:,.0f} of processor time")
    counts = {count for count, _, _ in best.values()}
    if len(counts) != 1:
        sys.exit(f"they do not agree on the number of samples: {counts}")
    for name in ("OpenCV", "Pillow"):
        wall, processor = (best[name][at] / best["clipa"][at] for at in (1, 2))
        print(f"clipa / {name}: {wall:.1f} of wall time, {processor:.1f} of processor time")
        print(f"{all_cores} / {name}: {best[name][1] / best[all_cores][1]:.1f} of wall time")


if __name__ == "__main__":
    main()
