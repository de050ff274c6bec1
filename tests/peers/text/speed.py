"""Processor time of the originals for a LAION caption, in µs, as JSON: for `cargo xtask bench text`."""
import json
import time

from originals import Originals
from run import SHARED, captions_of_laion

originals = Originals(SHARED / "metadata")
captions = captions_of_laion()


def each(work):
    """The least of three rounds, after one that fills the caches."""
    seconds = []
    for _ in range(4):
        start = time.process_time()
        for caption in captions:
            work(caption)
        seconds.append(time.process_time() - start)
    return min(seconds[1:]) / len(captions) * 1e6


print(json.dumps({"open_clip": each(originals.bpe.encode), "nltk": each(originals.words)}))
