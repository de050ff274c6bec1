"""The originals: ftfy, open_clip's BPE, NLTK's words and tags, Hugging Face's WordPiece."""
import functools
import gzip
import html
import importlib.util
import json
import sys
import types

import ftfy
import regex
from nltk.tag.perceptron import PerceptronTagger
from nltk.tokenize import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer
from tokenizers import BertWordPieceTokenizer


class Originals:
    def __init__(self, metadata, open_clip=None):
        self.transcribed = OpenClip(metadata)
        self.bpe = real_open_clip(open_clip) if open_clip else self.transcribed
        self.sentences = punkt(metadata / "nltk_punkt_tab_english")
        self.treebank = NLTKWordTokenizer()
        self.tagger = tagger(metadata / "nltk_averaged_perceptron_tagger_eng")
        self.bert = BertWordPieceTokenizer(str(metadata / "bert-base-uncased-vocab.txt"), lowercase=True)
        self.bert.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])

    def all(self):
        """Names as in our rows, and functions of a caption."""
        return [
            ("cleaned", clean),
            ("clip_bpe", self.bpe.encode),
            ("words", self.words),
            ("bert_wordpiece", lambda text: self.bert.encode(clean(text), add_special_tokens=False).ids),
        ]

    def words(self, caption):
        """What `pos_tag(word_tokenize(caption))` does once its files are loaded."""
        sentences = self.sentences.tokenize(caption)
        words = [word for sentence in sentences for word in self.treebank.tokenize(sentence)]
        return [list(pair) for pair in self.tagger.tag(words)]


def clean(text):
    """open_clip's clean mode `whitespace`."""
    text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    return " ".join(text.split())


class OpenClip:
    """open_clip's SimpleTokenizer.encode, transcribed."""

    def __init__(self, metadata):
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        others = [byte for byte in range(256) if byte not in printable]
        self.symbols = {byte: chr(byte) for byte in printable}
        self.symbols |= {byte: chr(256 + n) for n, byte in enumerate(others)}
        with gzip.open(metadata / "bpe_simple_vocab_16e6.txt.gz", "rt", encoding="utf8") as lines:
            merges = [tuple(line.split()) for line in lines.read().split("\n")[1:48895]]
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        alone = [self.symbols[byte] for byte in printable + others]
        names = alone + [symbol + "</w>" for symbol in alone] + ["".join(pair) for pair in merges]
        self.specials = ["<start_of_text>", "<end_of_text>"]
        self.ids = {name: number for number, name in enumerate(names + self.specials)}
        self.pieces = regex.compile(
            "|".join(self.specials) + r"|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE
        )

    def encode(self, text):
        pieces = self.pieces.findall(clean(text).lower())
        return [number for piece in pieces for number in self.merge(piece)]

    @functools.cache  # noqa: B019, as open_clip keeps every piece that it has merged
    def merge(self, piece):
        if piece in self.specials:
            return [self.ids[piece]]
        word = [self.symbols[byte] for byte in piece.encode()]
        word[-1] += "</w>"
        while len(word) > 1:
            pair = min(zip(word, word[1:]), key=lambda pair: self.ranks.get(pair, float("inf")))
            if pair not in self.ranks:
                break
            merged, at = [], 0
            while at < len(word):
                both = tuple(word[at:at + 2]) == pair
                merged.append("".join(pair) if both else word[at])
                at += 2 if both else 1
            word = merged
        return [self.ids[symbol] for symbol in word]


def real_open_clip(path):
    """The tokenizer of open_clip itself, without torch, which it only uses for its output."""
    for name in ("torch", "numpy"):
        sys.modules.setdefault(name, types.ModuleType(name))
    for name in ("LongTensor", "Tensor"):
        setattr(sys.modules["torch"], name, object)
    spec = importlib.util.spec_from_file_location("open_clip_tokenizer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SimpleTokenizer()


def punkt(folder):
    def rows(name):
        return [line for line in (folder / name).read_text("utf8").split("\n") if line]

    parameters = PunktParameters()
    parameters.abbrev_types = set(rows("abbrev_types.txt"))
    parameters.sent_starters = set(rows("sent_starters.txt"))
    parameters.collocations = {tuple(row.split("\t")) for row in rows("collocations.tab")}
    for row in rows("ortho_context.tab"):
        word, flags = row.split("\t")
        parameters.ortho_context[word] = int(flags)
    return PunktSentenceTokenizer(parameters)


def tagger(folder):
    def part(name):
        with gzip.open(folder / f"averaged_perceptron_tagger_eng.{name}.json.gz", "rt", encoding="utf8") as file:
            return json.load(file)

    loaded = PerceptronTagger(load=False)
    loaded.model.weights, loaded.tagdict = part("weights"), part("tagdict")
    loaded.classes = loaded.model.classes = set(part("classes"))
    return loaded
