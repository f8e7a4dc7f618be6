"""A figure's SVG as somebody sees it: its shapes, their places, its words."""

import re
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"
PLACES = ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "points", "d", "r")


class Drawn:
    """An SVG that parses, with what the tests ask of it."""

    def __init__(self, svg):
        self.root = ElementTree.fromstring(svg)
        self.wide, self.high = (float(self.root.get(side)) for side in ("width", "height"))

    def all(self, tag, name=None):
        """Every element of a tag, where `name` is given those with this class."""
        return [at for at in self.root.iter(SVG + tag) if name in (None, at.get("class"))]

    @property
    def words(self):
        return [at.text for at in self.all("text")]

    @property
    def told(self):
        """What is said of a shape when it is pointed at."""
        return [at.findtext(SVG + "title") for at in self.root.iter() if at is not self.root][1:]

    def lines(self, name):
        """The points of every polyline whose stroke has this name."""
        found = self.all("polyline", f"s-{name}")
        return [
            [tuple(map(float, point.split(","))) for point in at.get("points").split()]
            for at in found
        ]

    def marks(self, name):
        """Where the marks of this colour begin; the key's among them."""
        paths = (at.get("d") for at in self.all("path", name))
        return [tuple(map(float, re.match(r"M(\S+) ([^mM]+?)m", path).groups())) for path in paths]

    @property
    def numbers(self):
        """Every number that places or sizes something."""
        values = [at.get(name) or "" for at in self.root.iter() for name in PLACES]
        return [word for value in values for word in re.findall(r"[a-zA-Z]{2,}|[-\d.e]+", value)]
