"""The text reductions, transcribed: from a raw caption to the row that a model reads.

`syntax`, `truncate`, `random` and `block` after CLIPA's torch code and open_clip, with a stable sort and with clipa's own
draws (SplitMix64, the documented selection); `syntax-vocab` after CLIPA's JAX code; `syntax-pieces` is clipa's own.
"""
from originals import clean

PAD = 0
CONTEXT_LENGTHS = [4, 8, 16, 32, 77]
NAMES = ["truncate", "random", "block", "syntax", "syntax-pieces", "syntax-vocab"]
MASK = 2**64 - 1


class SplitMix64:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, bound):
        """Uniform in 0..bound: Lemire's multiplication with rejection."""
        while True:
            product = self.next() * bound
            if product & MASK >= 2**64 % bound:
                return product >> 64


def priority(tag):
    """CLIPA: nouns, adjectives, verbs, everything else."""
    return next((n for n, prefix in enumerate(["NN", "JJ", "VB"]) if tag.startswith(prefix)), 3)


def best(tags, count):
    """Places of the first `count` words by priority, in the caption's order."""
    return sorted(sorted(range(len(tags)), key=lambda place: priority(tags[place]))[:count])


class ClipBpe:
    """open_clip's rows: start, tokens, end; a longer row is cut and ends with the end token all the same."""
    name = "clip_bpe"
    start = 49406

    def __init__(self, originals):
        self.bpe = originals.transcribed
        self.encode = originals.bpe.encode

    def budget(self, context):
        return context - 2

    def row(self, ids, context):
        row = [self.start, *ids, 49407][:context]
        row[-1] = 49407
        return row + [PAD] * (context - len(row))

    def words(self, caption):
        """The tokenizer's own words."""
        return [self.bpe.merge(piece) for piece in self.bpe.pieces.findall(clean(caption).lower())]

    def entries(self):
        """The text of every vocabulary entry; what is not UTF-8 becomes U+FFFD."""
        bytes_of = {symbol: byte for byte, symbol in self.bpe.symbols.items()}
        names = sorted(self.bpe.ids, key=self.bpe.ids.get)
        texts = [bytes(bytes_of[symbol] for symbol in name.removesuffix("</w>")) for name in names[:-2]]
        return [text.rstrip(b" \t\n\r\x0c").decode("utf8", "replace") for text in texts] + names[-2:]


class Bert:
    """CLIPA's rows: [CLS] and as many pieces as fit."""
    name = "bert_wordpiece"
    start = 101

    def __init__(self, originals):
        self.bert = originals.bert

    def encode(self, caption):
        return self.bert.encode(clean(caption), add_special_tokens=False).ids

    def budget(self, context):
        return context - 1

    def row(self, ids, context):
        row = [self.start, *ids][:context]
        return row + [PAD] * (context - len(row))

    def words(self, caption):
        encoded = self.bert.encode(clean(caption), add_special_tokens=False)
        pairs = zip(encoded.ids, encoded.tokens)
        words = []
        for number, piece in pairs:
            if piece.startswith("##"):
                words[-1].append(number)
            else:
                words.append([number])
        return words

    def entries(self):
        return sorted(self.bert.get_vocab(), key=self.bert.get_vocab().get)


class BertStripped(Bert):
    """open_clip's rows: as Hugging Face makes them, then every [SEP] replaced by padding."""
    name = "bert_wordpiece, strip_sep_token"

    def budget(self, context):
        return context - 2

    def row(self, ids, context):
        row = [self.start, *ids[:context - 2], 102]
        row = [PAD if number == 102 else number for number in row]
        return row + [PAD] * (context - len(row))


class Reductions:
    def __init__(self, originals):
        self.originals = originals
        self.tokenizers = [ClipBpe(originals), Bert(originals), BertStripped(originals)]
        # the tag of an entry is that of its last word, out of context; the two dialects of BERT share theirs
        clip, bert = [[self.alone(text) for text in tokenizer.entries()] for tokenizer in self.tokenizers[:2]]
        self.entry_tags = [clip, bert, bert]

    def alone(self, text):
        words = self.originals.words(text)
        return words[-1][1] if words else ""

    def rows(self, caption, seed):
        """By tokenizer, context length and reduction."""
        tagged = self.originals.words(caption)
        return {
            tokenizer.name: self.rows_of(tokenizer, tags, caption, tagged, seed)
            for tokenizer, tags in zip(self.tokenizers, self.entry_tags)
        }

    def rows_of(self, tokenizer, entry_tags, caption, tagged, seed):
        ids, own_words = tokenizer.encode(caption), tokenizer.words(caption)
        words, tags = [word for word, _ in tagged], [tag for _, tag in tagged]
        pieces = [tokenizer.encode(word) for word in words]
        own_tags = [entry_tags[word[0]] for word in own_words]
        rows = {}
        for context in CONTEXT_LENGTHS:
            budget = tokenizer.budget(context)
            kept = {
                "truncate": ids,
                "random": draw(ids, budget, SplitMix64(seed)),
                "block": block(ids, budget, SplitMix64(seed)),
                "syntax": tokenizer.encode(" ".join(words[place] for place in best(tags, budget))),
                "syntax-pieces": whole_words(pieces, tags, budget),
                "syntax-vocab": [number for place in best(own_tags, budget) for number in own_words[place]],
            }
            rows[str(context)] = {name: tokenizer.row(kept[name], context) for name in NAMES}
        return rows


def draw(ids, budget, random):
    """Selection sampling: each token is kept with the chance that the places left need."""
    if len(ids) <= budget:
        return ids
    kept = []
    for place, number in enumerate(ids):
        if random.below(len(ids) - place) < budget - len(kept):
            kept.append(number)
    return kept


def block(ids, budget, random):
    start = random.below(max(len(ids) - budget, 0) + 1)
    return ids[start:start + budget]


def whole_words(pieces, tags, budget):
    """Words by priority as long as they fit whole."""
    kept = set()
    for place in sorted(range(len(tags)), key=lambda place: priority(tags[place])):
        if len(pieces[place]) <= budget:
            budget -= len(pieces[place])
            kept.add(place)
    return [number for place in sorted(kept) for number in pieces[place]]
