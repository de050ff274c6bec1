"""open_clip's tokenizer and its syntax mask on the captions of our unit tests."""
import functools
import sys
import types
from unittest import mock

import numpy
from open_clip import tokenizer

# Of the test in clip_bpe/mod.rs, in its order.
CAPTIONS = [
    "a photo of a dog.",
    "café naïve, adidas! sneakers 2019 w/ logo_v2",
    "it's 10,000 'quoted' <b>",
    "北京市 emoji 😀",
]
# Of the test in schemas/src/reduction/text.rs, with the tags of NLTK.
GOLDEN = "A photo of a small brown dog running quickly across the green grass in a park , 2019"
TAGS = "DT NN IN DT JJ JJ NN VBG RB IN DT JJ NN IN DT NN , CD"


def encoded():
    encode = tokenizer.SimpleTokenizer().encode
    return [encode(caption) for caption in CAPTIONS]


def syntax_row():
    """The golden caption's row of eight. The tags are given: no model has to be downloaded."""
    words, tags = GOLDEN.split(), TAGS.split()
    nltk = types.ModuleType("nltk")
    nltk.tokenize = types.SimpleNamespace(word_tokenize=lambda text: text.split())
    nltk.pos_tag = lambda _: list(zip(words, tags, strict=True))
    sys.modules["nltk"] = nltk
    tokenizer._nltk_init = True
    simple = tokenizer.SimpleTokenizer()
    # Which of equal words numpy's own sort puts first depends on the processor; we take the first ones.
    stable = functools.partial(numpy.argsort, kind="stable")
    with mock.patch.object(tokenizer.np, "argsort", stable):
        row = tokenizer.syntax_mask_tokenize([GOLDEN], 8, simple.sot_token_id, simple.eot_token_id, simple.encode)
    return row[0].tolist()
