"""A figure as SVG that stands within an HTML page, in the page's own colours."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from voicetraits.plots.style import INK, styled

# What matplotlib says of itself, and rules that would hold for the whole page.
_LEFT_OUT = ("metadata", "style")
_INK = "currentColor"
_REFERENCE = re.compile(r"(?:^|\()#([^)]+)")


@styled
def inline_svg(figure: Figure, *, label: str, prefix: str) -> str:
    """SVG without addresses, whose ink is the text colour of the page around it.

    Args:
        figure: Drawn within `styled`, on a transparent ground.
        label: What the picture shows, for those who do not see it.
        prefix: Of every id, so that several pictures can stand in one page.
    """
    buffer = io.StringIO()
    # Text stays text: small, and to be found and read aloud.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}):
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    root = ElementTree.fromstring(buffer.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if _name(child.tag) in _LEFT_OUT:
                parent.remove(child)
    for element in root.iter():
        element.tag = _name(element.tag)
        element.tail = None
        element.text = (element.text or "").strip() or None
        element.attrib = {_name(key): value for key, value in element.attrib.items()}
    values = [value for element in root.iter() for value in element.attrib.values()]
    used = {name for value in values for name in _REFERENCE.findall(value)}
    for element in root.iter():
        if element.get("id", "") not in used:
            element.attrib.pop("id", None)
        for key, value in element.attrib.items():
            element.attrib[key] = _within(key, value, prefix)
    for name in ("width", "height", "version"):  # the page says how wide it is
        root.attrib.pop(name, None)
    root.attrib.update({"role": "img", "aria-label": label, "fill": _INK})
    return ElementTree.tostring(root, encoding="unicode")


def _name(qualified: str) -> str:
    """A name without its namespace, which HTML knows by itself."""
    return qualified.rpartition("}")[2]


def _within(key: str, value: str, prefix: str) -> str:
    """The value of an attribute, as it is to be within a page."""
    if key == "id":
        return f"{prefix}-{value}"
    if key == "href":
        return value.replace("#", f"#{prefix}-", 1)
    if key == "style":
        value = value.replace(INK.lower(), _INK).replace("#000000", _INK)
        value = value.replace("'DejaVu Sans'", "sans-serif")  # which not every reader has
    return value.replace("url(#", f"url(#{prefix}-")
