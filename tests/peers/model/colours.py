"""torchvision's colour changes on Pillow's images, as hashes of their bytes."""
import numpy
from PIL import Image
from torchvision.transforms import functional


def sample():
    """8 × 8 pixels of many colours."""
    values = [(i * 37 + i * i // 5 * 3) % 256 for i in range(8 * 8 * 3)]
    return Image.frombytes("RGB", (8, 8), bytes(values))


def cube():
    """Every fifth red, every third green, every blue."""
    grid = numpy.meshgrid(numpy.arange(0, 256, 5), numpy.arange(0, 256, 3), numpy.arange(256), indexing="ij")
    colours = numpy.stack(grid, axis=-1).astype(numpy.uint8)
    return Image.fromarray(colours.reshape(-1, 256, 3))


def fnv(image):
    """FNV-1a of an image's bytes, 64 bits."""
    state = 0xcbf29ce484222325
    for byte in image.tobytes():
        state = (state ^ byte) * 0x100000001b3 % 2 ** 64
    return state


def of_sample():
    """The sample and all that is made of it, in the order of the test."""
    image = sample()
    yield fnv(image)
    for change, strengths in [
        (functional.adjust_brightness, (0.7, 1.25)), (functional.adjust_contrast, (0.7, 1.25)),
        (functional.adjust_saturation, (0.7, 1.25)), (functional.adjust_hue, (-0.08, 0.0, 0.05)),
    ]:
        for strength in strengths:
            yield fnv(change(image, strength))
    yield fnv(functional.to_grayscale(image, 3))


def of_cube():
    image = cube()
    for shift in (-0.08, 0.05):
        yield fnv(functional.adjust_hue(image, shift))
