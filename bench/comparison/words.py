"""How figures are written."""


def digits(value):
    """How many digits after the point make three that count."""
    return next((after for limit, after in ((100, 0), (10, 1), (1, 2), (0.1, 3)) if value >= limit), 4)


def figure(value):
    """Three digits that count, or all before the point."""
    if value is None:
        return "–"
    return f"{value:.{digits(abs(value))}f}" if value else "0"


def around(value, span):
    """A median, and half of what its repetitions are apart, as exact as the median is written."""
    return f"{figure(value)} ± {span / 2:.{digits(value)}f}"


def table(head, lines):
    """A table of Markdown."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def columns(head, lines):
    """A table for a terminal: the first column to the left, all others to the right."""
    rows = [head, *lines]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]

    def line(row):
        first, *others = (cell.rjust(width) for cell, width in zip(row, widths))
        return "  ".join([first.strip().ljust(widths[0]), *others]).rstrip()

    return "\n".join(map(line, rows))
