"""Do pyarrow and DuckDB read a clipa data set, and do they agree with `clipa-inspect summary`?

    cargo xtask peers parquet [DATASET]

Without DATASET a small set is drawn and ingested with every image encoding. Each comparison is printed;
the exit code is 1 if one fails.
"""
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet
from blake3 import blake3

BIN = Path(os.environ["CLIPA_BIN"])
IMAGES = ["40:rgb8", "32:rgb8-square", "64:jpeg"]
# Columns that every shard has, whatever was asked for.
FIXED_COLUMNS = [
    "key", "url", "caption", "source_offset", "original_width", "original_height", "sha256",
    "image_hash", "similarity", "punsafe", "pwatermark", "nsfw", "license", "language", "label", "pos",
]

failures = 0


def compare(what, **values):
    """Prints one comparison; the values must be equal."""
    global failures
    same = len({json.dumps(value) for value in values.values()}) == 1
    failures += not same
    if same:
        value = str(next(iter(values.values())))
        print(f"same  {what}: {value if len(value) < 70 else value[:60] + '...'} ({', '.join(values)})")
    else:
        print(f"DIFFERENT  {what}: " + ", ".join(f"{name} {value}" for name, value in values.items()))


def program(name, *arguments):
    command = [str(BIN / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout


def drawn(folder):
    """A drawn set, ingested with every encoding."""
    program("clipa-prep", "synth", "--samples", 300, "--tars", 2, "--side", 64, "--output", folder / "drawn")
    images = [word for image in IMAGES for word in ("--image", image)]
    program("clipa-prep", "laion", "ingest", folder / "drawn/train", *images, "--output", folder / "pairs")
    return folder / "pairs"


def file_blake3(path):
    return blake3().update_mmap(path).hexdigest()


def pyarrow_checksum(files, column):
    """SHA-256 over the SHA-256 of every value, in order."""
    total = hashlib.sha256()
    for file in files:
        for batch in pyarrow.parquet.ParquetFile(file).iter_batches(64, columns=[column]):
            for value in batch.column(0):
                total.update(hashlib.sha256(value.as_py()).hexdigest().encode())
    return total.hexdigest()


def duckdb_checksum(files, column):
    """The same, with every value hashed by DuckDB."""
    total = hashlib.sha256()
    for file in files:
        rows = duckdb.execute(
            f'SELECT sha256("{column}") FROM read_parquet(?, file_row_number=true) ORDER BY file_row_number',
            [str(file)],
        ).fetchall()
        for (value,) in rows:
            total.update(value.encode())
    return total.hexdigest()


def stored_bytes(files):
    """Bytes of each column before compression, by pyarrow."""
    total = {}
    for file in files:
        metadata = pyarrow.parquet.ParquetFile(file).metadata
        for group in range(metadata.num_row_groups):
            for index in range(metadata.num_columns):
                column = metadata.row_group(group).column(index)
                name = column.path_in_schema.split(".")[0]
                total[name] = total.get(name, 0) + column.total_uncompressed_size
    return total


def wrong_sizes(files, image):
    """How many rows hold an image of another size than their columns say."""
    side, encoding = image.split(":")
    wrong = {
        "rgb8-square": f"octet_length(image_{side}) <> {side} * {side} * 3",
        "rgb8": f"octet_length(image_{side}) <> width_{side}::INT * height_{side} * 3",
        # JPEG: its first and last marker.
        "jpeg": f"image_{side}[1:2] <> '\\xFF\\xD8'::BLOB OR width_{side} = 0 OR height_{side} = 0",
    }[encoding]
    return one(f"SELECT count(*) FROM read_parquet(?) WHERE {wrong}", files)


def one(query, files):
    (value,) = duckdb.execute(query, [[str(file) for file in files]]).fetchone()
    return value


def check(dataset):
    if not (dataset / "dataset.json").is_file():
        sys.exit(f"{dataset} is not a clipa data set: it has no dataset.json")
    manifest = json.loads((dataset / "dataset.json").read_text())
    summary = json.loads(program("clipa-inspect", "summary", dataset, "--json"))
    shards = [unit["shard"] for unit in manifest["units"] if unit["shard"]]
    files = [dataset / shard["file"] for shard in shards]
    names = manifest["tokens"] + [
        name
        for image in manifest["images"]
        for name in ([] if image.endswith("rgb8-square") else [f"width_{image.split(':')[0]}", f"height_{image.split(':')[0]}"])
        + [f"image_{image.split(':')[0]}"]
    ]

    for shard, file in zip(shards, files):
        metadata = pyarrow.parquet.ParquetFile(file).metadata
        compare(
            f"rows of {shard['file']}",
            pyarrow=metadata.num_rows,
            duckdb=one("SELECT count(*) FROM read_parquet(?)", [file]),
            manifest=shard["rows"],
        )
        compare(f"checksum of {shard['file']}", blake3=file_blake3(file), manifest=shard["blake3"])
    rows = sum(pyarrow.parquet.ParquetFile(file).metadata.num_rows for file in files)
    compare("rows", pyarrow=rows, summary=summary["rows"], accepted=manifest["totals"]["accepted"])
    rejects = sorted((dataset / "rejects").glob("*.parquet")) if (dataset / "rejects").is_dir() else []
    rejected = one("SELECT count(*) FROM read_parquet(?)", rejects) if rejects else 0
    compare("rejects", duckdb=rejected, manifest=sum(manifest["totals"]["rejected"].values()))

    columns = sorted(pyarrow.parquet.read_schema(files[0]).names)
    described = duckdb.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(files[0])]).fetchall()
    compare(
        "columns",
        pyarrow=columns,
        duckdb=sorted(row[0] for row in described),
        expected=sorted(FIXED_COLUMNS + names),
        summary=sorted(column["name"] for column in summary["columns"]),
    )
    compare("bytes of the shards", disk=sum(file.stat().st_size for file in files), summary=summary["shard_bytes"])
    sizes = {column["name"]: column["uncompressed_bytes"] for column in summary["columns"]}
    compare("bytes of each column", pyarrow=dict(sorted(stored_bytes(files).items())), summary=dict(sorted(sizes.items())))

    for image in manifest["images"]:
        column = f"image_{image.split(':')[0]}"
        compare(
            f"SHA-256 of {image}",
            pyarrow=pyarrow_checksum(files, column),
            duckdb=duckdb_checksum(files, column),
        )
        compare(f"images of {image} with another size than said", duckdb=wrong_sizes(files, image), expected=0)
    for tokens in manifest["tokens"]:
        words = f"len({tokens}.word_lengths)"
        pieces = f"list_sum({tokens}.word_lengths::INT[])"
        broken = f"({words} <> len(pos)) OR coalesce({pieces}, 0) <> len({tokens}.word_tokens)"
        query = f"SELECT count(*) FROM read_parquet(?) WHERE {broken}"
        compare(f"captions whose words of {tokens} do not add up", duckdb=one(query, files), expected=0)


def main():
    if len(sys.argv) > 2:
        sys.exit("usage: cargo xtask peers parquet [DATASET]")
    print(f"pyarrow {pyarrow.__version__}, DuckDB {duckdb.__version__}")
    if len(sys.argv) == 2:
        check(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory(prefix="clipa-peers-") as folder:
            check(drawn(Path(folder)))
    print(f"{failures} of the comparisons differ" if failures else "everything agrees")
    sys.exit(1 if failures else 0)


main()
