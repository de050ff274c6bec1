"""The originals on the cases of our unit tests, whose expected values were made like this."""
import html
import sys
from pathlib import Path

import ftfy
from nltk.tokenize import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

sys.path.insert(0, str(Path(__file__).parents[1]))
import rust  # noqa: E402

SOURCES = "tools/text/src"


def small_punkt():
    """NLTK's sentence tokenizer with the small tables of the test in punkt.rs (`fn model`)."""
    parameters = PunktParameters()
    parameters.abbrev_types = {"mr", "vol", "s.p.a"}
    parameters.collocations = {("j", "bach")}
    parameters.sent_starters = {"the"}
    parameters.ortho_context.update({"it": 2 | 16, "dogs": 32 | 64})
    return PunktSentenceTokenizer(parameters)


def tables():
    """Where cases stand, what comes before and behind them, and the original."""
    words = NLTKWordTokenizer()
    sentences = small_punkt()
    yield "clean/html.rs", "fn as_python_unescapes()", "\n        ] {", html.unescape
    yield "clean/repair.rs", "fn as_ftfy_repairs()", "\n        ] {", ftfy.fix_text
    yield "words/treebank.rs", "const CASES: ", "\n    ];", lambda text: "|".join(words.tokenize(text))
    yield "words/punkt.rs", "const CASES: ", "\n    ];", lambda text: "|".join(sentences.tokenize(text))


def differences():
    """Checks every case; prints how many differ, and which; returns the number."""
    total = 0
    for file, start, end, original in tables():
        cases = rust.pairs(rust.between(f"{SOURCES}/{file}", start, end))
        different = [(text, expected) for text, expected in cases if original(text) != expected]
        total += len(different)
        print(f"{file:<20} {len(different):>3} of {len(cases)} golden values differ")
        for text, expected in different:
            print(f"    {text!a}\n      original {original(text)!a}\n      clipa    {expected!a}")
    return total
