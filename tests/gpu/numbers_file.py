"""Numbers of a .safetensors file in f32: with torch where it is installed, else with Python alone, which is enough for a tiny model."""
import array
import importlib.util
import json
import mmap
import struct


class Numbers:
    """Tensors by name; nothing is read before it is asked for."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        length = struct.unpack("<Q", self.bytes[:8])[0]
        self.header = json.loads(self.bytes[8:8 + length])
        self.header.pop("__metadata__", None)
        self.start = 8 + length

    def names(self):
        return sorted(self.header)

    def of(self, name):
        entry = self.header[name]
        assert entry["dtype"] == "F32", f"{name} is {entry['dtype']}"
        begin, end = entry["data_offsets"]
        values = array.array("f")
        values.frombytes(self.bytes[self.start + begin:self.start + end])
        return values


def open_numbers(path):
    return Numbers(path)


def relative_difference(one, other, name, is_relative):
    """Greatest difference of a tensor's numbers, where it is relative as a part of the greatest of the first."""
    left, right = one.of(name), other.of(name)
    assert len(left) == len(right), name
    if importlib.util.find_spec("torch"):
        import torch
        left, right = (torch.frombuffer(values, dtype=torch.float32) for values in (left, right))
        difference, size = (left - right).abs().max().item(), left.abs().max().item()
    else:
        differences = [abs(ours - theirs) for ours, theirs in zip(left, right)]
        difference, size = max(differences), max(map(abs, left))
        if any(each != each for each in differences):
            difference = float("nan")
    # No number equals nothing: a difference that is none is the worst.
    difference = difference if difference == difference else float("inf")
    return difference / max(size, 1e-12) if is_relative else difference
