"""Unpacks parts of a wheel: unpack_wheel.py WHEEL FOLDER FROM=TO...

FROM is a member's name, or a folder's ending in a slash; prints how many files were written.
"""
import os
import shutil
import sys
import zipfile

wheel, folder, *pairs = sys.argv[1:]
rules = [pair.split("=", 1) for pair in pairs]
written = 0
with zipfile.ZipFile(wheel) as archive:
    for member in archive.infolist():
        for source, target in rules:
            inside = source.endswith("/") and member.filename.startswith(source)
            if member.is_dir() or not (inside or member.filename == source):
                continue
            place = os.path.join(folder, target + member.filename[len(source):])
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with archive.open(member) as content, open(place, "wb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
            os.chmod(place, (member.external_attr >> 16) & 0o777 or 0o644)
            written += 1
            break
print(written)
