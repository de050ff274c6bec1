"""Writes the corpus of tests/fuzz but its shards: `python3 seeds.py` with Pillow and pyarrow installed.

Everything in it is drawn or written here.
"""
import io
import json
import struct
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

CORPUS = Path(__file__).parent / "corpus"


def write(target, name, content):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def picture(mode, size=(16, 8)):
    image = Image.new("RGB", size)
    image.putdata([((x * 37) % 256, (x * 11 + 90) % 256, (x * 5) % 256) for x in range(size[0] * size[1])])
    return image.convert(mode)


def encoded(mode, form, **options):
    file = io.BytesIO()
    picture(mode).save(file, form, **options)
    return file.getvalue()


def exif(orientation, order="<"):
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(order + "HI", 42, 8)
    return head + struct.pack(order + "HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def images():
    for mode, name in [("L", "grey-16x8"), ("RGB", "colour"), ("CMYK", "cmyk")]:
        write("image", name + ".jpg", encoded(mode, "JPEG", quality=80))
    write("image", "progressive.jpg", encoded("RGB", "JPEG", progressive=True))
    write("image", "turned.jpg", encoded("RGB", "JPEG", exif=b"Exif\0\0" + exif(6)))
    for mode, name in [("L", "grey"), ("P", "palette"), ("RGBA", "alpha"), ("I;16", "deep"), ("1", "bits")]:
        source = picture("L").point(lambda v: v * 256, "I").convert("I;16") if mode == "I;16" else picture(mode)
        file = io.BytesIO()
        source.save(file, "PNG")
        write("image", name + ".png", file.getvalue())
    write("image", "still.gif", encoded("P", "GIF"))
    write("image", "lossy.webp", encoded("RGB", "WEBP"))
    write("image", "lossless.webp", encoded("RGBA", "WEBP", lossless=True))
    write("image", "plain.bmp", encoded("RGB", "BMP"))
    file = io.BytesIO()
    picture("P").save(file, "GIF", save_all=True, append_images=[picture("P"), picture("P")])
    write("image", "moving.gif", file.getvalue())


def exifs():
    for orientation in (1, 6, 8, 9):
        write("exif", f"little-{orientation}", exif(orientation))
    write("exif", "big-3", exif(3, ">"))
    write("exif", "loop", b"II" + struct.pack("<HI", 42, 8) + struct.pack("<HI", 0, 8))
    write("exif", "far", b"II" + struct.pack("<HI", 42, 0xFFFFFFF0))


def sidecars():
    write("sidecar", "img2dataset", b'{"url":"http://a.b/c.jpg","caption":"a red chair","key":"000000001","status":"success",'
          b'"width":256,"height":256,"original_width":640,"original_height":480,"exif":"{\\"Image Orientation\\": \\"Rotated 90 CW\\"}",'
          b'"sha256":"' + b"0f" * 32 + b'","similarity":0.31,"NSFW":"UNLIKELY","LICENSE":"?"}')
    write("sidecar", "datacomp", b'{"uid":"00aa","clip_b32_similarity_score":0.2,"face_bboxes":[[0.1,0.2,0.3,0.4]],"sha256":null}')
    write("sidecar", "odd", b'\xef\xbb\xbf{"a":[[[{}]]],"b":"\\ud83d\\ude00\\u0000","c":-1e999,"NSFW":NaN,"width":3.0}')
    write("sidecar", "deep", b"[" * 300 + b"]" * 300)


def tar(members, form=tarfile.GNU_FORMAT):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as out:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
    return file.getvalue()


def tars():
    pair = [("000.jpg", b"\xff\xd8\xff\xd9"), ("000.txt", b"a chair"), ("000.json", b"{}")]
    next_pair = [("001.jpg", b"x" * 600), ("001.txt", b"two")]
    write("walk", "gnu", tar(pair + next_pair))
    write("walk", "pax", tar([("./ä/" + "n" * 180 + ".jpg", b"1"), ("b.txt", b"2")], tarfile.PAX_FORMAT))
    write("walk", "long-name", tar([("n" * 180 + ".jpg", b"1")]))
    whole = tar(pair + next_pair)
    write("walk", "cut", whole[:1800])
    write("walk", "damaged", whole[:512] + b"\x55" * 512 + whole[1024:4096])
    write("walk", "zeros-within", whole[:1024] + bytes(512) + whole[1024:4096])
    write("walk", "garbage-behind", whole[:5120] + b"garbage" * 100)


def parquet(columns, **options):
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, **options)
    return file.getvalue()


def tables():
    laion = {"key": ["000000000", "000000001", "000000002"], "url": ["http://a.b/c.jpg", None, "x"],
             "caption": ["a red chair", "", None], "status": ["success", "failed_to_download", "success"],
             "error_message": [None, "404", None], "width": [256, None, 3], "similarity": [0.3, None, float("nan")]}
    for compression in ("none", "snappy", "zstd"):
        write("table", compression, parquet(laion, compression=compression))
    write("table", "plain", parquet(laion, use_dictionary=False, data_page_version="2.0"))
    write("table", "numbers", parquet({"key": [0, 1, 2], "width": pa.array([1, 2, 3], pa.uint16())}))
    write("table", "lists", parquet({"key": ["0"], "caption": [["a", "b"]], "exif": [{"a": 1}]}))
    write("table", "empty", parquet({"key": pa.array([], pa.string())}))


def list_files():
    write("list", "text", b"http://a.b/c.jpg\nhttps://\xc3\xa9.fr/%C3%A9\n# a comment\n" + b"0f" * 32 + b"\n" + b"0f" * 16 + b"\n")
    write("list", "csv", b'url,sha256\r\n"http://a.b/c,""d"".jpg",' + b"0f" * 32 + b"\r\n")
    write("list", "utf-16", "http://a.b/c.jpg\n".encode("utf-16"))
    write("list", "parquet", parquet({"url": ["http://a.b/c.jpg", None], "hash": [b"\x0f" * 32, None]}))
    write("list", "hexadecimal", parquet({"MD5": ["0f" * 16, "AF" * 16]}, compression="zstd"))


def safetensors(tensors):
    place, header, body = 0, {"__metadata__": {"format": "pt"}}, b""
    for name, (kind, shape, content) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [place, place + len(content)]}
        place, body = place + len(content), body + content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def checkpoints():
    write("checkpoint", "kinds", safetensors({"a": ("F32", [2, 2], bytes(16)), "b": ("F16", [3], bytes(6)),
                                              "c": ("BF16", [1], bytes(2)), "d": ("F64", [], bytes(8))}))
    write("checkpoint", "integers", safetensors({"a": ("I64", [2], bytes(16))}))
    write("checkpoint", "none", safetensors({}))
    write("checkpoint", "huge", safetensors({"a": ("F32", [1 << 40, 1 << 40], b"")}))


for make in (images, exifs, sidecars, tars, tables, list_files, checkpoints):
    make()
