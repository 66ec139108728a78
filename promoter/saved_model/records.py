"""TFRecord files: the container of warm-up requests (TensorFlow, lib/io/record_reader.cc)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO

from promoter.saved_model.statuses import Code, ServingError

_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8


def read_records(path: Path) -> Iterator[bytes]:
    """The records of `path`, one after the other. Raises ServingError (DATA_LOSS) at the first broken one."""
    with path.open("rb") as file:
        while header := file.read(8):
            (length,) = struct.unpack("<Q", _checked(header, file, path, 8))
            yield _checked(file.read(min(length, path.stat().st_size)), file, path, length)


def written_records(records: Iterable[bytes]) -> bytes:
    """The content of a TFRecord file that holds `records`."""
    return b"".join(map(_framed, records))


def _framed(record: bytes) -> bytes:
    length = struct.pack("<Q", len(record))
    return length + struct.pack("<I", _masked_crc(length)) + record + struct.pack("<I", _masked_crc(record))


def _checked(content: bytes, file: BinaryIO, path: Path, length: int) -> bytes:
    checksum = file.read(4)
    if len(content) != length or len(checksum) != 4:
        raise ServingError(Code.DATA_LOSS, f"truncated record in {path}")
    if struct.unpack("<I", checksum) != (_masked_crc(content),):
        raise ServingError(Code.DATA_LOSS, f"corrupted record in {path}")
    return content


def _masked_crc(content: bytes) -> int:
    """CRC-32C, rotated and shifted as TFRecord wants it, so that a checksum of checksums is none."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in content:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return tuple(table)
