"""Golden values where they stand: in the tests of the Rust sources."""
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
ESCAPE = re.compile(r"\\(?:u\{([0-9a-f_]+)\}|x([0-9a-f]{2})|\n\s*|(.))", re.DOTALL | re.IGNORECASE)
ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}


def between(file, start, end):
    """The text of a source file from `start` to the `end` that follows."""
    text = (ROOT / file).read_text(encoding="utf8")
    assert start in text, f"{file} has no `{start}`"
    return text.split(start, 1)[1].split(end, 1)[0]


def strings(text):
    """The string literals in a text, as they are read."""
    return [ESCAPE.sub(_character, literal) for literal in STRING.findall(text)]


def pairs(text):
    """String literals, two and two: what goes in, what is expected."""
    literals = strings(text)
    assert literals and len(literals) % 2 == 0, f"{len(literals)} strings are no pairs"
    return list(zip(literals[::2], literals[1::2]))


def decimals(text, least):
    """The numbers with at least so many decimals."""
    return [float(number) for number in re.findall(rf"-?\d+\.\d{{{least},}}", text)]


def integers(text, least):
    """The integers of at least so many digits, decimal or hexadecimal, with Rust's underscores."""
    found = [number.replace("_", "") for number in re.findall(r"\b(?:0x[0-9a-f_]+|\d[\d_]*)\b", text)]
    return [int(number, 0) for number in found if len(number.removeprefix("0x")) >= least]


def _character(match):
    unicode, byte, other = match.groups()
    if unicode or byte:
        return chr(int(unicode or byte, 16))
    return ESCAPED.get(other, other) if other else ""
