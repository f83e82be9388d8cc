"""Lets the site show docstrings as they are meant: `::` announces a block of text, `Example:` holds a session."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object


class Docstrings(Extension):
    """Rewrites docstrings for the Markdown of the site; the source keeps the form that reads well in a terminal."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Called for every module, class, function and attribute."""
        if obj.docstring is not None:
            text = re.sub(r"^([ \t]*)::[ \t]*$", r"\1", obj.docstring.value, flags=re.MULTILINE)
            text = re.sub(r"::[ \t]*$", ":", text, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", text, flags=re.MULTILINE)
