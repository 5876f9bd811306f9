"""The memory of the daemons over a soak, drawn from what `make soak` keeps."""
import csv
import io

from . import runner
from .svg import Drawing

KEPT = runner.PROJECT / "docs" / "reliability" / "soak.csv"
CHART = KEPT.with_suffix(".svg")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 320, 60, 150, 40, 40
MEMORY = " rss_kb"


def chart(text):
    """Resident memory of each daemon against minutes, in MB."""
    rows = list(csv.DictReader(io.StringIO(text)))
    names = [column.removesuffix(MEMORY) for column in rows[0] if column.endswith(MEMORY)]
    lines = {name: [(int(row["second"]) / 60, int(row[name + MEMORY]) / 1000) for row in rows] for name in names}
    last = max(minute for line in lines.values() for minute, _ in line) or 1
    most = max(memory for line in lines.values() for _, memory in line) or 1

    def place(minute, memory):
        return LEFT + (WIDTH - LEFT - RIGHT) * minute / last, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * memory / most

    title = "Memory while the table never rests: the highest of each ten seconds; at the end the table goes"
    drawing = Drawing(WIDTH, HEIGHT, title)
    drawing.text(LEFT, 24, title, "bold")
    for part in range(5):
        x, y = place(last * part / 4, most * part / 4)
        drawing.line(LEFT, y, WIDTH - RIGHT, y, "grid")
        drawing.text(LEFT - 6, y + 4, f"{most * part / 4:.0f} MB", "faint", "end")
        drawing.text(x, HEIGHT - BOTTOM + 16, f"{last * part / 4:.1f} min", "faint", "middle")
    labels = []
    for name, line in lines.items():
        drawing.path([place(*point) for point in line], "theirs" if name == "BIRD" else "ours")
        labels.append([place(*line[max(len(line) - 2, 0)])[1] + 4, name])
    # Names that would lie on one another move apart.
    labels.sort(reverse=True)
    for below, label in zip(labels, labels[1:]):
        label[0] = min(label[0], below[0] - 15)
    for y, name in labels:
        drawing.text(WIDTH - RIGHT + 8, y, name)
    return str(drawing)
