"""Does clipa cut, tag, clean and encode captions as ftfy, open_clip, NLTK and Hugging Face do?

    cargo xtask peers text [--awkward N] [--seed S] [--open-clip TOKENIZER.PY]

First the originals on the cases of our unit tests, whose golden values they made (`golden.py`). Then cleaning, ids,
words with tags, and the rows that every text reduction leaves for contexts of 4, 8, 16, 32 and 77 tokens of both
tokenizers, BERT's in both dialects (transcribed in `reductions.py`): for the LAION and CC3M captions of the shared data,
and for N generated strings of entities, emoji, right-to-left text, controls, mojibake and special tokens. Every
difference is counted and the first ones are shown. The exit code is 1 if a golden value or a real caption differs, or
more than 1 in 1,000 generated strings: those hold characters that Python's Unicode tables of the day may not know.

open_clip's tokenizer needs torch to be imported, so its `encode` is transcribed in `originals.py`;
--open-clip runs the real file with an empty torch in its place.
"""
import argparse
import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import golden
from awkward import awkward
from originals import Originals
from reductions import CONTEXT_LENGTHS, NAMES, Reductions

SHARED = Path(os.environ.get("CLIPA_SHARED", Path(__file__).parents[4] / "shared")) / "data"
SHOWN = 3
# Captions whose reductions are held in memory at once.
CHUNK = 500


def captions_of_laion():
    with gzip.open(SHARED / "text/laion400m_1000_nltk_pos.jsonl.gz", "rt", encoding="utf8") as lines:
        return [json.loads(line)["caption"] for line in lines]


def captions_of_cc3m():
    with gzip.open(SHARED / "text/cc3m_val_first5000.tsv.gz", "rt", encoding="utf8") as lines:
        return [line.rstrip("\n").split("\t")[0] for line in lines]


def ours(captions, *options):
    """One row a caption from `clipa-prep tagger show`."""
    command = [
        Path(os.environ["CLIPA_BIN"]) / "clipa-prep", "tagger", "show",
        "--tagger", f"nltk:{SHARED / 'metadata'}",
        "--bert-vocab", SHARED / "metadata/bert-base-uncased-vocab.txt",
        *options,
    ]
    lines = "".join(json.dumps(caption) + "\n" for caption in captions)
    output = subprocess.run(command, input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout
    return [json.loads(line) for line in output.decode().splitlines()]


def compare(name, captions, originals):
    """Prints how many captions differ in each respect; returns the largest share."""
    rows = ours(captions)
    assert len(rows) == len(captions), f"{len(rows)} rows for {len(captions)} captions"
    worst = 0.0
    for what, original in originals.all():
        start = time.process_time()
        expected = [original(caption) for caption in captions]
        seconds = time.process_time() - start
        different = [i for i, row in enumerate(rows) if row[what] != expected[i]]
        worst = max(worst, len(different) / len(captions))
        each = seconds / len(captions) * 1e6
        print(f"{name:<8} {what:<15} {len(different):>5} of {len(captions)} differ; original {each:,.0f} µs a caption")
        for i in different[:SHOWN]:
            print(f"    {captions[i]!a}\n      original {expected[i]!a}\n      clipa    {rows[i][what]!a}")
    return worst


def compare_reductions(name, captions, reductions):
    """Prints how many rows of each reduction differ; returns the largest share."""
    lengths = [option for context in CONTEXT_LENGTHS for option in ("--context-length", str(context))]
    different, shown = {}, []
    for first in range(0, len(captions), CHUNK):
        chunk = captions[first:first + CHUNK]
        rows = ours(chunk, *lengths, "--seed", str(first))
        assert len(rows) == len(chunk), f"{len(rows)} rows for {len(chunk)} captions"
        for place, (caption, row) in enumerate(zip(chunk, rows)):
            expected = reductions.rows(caption, first + place)
            for tokenizer, by_context in row["reductions"].items():
                for context, by_reduction in by_context.items():
                    for reduction, found in by_reduction.items():
                        wanted = expected[tokenizer][context][reduction]
                        if found != wanted:
                            key = (tokenizer, reduction)
                            different[key] = different.get(key, 0) + 1
                            if len(shown) < SHOWN:
                                shown.append((tokenizer, context, reduction, caption, wanted, found))
    each = len(captions) * len(CONTEXT_LENGTHS)
    for tokenizer in reductions.tokenizers:
        counts = ", ".join(f"{reduction} {different.get((tokenizer.name, reduction), 0)}" for reduction in NAMES)
        print(f"{name:<8} of {each} rows of {tokenizer.name} differ: {counts}")
    for tokenizer, context, reduction, caption, wanted, found in shown:
        print(f"    {tokenizer}, {context}, {reduction}: {caption!a}\n      original {wanted}\n      clipa    {found}")
    return max(different.values(), default=0) / each


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--awkward", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--open-clip", type=Path, metavar="TOKENIZER.PY")
    arguments = parser.parse_args()
    if not SHARED.is_dir():
        sys.exit("no shared data: put it beside the workspace or set CLIPA_SHARED")
    wrong = golden.differences()
    originals = Originals(SHARED / "metadata", arguments.open_clip)
    laion, cc3m = captions_of_laion(), captions_of_cc3m()
    real = max(compare("LAION", laion, originals), compare("CC3M", cc3m, originals))
    made = awkward(arguments.awkward, arguments.seed, laion + cc3m)
    generated = compare("awkward", made, originals)
    reductions = Reductions(originals)
    real = max(real, *(compare_reductions(name, captions, reductions)
                       for name, captions in [("LAION", laion), ("CC3M", cc3m)]))
    compare_reductions("awkward", made, reductions)
    sys.exit(1 if wrong > 0 or real > 0 or generated > 0.001 else 0)


if __name__ == "__main__":
    main()
