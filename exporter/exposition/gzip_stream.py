"""One gzip member made of a part that is compressed once and a part that is compressed at each scrape.

A second member would be simpler, and RFC 1952 allows it, but curl and httpx silently drop what follows the first. So
the cached part is raw deflate (RFC 1951) that ends with a sync flush: on a byte boundary and without a final block. The
other part is appended as a stream of its own, which has a final block. Its back references never reach into the first
part, so a decoder sees one stream. The checksum runs on from one part into the other.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from struct import pack
from typing import Final

from isal import isal_zlib

# Magic, deflate, no flags, no time, no hints, unknown system (RFC 1952, section 2.3).
_MEMBER_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_RAW_DEFLATE: Final = -15
_LEVEL: Final = 1


@dataclass(frozen=True, slots=True)
class OpenMember:
    """The beginning of a gzip member, header included.

    Attributes:
        start: its bytes.
        crc: CRC-32 of what was compressed.
        length: bytes that were compressed.
    """

    start: bytes
    crc: int
    length: int

    def closed(self, tail: bytes) -> bytes:
        """Return what follows `start` when `tail` is the end of the content."""
        end = isal_zlib.compress(tail, _LEVEL, _RAW_DEFLATE)
        crc = isal_zlib.crc32(tail, self.crc)
        return end + pack("<II", crc, (self.length + len(tail)) & 0xFFFFFFFF)


def open_member(content: Iterable[bytes]) -> OpenMember:
    """Compress `content` as the beginning of a member; other threads run meanwhile."""
    compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW_DEFLATE)
    parts = [_MEMBER_HEADER]
    crc = length = 0
    for piece in content:
        parts.append(compressor.compress(piece))
        crc = isal_zlib.crc32(piece, crc)
        length += len(piece)
    parts.append(compressor.flush(isal_zlib.Z_SYNC_FLUSH))
    return OpenMember(b"".join(parts), crc, length)
