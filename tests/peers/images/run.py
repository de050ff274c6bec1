"""Do we see what Pillow sees? Formats, orientations, resized squares and unpadded borders, pixel by pixel.

    cargo xtask peers images [FOLDER]

Draws images in every format and mode that Pillow writes, puts them (and the images in FOLDER, if given) into a tar,
ingests it, and compares the stored pixels with Pillow's. The exit code is 1 where a verdict or a size differs, or
the pixels are further apart than the format explains.
"""
import io
import json
import math
import os
import random
import subprocess
import sys
import tarfile
import tempfile
import warnings
from pathlib import Path

import numpy
import pyarrow.parquet
from PIL import Image, ImageDraw, ImageOps

BIN = Path(os.environ["CLIPA_BIN"])
SQUARES = [64, 112, 224]
# Least PSNR in dB. Two decoders of one lossy WebP may round differently; all else is exact.
EXACT, LOSSY_WEBP, SQUARE, SQUARE_FROM_LARGEST = 99.0, 38.0, 50.0, 40.0

# Files of the robust set that Pillow refuses for what stands beside their pixels, which we never unpack.
PIXELS_ARE_WHOLE = ("png_decompression_dos.png", "unknown_compression_method.png")

failures = 0


def check(what, holds, detail=""):
    """Prints and counts one comparison."""
    global failures
    failures += not holds
    print(f"{'same' if holds else 'DIFFERENT':9}  {what:44} {detail}")


def psnr(ours, theirs):
    """Peak signal-to-noise ratio in dB; 99 for equal pixels."""
    error = numpy.mean((ours.astype(float) - theirs.astype(float)) ** 2)
    return 99.0 if error == 0 else 10 * math.log10(65025 / error)


