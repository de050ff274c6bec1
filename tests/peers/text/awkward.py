"""Strings that break tokenizers, drawn from a seed."""
import html.entities
import random

import ftfy.bad_codecs  # noqa: F401, registers the sloppy encodings

PARTS = [
    "<start_of_text>", "<end_of_text>", "<START_OF_TEXT>", "[SEP]", "[sep]", "😀", "👨‍👩‍👧", "שלום", "مرحبا", "\u202e", "\u200f",
    "\x00", "\x1b[31m", "\x85", "\ufeff", "\u2028", "\r\n", "\r", "\t", "\x1c", "日本語", "ﾊﾝｶｸ", "ＦＵＬＬ", "ﬁﬂ", "ŉ", "“q”", "‘s’",
    "’s", "n't", "don’t", "'s", "'tis", "''", "``", '"', "...", "..", "--", "—", "…", "ſ", "'ſ", "İ", "ı", "ΟΔΟΣ", "ß", "é",
    "e\u0301", "½", "²", "٣", "Ⅷ", "\u0301", "&amp;", "&#39;", "&quot", "&EACUTE;", "&#x1F600;", "&#128;", "&lt;b&gt;", "<",
    "\xa0", "\u200b", "\u3000", "?", "!", "cannot", "gonna", "wanna ", "Mr.", "U.S.", "Vol. 8", "J. Bach", "$5.00", "10,000",
    "a,b", ":", ";", "#tag", "@user", "100%", "*", "(x)", "[y]", "{z}", "\ufffd", "Ã©", "â€™", "â€œ", "Â£", "\U0010ffff", "\ue000",
]
WORDS = ["café", "naïve", "Ünïcode", "“quoted”", "it’s", "—", "€5", "привет мир", "Ελληνικά", "日本", "😀", "Łódź", "čeština",
         "à la", "São Paulo", "½ ¼", "©2019", "™", "…"]
ENCODINGS = ["latin-1", "sloppy-windows-1252", "sloppy-windows-1251", "sloppy-windows-1250", "sloppy-windows-1253",
             "sloppy-windows-1254", "sloppy-windows-1257", "iso-8859-2", "macroman", "cp437"]
RANGES = [(0x80, 0x24F), (0x370, 0x52F), (0x2000, 0x2BFF), (0x1F300, 0x1F64F)]


def awkward(count, seed, captions):
    """`count` strings: pieces of captions, odd parts and mojibake, run together."""
    draw = random.Random(seed)
    entities = sorted(html.entities.html5)

    def part():
        kind = draw.random()
        if kind < 0.25:
            return mojibake(draw)
        if kind < 0.6:
            return draw.choice(PARTS)
        if kind < 0.7:
            return "&" + draw.choice(entities)
        if kind < 0.9:
            words = draw.choice(captions).split()
            start = draw.randint(0, len(words))
            return " ".join(words[start:start + 4])
        if kind < 0.95:
            return "".join(chr(draw.randint(*draw.choice(RANGES))) for _ in range(draw.randint(1, 5)))
        return "".join(draw.choice("ab.'\"`,:-!?() \nn't") for _ in range(draw.randint(1, 10)))

    return ["".join(part() + draw.choice(["", " ", " "]) for _ in range(draw.randint(1, 8))) for _ in range(count)]


def mojibake(draw):
    """Words whose UTF-8 was read as something else, once or twice, some of it lost on the way."""
    text = " ".join(draw.choice(WORDS) for _ in range(draw.randint(1, 4)))
    for _ in range(draw.choice([1, 1, 1, 2])):
        encoding = draw.choice(ENCODINGS[:2] if draw.random() < 0.6 else ENCODINGS)
        try:
            text = text.encode("utf8").decode(encoding)
        except UnicodeDecodeError:
            break
    if draw.random() < 0.2:
        text = text.replace("\xa0", " ")
    if draw.random() < 0.1:
        text = text.replace("\x9d", "\ufffd").replace("\x81", "\ufffd")
    if draw.random() < 0.1:
        text = "".join(c for c in text if draw.random() < 0.95)
    return text
