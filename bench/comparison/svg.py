"""As much of SVG as bars and points need. Text stays text, colours follow the reader's light or dark mode."""
from xml.sax.saxutils import escape

STYLE = """
.paper{fill:#ffffff} text{font:12px system-ui,sans-serif;fill:#1f2328} .faint{fill:#59636e} .bold{font-weight:600}
.grid{stroke:#d1d9e0} .ours{stroke:#0969da;stroke-width:2} .point{fill:#0969da}
polyline{fill:none} .theirs{stroke:#8c959f;stroke-width:2}
.fit{stroke:#0969da;stroke-dasharray:4 3} .more{fill:#8c959f} .less{fill:#bc4c00}
@media (prefers-color-scheme: dark){
.paper{fill:#0d1117} text{fill:#e6edf3} .faint{fill:#9198a1} .grid{stroke:#30363d} .ours,.fit{stroke:#58a6ff}
.point{fill:#58a6ff} .more{fill:#6e7681} .less{fill:#f0883e}
}
"""


class Drawing:
    """Shapes in the order in which they are drawn."""

    def __init__(self, width, height, title):
        self.head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
                     f'height="{height}" role="img">\n<title>{escape(title)}</title>\n<style>{STYLE}</style>\n')
        self.shapes = [f'<rect class="paper" width="{width}" height="{height}"/>']

    def text(self, x, y, text, kind="", anchor="start"):
        """Text whose baseline begins, or with `anchor` ends or centres, at a point."""
        self.shapes.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, kind):
        """A line."""
        self.shapes.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>')

    def path(self, points, kind):
        """A line through points."""
        through = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.shapes.append(f'<polyline points="{through}" class="{kind}"/>')

    def bar(self, x1, x2, y, height, kind):
        """A bar from `x1` to `x2`, whichever is further left."""
        x, width = min(x1, x2), abs(x2 - x1)
        self.shapes.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" class="{kind}"/>')

    def point(self, x, y):
        """A measured point."""
        self.shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="point"/>')

    def __str__(self):
        return self.head + "\n".join(self.shapes) + "\n</svg>\n"