def drawing(width=120, height=90):
    """An image whose corners, edges and colours differ, so that every flip shows."""
    x, y = numpy.meshgrid(numpy.arange(width), numpy.arange(height))
    levels = numpy.stack([x * 255 // width, y * 255 // height, (x * y) % 256], axis=-1)
    image = Image.fromarray(levels.astype(numpy.uint8))
    draw = ImageDraw.Draw(image)
    draw.rectangle([5, 5, 40, 20], fill=(250, 20, 20))
    draw.ellipse([width // 2, height // 2, width - 4, height - 4], fill=(20, 200, 60))
    return image


def encoded(image, format, **options):
    """The bytes of an image in a format."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def drawn_images():
    """Name and bytes of images in every format and mode."""
    image = drawing()
    clear = image.copy()
    clear.putalpha(Image.linear_gradient("L").resize(image.size))
    palette = image.quantize(64)
    wide = Image.fromarray((numpy.asarray(image.convert("L")).astype(numpy.uint16) * 257 + 31))
    frames = [image.rotate(angle) for angle in (90, 180)]
    yield from (
        (f"jpeg-{name}", encoded(image, "JPEG", **options))
        for name, options in {
            "420": {"quality": 75}, "422": {"quality": 90, "subsampling": 1}, "444": {"quality": 95, "subsampling": 0},
            "progressive": {"progressive": True}, "restarts": {"restart_marker_rows": 1}, "optimized": {"optimize": True},
        }.items()
    )
    yield "jpeg-grey", encoded(image.convert("L"), "JPEG")
    yield "jpeg-cmyk", encoded(image.convert("CMYK"), "JPEG", quality=95)
    for mode in ("1", "L", "LA", "RGB", "P"):
        yield f"png-{mode}", encoded(image.convert(mode), "PNG")
    yield "png-RGBA", encoded(clear, "PNG")
    yield "png-palette-transparent", encoded(palette, "PNG", transparency=3)
    yield "png-RGB-transparent-colour", encoded(image, "PNG", transparency=(250, 20, 20))
    yield "png-16-bit", encoded(wide, "PNG")
    yield "png-animated", encoded(image, "PNG", save_all=True, append_images=frames)
    yield "gif", encoded(palette, "GIF")
    yield "gif-transparent", encoded(palette, "GIF", transparency=3)
    yield "gif-animated", encoded(image, "GIF", save_all=True, append_images=frames)
    yield "webp-lossy", encoded(image, "WEBP", quality=80)
    yield "webp-lossless", encoded(image, "WEBP", lossless=True)
    yield "webp-alpha", encoded(clear, "WEBP", lossless=True, exact=True)
    yield "webp-animated", encoded(image, "WEBP", save_all=True, append_images=frames, lossless=True)
    yield "bmp", encoded(image, "BMP")
    yield "bmp-palette", encoded(palette, "BMP")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for format in ("JPEG", "PNG", "WEBP"):
            options = {"lossless": True} if format == "WEBP" else {}
            yield f"{format.lower()}-orientation-{orientation}", encoded(image, format, exif=exif, **options)


def as_pillow_sees(data):
    """Upright RGB over white, or None where Pillow cannot."""
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except Exception:
        return None
    # Pillow also believes XMP; browsers, in which the captions were written, do not.
    image.info.pop("xmp", None)
    image.info.pop("XML:com.adobe.xmp", None)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        levels = (numpy.asarray(image).astype(numpy.uint32) + 128) // 257
        transparent = image.info.get("transparency")
        if transparent is not None:
            levels = numpy.where(numpy.asarray(image) == transparent, 255, levels)
        return numpy.repeat(levels.astype(numpy.uint8)[..., None], 3, axis=2)
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return numpy.asarray(Image.alpha_composite(white, image).convert("RGB"))
    return numpy.asarray(image.convert("RGB"))


def write_tar(path, samples):
    """A tar of (key, image bytes, sidecar or None)."""
    with tarfile.open(path, "w") as tar:
        for key, data, sidecar in samples:
            members = [(".jpg", data), (".txt", b"a drawing")]
            if sidecar is not None:
                members.append((".json", json.dumps(sidecar).encode()))
            for suffix, content in members:
                info = tarfile.TarInfo(key + suffix)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


def ingest(folder, name, samples, *options):
    """Rows by key, and reasons of rejection by key."""
    tar, output = folder / f"{name}.tar", folder / name
    write_tar(tar, samples)
    command = [BIN / "clipa-prep", "laion", "ingest", tar, "--output", output, "--tagger", "none", *options]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    rows, rejects = {}, {}
    for shard in sorted((output / "shards").glob("*.parquet")):
        rows |= {row["key"]: row for row in pyarrow.parquet.read_table(shard).to_pylist()}
    for shard in sorted((output / "rejects").glob("*.parquet")):
        rejects |= {row["key"]: row["reason"] for row in pyarrow.parquet.read_table(shard).to_pylist()}
    return rows, rejects


def pixels(row, side):
    """The raw pixels of an image column."""
    width, height = row.get(f"width_{side}", side), row.get(f"height_{side}", side)
    return numpy.frombuffer(row[f"image_{side}"], numpy.uint8).reshape(height, width, 3)


def compare_formats(folder, files):
    """Verdict, size and pixels of every image at full size."""
    samples = [(f"{place:04}", data, None) for place, (_, data) in enumerate(files)]
    rows, rejects = ingest(folder, "formats", samples, "--image", "1024:rgb8", "--max-aspect", "60")
    for (key, data, _), (name, _) in zip(samples, files):
        theirs = as_pillow_sees(data)
        if key in rejects:
            check(name, theirs is None, f"ours {rejects[key]}, Pillow {'error' if theirs is None else 'ok'}")
            continue
        ours = pixels(rows[key], 1024)
        if theirs is None and name.endswith(PIXELS_ARE_WHOLE):
            check(name, True, "ours ok, Pillow error: explained")
            continue
        if theirs is None or ours.shape != theirs.shape:
            check(name, False, f"ours {ours.shape}, Pillow {'error' if theirs is None else theirs.shape}")
            continue
        least = LOSSY_WEBP if data[8:12] == b"WEBP" else EXACT
        found = psnr(ours, theirs)
        check(name, found >= least, "equal" if found == 99.0 else f"{found:.1f} dB")


def compare_squares(folder, photographs):
    """Centre squares against Pillow's bicubic resize with a box: each alone, and taken from the largest."""
    samples = [(f"{place:04}", data, None) for place, data in enumerate(photographs)]
    alone = {side: ingest(folder, f"square-{side}", samples, "--image", f"{side}:rgb8-square")[0] for side in SQUARES}
    options = [word for side in SQUARES for word in ("--image", f"{side}:rgb8-square")]
    together, _ = ingest(folder, "squares", samples, *options)
    for side in SQUARES:
        direct, derived = [], []
        for key, data, _ in samples:
            image = Image.open(io.BytesIO(data)).convert("RGB")
            short = min(image.size)
            left, top = (image.width - short) // 2, (image.height - short) // 2
            box = (left, top, left + short, top + short)
            theirs = numpy.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box=box))
            direct.append(psnr(pixels(alone[side][key], side), theirs))
            derived.append(psnr(pixels(together[key], side), theirs))
        for name, found, least in (("alone", direct, SQUARE), ("among others", derived, SQUARE_FROM_LARGEST)):
            detail = f"{len(found)} images: mean {numpy.mean(found):.1f}, worst {min(found):.1f} dB"
            check(f"square {side} {name}", min(found) >= least, detail)


def padded(image, side):
    """What img2dataset's border mode stores: the long side scaled, white around, the content in the middle."""
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    small = image.resize((width, height), Image.Resampling.LANCZOS)
    square = Image.new("RGB", (side, side), "white")
    square.paste(small, ((side - width) // 2, (side - height) // 2))
    return square, small.size


def compare_borders(folder, photographs):
    """Content boxes of padded photographs, cropped to random sizes, against where they were pasted."""
    dice = random.Random(1)
    samples, sizes = [], {}
    for place, data in enumerate(photographs):
        image = Image.open(io.BytesIO(data)).convert("RGB")
        width, height = (dice.randint(40, length) for length in image.size)
        image = image.crop((0, 0, width, height))
        square, size = padded(image, 256)
        key = f"{place:04}"
        sizes[key] = size
        sidecar = {"original_width": width, "original_height": height}
        samples.append((key, encoded(square, "JPEG", quality=95), sidecar))
    rows, _ = ingest(folder, "borders", samples, "--image", "1024:rgb8", "--max-aspect", "60", "--unpad")
    right = sum(pixels(rows[key], 1024).shape[1::-1] == size for key, size in sizes.items())
    check("borders cut off", right == len(sizes), f"{right} of {len(sizes)} content boxes found again")


def photographs(folder):
    """JPEGs of img2dataset tars beside the checkout, else drawings."""
    tars = sorted(folder.glob("*.tar"))
    found = []
    for tar in tars[:2]:
        with tarfile.open(tar) as members:
            found += [members.extractfile(member).read() for member in members if member.name.endswith(".jpg")]
    if not found:
        print(f"{folder} is not there: drawings instead of photographs")
        found = [encoded(drawing(300 + 7 * place, 256), "JPEG", quality=90) for place in range(20)]
    return found


def main():
    warnings.simplefilter("ignore")
    shared = Path(os.environ.get("CLIPA_SHARED", Path(__file__).parents[4] / "shared"))
    files = list(drawn_images())
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else shared / "data/robust"
    images = sorted(path for path in given.rglob("*") if path.suffix in (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"))
    files += [(str(path.relative_to(given))[-44:], path.read_bytes()) for path in images]
    photos = photographs(shared / "data/pairs")
    with tempfile.TemporaryDirectory() as folder:
        compare_formats(Path(folder), files)
        compare_squares(Path(folder), photos)
        compare_borders(Path(folder), photos)
    print(f"{failures} differences" if failures else "no differences")
    sys.exit(1 if failures else 0)


main()
