"""XML that is parsed with care: what could be a bomb is refused."""

from __future__ import annotations

import io
import os
import zlib
from gzip import BadGzipFile, GzipFile
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from pilotage.core.errors import FormatError

from .contents import contents

LARGEST, DEEPEST = 200_000_000, 100
"""Bytes of the largest file, unpacked, and elements within one another."""


def read_xml(path: str | os.PathLike[str]) -> Element:
    """The root of an XML file, plain or gzipped.

    Raises:
        FormatError: if it is not well-formed, has a document type (whose entities could expand without end), is nested
            too deeply, or is too large.
    """
    data, builder, depth = _unpacked(path), TreeBuilder(), 0
    parser = expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise FormatError(f"{path}: elements are nested {depth} deep; expected {DEEPEST} at most")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> NoReturn:
        raise FormatError(f"{path} has a document type (DOCTYPE), which may hold bombs; remove it")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise FormatError(f"{path} is not XML: {error}") from None
    except (LookupError, ValueError) as error:  # an encoding that Python does not know
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path} is not XML that can be read: {error}") from None
    return builder.close()


def _unpacked(path: str | os.PathLike[str]) -> bytes:
    data = contents(path)
    if data[:2] == b"\x1f\x8b":
        try:
            data = GzipFile(fileobj=io.BytesIO(data)).read(LARGEST + 1)
        except (EOFError, zlib.error, BadGzipFile) as error:
            raise FormatError(f"{path}: a damaged gzip file: {error}") from None
    if len(data) > LARGEST:
        raise FormatError(f"{path} is larger than {LARGEST:,} bytes")
    return data
