"""Pictures of what was measured or read, for the notebooks: a function takes plain data, returns a Picture.

They are readable in print and for the colour-blind: the colours are those of Okabe and Ito, and whatever has
a colour has a marker, a hatch or a label of its own as well. A title says what was found.
"""

import io
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
COLOURS = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++")
GREY, PALE, MARKED = "#555555", "#EDEDED", "#FFF3B0"
WIDTH = 8.0  # inches
_DOTS = 144  # dots per inch in the file
_SHOWN = 100  # and on the page
_ROW = 0.25  # inches: the height of a line in a table


@dataclass(frozen=True)
class Picture:
    """A finished picture. A notebook shows it as the value of a cell; `text` says the same in words."""

    png: bytes
    text: str
    width: int  # pixels on the page

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        return (
            {"image/png": self.png, "text/plain": self.text},
            {"image/png": {"width": self.width, "alt": self.text}},
        )


def _finish(figure: Figure, title: str, details: str = "") -> Picture:
    """The figure with its title, as a Picture."""
    width, height = figure.get_size_inches()
    figure.text(0.12 / width, 1 - 0.1 / height, title, ha="left", va="top", fontsize=12, fontweight="bold")
    drawn, written = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=_DOTS)
    few_colours = Image.open(drawn).convert("RGB").quantize(64)  # a third of the size, and looks the same
    few_colours.save(written, format="png", optimize=True)
    return Picture(written.getvalue(), f"{title}. {details}".strip(), round(width * _SHOWN))


def _canvas(height: float, width: float = WIDTH) -> Figure:
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _plain(axes: "Axes", x: str, y: str) -> None:
    """Axes without a frame, with names."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=10)
    axes.set_xlabel(x, fontsize=11)
    axes.set_ylabel(y, fontsize=11)


# Measured: curves, bars, spans


def curves(
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    title: str,
    x: str,
    y: str,
    steps: bool = False,
    log: bool = False,
    limit: tuple[str, float] | None = None,
    events: Iterable[tuple[float, str]] = (),
) -> Picture:
    """Named series of points (x, y), each with a colour and a marker, its name at its end.

    `x` and `y` name the axes with their units. `steps`: a value holds until the next one. `log`: both axes
    are logarithmic. `limit`: a named line across. `events`: named moments on the x axis.
    """
    figure = _canvas(3.9)
    axes = figure.subplots()
    _plain(axes, x, y)
    for (name, points), colour, marker in zip(series.items(), cycle(COLOURS), cycle(MARKERS)):
        across, up = zip(*points, strict=True)
        style = "steps-post" if steps else "default"
        every = max(1, len(points) // 25)
        axes.plot(
            across,
            up,
            color=colour,
            marker=marker,
            markevery=every,
            ms=5,
            lw=1.8,
            drawstyle=style,
            label=name,
        )
    if log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    if limit:
        axes.axhline(limit[1], color=GREY, lw=1.2, ls="--")
        axes.annotate(
            limit[0],
            (0.01, limit[1]),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            fontsize=10,
            color=GREY,
        )
        axes.set_ylim(top=max(axes.get_ylim()[1], limit[1] * 1.15))
    for moment, name in events:
        axes.axvline(moment, color=GREY, lw=1.2, ls=":")
        axes.annotate(
            name,
            (moment, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -2),
            textcoords="offset points",
            fontsize=10,
            color=GREY,
            va="top",
        )
    _name_ends(axes, series)
    figure.subplots_adjust(left=0.1, right=0.8, top=0.88, bottom=0.14)
    return _finish(figure, title, _ends(series, y))


def _name_ends(axes: "Axes", series: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Write each series' name beside its last point, the names apart from each other."""
    place = axes.transData + axes.transAxes.inverted()
    ends = sorted((float(place.transform(points[-1])[1]), name) for name, points in series.items())
    colours = dict(zip(series, cycle(COLOURS)))
    free = -1.0
    for wanted, name in ends:
        lines = textwrap.wrap(name, 16)
        half = 0.034 * len(lines)
        height = max(wanted, free + half)
        free = height + half
        axes.annotate(
            "\n".join(lines),
            (1.02, height),
            xycoords="axes fraction",
            fontsize=10.5,
            va="center",
            color=colours[name],
            fontweight="bold",
            annotation_clip=False,
        )


def _ends(series: Mapping[str, Sequence[tuple[float, float]]], unit: str) -> str:
    return (
        "; ".join(f"{name}: {points[0][1]:.3g} to {points[-1][1]:.3g}" for name, points in series.items())
        + f" ({unit})"
    )


def bars(values: Mapping[str, float], *, title: str, x: str, log: bool = False) -> Picture:
    """Named values as bars, each with its number; `x` names the axis with its unit."""
    figure = _canvas(1.3 + 0.45 * len(values))
    axes = figure.subplots()
    _plain(axes, x, "")
    names = list(values)
    drawn = axes.barh(
        names, list(values.values()), color=COLOURS[: len(names)], edgecolor="white", height=0.6
    )
    for bar, hatch in zip(drawn, cycle(HATCHES)):
        bar.set_hatch(hatch)
    labels = [f"{float(f'{value:.2g}'):,.10g}" for value in values.values()]
    axes.bar_label(drawn, labels, padding=4, fontsize=10.5)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=11, length=0)
    if log:
        axes.set_xscale("log")
        first = 10.0 ** math.floor(math.log10(min(values.values())) - 0.3)
        axes.set_xlim(first, max(values.values()) * (max(values.values()) / first) ** 0.15)
    else:
        axes.margins(x=0.12)
    longest = max(len(line) for name in names for line in name.split("\n"))
    height = figure.get_size_inches()[1]
    figure.subplots_adjust(
        left=min(0.5, 0.03 + 0.0105 * longest), right=0.96, top=1 - 0.45 / height, bottom=0.6 / height
    )
    return _finish(
        figure, title, "; ".join(f"{name}: {value:.3g}" for name, value in values.items()) + f" ({x})"
    )


@dataclass(frozen=True)
class Span:
    """Something that took from one moment to another, in milliseconds; `kind` gives it its colour.

    Spans have a row each, from the top down, unless `row` counts from 1.
    """

    began: float
    ended: float
    kind: str
    row: int = 0


def spans(
    panels: Mapping[str, Sequence[Span]],
    *,
    title: str,
    x: str,
    y: str,
    wholes: Mapping[str, float] | None = None,
    shaded: tuple[float, float, str] | None = None,
) -> Picture:
    """Spans as bars, one below the other in the order given, a panel for each list, all on one scale of time.

    `x` and `y` name the axes. `wholes`: how long a panel's whole took, drawn behind its spans. `shaded` marks
    a stretch of time in every panel, with a name.
    """
    rows = [max(4, _count_rows(found)) for found in panels.values()]
    unit = 0.06 if max(rows) > 40 else 0.1 if max(rows) > 24 else 0.15
    kinds = list(dict.fromkeys(span.kind for found in panels.values() for span in found))
    gap, bottom = 0.38, 0.95 if len(kinds) > 1 else 0.6
    height = 0.62 + bottom + unit * sum(rows) + gap * (len(rows) - 1)
    figure = _canvas(height)
    end = max([*(span.ended for found in panels.values() for span in found), *(wholes or {}).values()])
    start = min([0.0, *(span.began for found in panels.values() for span in found)])
    top = height - 0.62
    for (name, found), count in zip(panels.items(), rows, strict=True):
        axes = figure.add_axes((0.085, (top - unit * count) / height, 0.885, unit * count / height))
        top -= unit * count + gap
        _plain(axes, "", "")
        axes.set_title(name, loc="left", fontsize=11, pad=4)
        axes.set_xlim(start, end * 1.02)
        if wholes:
            axes.axvspan(0, wholes[name], color=PALE, zorder=0)
        if shaded:
            _shade(axes, shaded)
        _draw_spans(axes, found, kinds)
        last = _count_rows(found)
        axes.set_ylim(count + 0.6, 0.4)
        axes.set_yticks([1, last] if last * unit > 0.4 else [last])
        axes.tick_params(axis="x", labelbottom=False)
    axes.set_xlabel(x, fontsize=11)
    axes.tick_params(axis="x", labelbottom=True)
    figure.text(0.02, 0.5 + 0.1 / height, y, rotation=90, va="center", ha="center", fontsize=11)
    if len(kinds) > 1:
        _legend(figure, kinds)
    told = "; ".join(f"{name}: {len(found)}" for name, found in panels.items())
    return _finish(figure, title, f"{y}: {told}; {x}: the last ends at {end:.3g}")


def dots(
    panels: Mapping[str, Sequence[tuple[float, float, str]]],
    *,
    title: str,
    x: str,
    y: str,
    shaded: Mapping[str, tuple[float, float, str]] | None = None,
) -> Picture:
    """Points (x, y, kind), a panel for each list, all on the same scales; a kind has a colour and a marker.

    `shaded`: panel → a stretch of the x axis, with a name.
    """
    figure = _canvas(1.15 + 1.75 * len(panels))
    found = figure.subplots(len(panels), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    kinds = list(dict.fromkeys(kind for points in panels.values() for _, _, kind in points))
    for axes, (name, points) in zip(found, panels.items(), strict=True):
        _plain(axes, "", "")
        axes.set_title(name, loc="left", fontsize=11, pad=4)
        for kind, colour, marker in zip(kinds, cycle(COLOURS), cycle(("o", "X", "^", "D"))):
            mine = [(across, up) for across, up, its in points if its == kind]
            axes.scatter(*zip(*mine, strict=True) if mine else ((), ()), s=24, color=colour, marker=marker)
        if shaded:
            _shade(axes, shaded[name])
        axes.set_ylim(bottom=0)
    found[-1].set_xlabel(x, fontsize=11)
    height = figure.get_size_inches()[1]
    figure.text(0.02, 0.5, y, rotation=90, va="center", ha="center", fontsize=11)
    figure.legend(
        [
            Line2D([], [], color=colour, marker=marker, ls="", ms=6)
            for _, colour, marker in zip(kinds, cycle(COLOURS), cycle(("o", "X", "^", "D")))
        ],
        kinds,
        loc="lower left",
        ncols=len(kinds),
        fontsize=10,
        frameon=False,
        bbox_to_anchor=(0.06, 0.0),
    )
    figure.subplots_adjust(left=0.09, right=0.97, top=1 - 0.65 / height, bottom=0.85 / height, hspace=0.3)
    counted = "; ".join(
        f"{name}: " + ", ".join(f"{sum(its == kind for _, _, its in points)} {kind}" for kind in kinds)
        for name, points in panels.items()
    )
    return _finish(figure, title, counted)


def _count_rows(found: Sequence[Span]) -> int:
    return len({span.row or -number for number, span in enumerate(found, 1)})


def _shade(axes: "Axes", shaded: tuple[float, float, str]) -> None:
    axes.axvspan(shaded[0], shaded[1], color=MARKED, zorder=0)
    for moment in shaded[:2]:
        axes.axvline(moment, color=GREY, lw=1, ls=":", zorder=0)
    axes.annotate(
        shaded[2],
        (shaded[0], 1),
        xycoords=("data", "axes fraction"),
        xytext=(3, -2),
        textcoords="offset points",
        va="top",
        fontsize=10,
        color=GREY,
    )


def _draw_spans(axes: "Axes", found: Sequence[Span], kinds: Sequence[str]) -> None:
    colours, hatches = dict(zip(kinds, cycle(COLOURS))), dict(zip(kinds, cycle(HATCHES)))
    many = len(found) > 40
    for number, span in enumerate(found, 1):
        axes.barh(
            span.row or number,
            span.ended - span.began,
            left=span.began,
            height=0.8,
            color=colours[span.kind],
            hatch="" if many else hatches[span.kind],
            edgecolor=colours[span.kind] if many else "white",
            linewidth=1.2 if many else 0,
        )


def _legend(figure: Figure, kinds: Sequence[str]) -> None:
    handles = [
        Rectangle((0, 0), 1, 1, facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0)
        for _, colour, hatch in zip(kinds, cycle(COLOURS), cycle(HATCHES))
    ]
    figure.legend(
        handles,
        kinds,
        loc="lower left",
        ncols=len(kinds),
        fontsize=10,
        frameon=False,
        bbox_to_anchor=(0.04, 0.0),
        handlelength=1.6,
    )


# Rows of a table, before and after


def before_and_after(
    states: Mapping[str, Sequence[Mapping[str, Any]]], *, title: str, key: str = "id"
) -> Picture:
    """The rows of a table at several moments, side by side where there is room; what has changed is marked.

    Rows are found again by their `key`. Marked is what differs from the table before: new values, new
    columns, new rows. A row that goes is struck out, a column that has gone is named below.
    """
    tables = [(name, [dict(row) for row in rows]) for name, rows in states.items()]
    widths = [max(_table_width(rows), 0.085 * len(name)) for name, rows in tables]
    heights = [(len(rows) + 3.2) * _ROW for _, rows in tables]
    gap = 0.35
    beside = sum(widths) + gap * (len(tables) + 1) <= 9.2
    width = max(0.1 * len(title) + 0.3, sum(widths) + gap * len(tables) if beside else max(widths) + gap)
    height = 0.5 + (max(heights) if beside else sum(heights) + 0.1 * len(tables))
    figure = _canvas(height, width)
    axes = _inches(figure)
    left, top, before = 0.12, height - 0.5, None
    for number, ((name, rows), table_width, table_height) in enumerate(
        zip(tables, widths, heights, strict=True), 1
    ):
        _draw_rows(axes, name, rows, before, key, left, top)
        if number < len(tables):
            _strike(axes, rows, {row.get(key) for row in tables[number][1]}, key, left, top)
        before = rows
        if beside:
            left += table_width + gap
        else:
            top -= table_height + 0.1
    return _finish(figure, title, "; ".join(f"{name}: {_told(rows)}" for name, rows in tables))


def _inches(figure: Figure) -> "Axes":
    """Axes over the whole figure, without marks, whose unit is an inch."""
    width, height = figure.get_size_inches()
    axes: Axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.axis("off")
    return axes


def _cell(value: Any) -> str:
    text = "NULL" if value is None else str(value)
    return text if len(text) <= 34 else text[:33] + "…"


def _column_widths(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return {
        name: 0.088 * max(len(name), *(len(_cell(row.get(name))) for row in rows)) + 0.16 for name in columns
    }


def _table_width(rows: Sequence[Mapping[str, Any]]) -> float:
    return sum(_column_widths(rows).values()) if rows else 1.2


def _told(rows: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join("(" + ", ".join(_cell(value) for value in row.values()) + ")" for row in rows)


def _draw_rows(
    axes: "Axes",
    name: str,
    rows: Sequence[Mapping[str, Any]],
    before: Sequence[Mapping[str, Any]] | None,
    key: str,
    left: float,
    top: float,
) -> None:
    axes.text(left, top - _ROW * 0.6, name, fontsize=11, va="center")
    widths = _column_widths(rows)
    known = {row[key]: row for row in before or () if key in row}
    names = set(before[0]) if before else set()
    x = left
    for column, width in widths.items():
        for number, row in enumerate([None, *rows]):
            y = top - _ROW * (number + 2.1)
            value = column if row is None else _cell(row.get(column))
            if row is None:
                changed = before is not None and column not in names
            else:
                old = known.get(row.get(key))
                changed = before is not None and (
                    old is None or column not in old or old[column] != row[column]
                )
            face = MARKED if changed else PALE if row is None else "white"
            axes.add_patch(Rectangle((x, y), width, _ROW, facecolor=face, edgecolor="#999999", lw=0.8))
            axes.text(
                x + 0.08,
                y + _ROW / 2 - 0.01,
                value,
                fontsize=9.5,
                family="monospace",
                va="center",
                fontweight="bold" if changed or row is None else "normal",
                fontstyle="italic" if value == "NULL" else "normal",
            )
        x += width
    if gone := [column for column in (before[0] if before else ()) if column not in widths]:
        y = top - _ROW * (len(rows) + 2.65)
        axes.text(left, y, f"gone: {', '.join(gone)}", fontsize=10, va="center", color=RED, fontweight="bold")


def _strike(
    axes: "Axes", rows: Sequence[Mapping[str, Any]], stay: set[Any], key: str, left: float, top: float
) -> None:
    """Strike out the rows that the next table doesn't have."""
    for number, row in enumerate(rows, 1):
        if row.get(key) not in stay:
            y = top - _ROW * (number + 1.6)
            axes.plot((left + 0.05, left + _table_width(rows) - 0.05), (y, y), color=RED, lw=1.6)


# Entity diagrams


def entities(
    schemas: Mapping[str, Mapping[str, Any]], *, title: str, columns: Sequence[Sequence[str]] = ()
) -> Picture:
    """The tables of a database and the foreign keys between them, for one stage or several side by side.

    `schemas`: the name of the stage → what `App.schema()` says. What a stage has and the one before hadn't
    is marked. Tables stand in columns, those that others refer to on the left; `columns` sets another order.
    """
    stages = [_Stage(name, schema, columns) for name, schema in schemas.items()]
    widths = [stage.width + 0.3 for stage in stages]
    beside = sum(widths) <= 1.25 * WIDTH
    width = max(sum(widths) if beside else max(widths), 0.1 * len(title) + 0.3)
    height = 0.5 + (max if beside else sum)(stage.height for stage in stages)
    figure = _canvas(height, width)
    axes = _inches(figure)
    left, top, before = 0.15, height - 0.5, None
    for stage in stages:
        stage.draw(axes, left, top, before if len(stages) > 1 else None)
        before = stage
        left, top = (left + stage.width + 0.3, top) if beside else (left, top - stage.height)
    told = "; ".join(f"{stage.name}: {stage.told}".strip(": ") for stage in stages)
    return _finish(figure, title, told)


class _Stage:
    """One entity diagram: where its boxes and lines go, in inches."""

    channel = 0.16  # between two lines that run side by side

    def __init__(self, name: str, schema: Mapping[str, Any], columns: Sequence[Sequence[str]]) -> None:
        self.name = name
        self.tables = {table: found for table, found in schema.items() if table != "alembic_version"}
        self.lines = {table: _lines_of(found) for table, found in self.tables.items()}
        self.layers = [[table for table in layer if table in self.tables] for layer in columns]
        self.layers = [layer for layer in self.layers if layer] or _layers(self.tables)
        self.keys = [
            (table, key["columns"][0], key["table"])
            for layer in self.layers
            for table in layer
            for key in self.tables[table]["foreign keys"]
        ]
        self.gaps = [self._gap(number) for number in range(len(self.layers))]
        self.widths = [max(self._table_width(table) for table in layer) for layer in self.layers]
        self.lanes = [key for key in self.keys if self._distance(key) > 1]
        deepest = max(sum(self._table_height(table) + 0.3 for table in layer) for layer in self.layers)
        self.width = sum(self.gaps) + sum(self.widths)
        self.height = deepest + (0.35 if name else 0.05) + self.channel * len(self.lanes)

    @property
    def told(self) -> str:
        return "; ".join(f"{table} ({', '.join(self.tables[table]['columns'])})" for table in self.tables)

    def _layer(self, table: str) -> int:
        return next(number for number, layer in enumerate(self.layers) if table in layer)

    def _distance(self, key: tuple[str, str, str]) -> int:
        return self._layer(key[0]) - self._layer(key[2])

    def _gap(self, number: int) -> float:
        """The room left of a layer, for the lines that run down in it."""
        if number == 0:
            return (
                0.35
                if any(self._distance(key) == 0 and self._layer(key[0]) == 0 for key in self.keys)
                else 0.0
            )
        lines = sum(
            self._layer(child) == number
            or (self._layer(parent) == number - 1 and self._layer(child) > number)
            for child, _, parent in self.keys
        )
        return 0.55 + self.channel * lines

    def _table_width(self, table: str) -> float:
        return max(
            0.09 * (len(table) + 2), *(0.083 * sum(map(len, line)) + 0.5 for line in self._padded(table))
        )

    def _padded(self, table: str) -> list[tuple[str, str, str]]:
        lines = self.lines[table]
        first, second = (max(len(line[column]) for line in lines) for column in (0, 1))
        return [(name.ljust(first), kind.ljust(second), more) for name, kind, more in lines]

    def _table_height(self, table: str) -> float:
        return _ROW * (len(self.lines[table]) + 1)

    def draw(self, axes: "Axes", left: float, top: float, before: "_Stage | None") -> None:
        """Draw it with its upper left corner there; marks what `before` hadn't."""
        if self.name:
            axes.text(left, top - 0.1, self.name, fontsize=11, va="center")
            top -= 0.3
        boxes: dict[str, tuple[float, float, float]] = {}  # left, right, top
        x = left
        for layer, gap, width in zip(self.layers, self.gaps, self.widths, strict=True):
            x += gap
            y = top
            for table in layer:
                boxes[table] = (x, x + width, y)
                self._draw_table(axes, table, boxes[table], before)
                y -= self._table_height(table) + 0.3
            x += width
        self._draw_keys(axes, boxes, top - self.height + (0.35 if self.name else 0.05))

    def _draw_table(
        self, axes: "Axes", table: str, box: tuple[float, float, float], before: "_Stage | None"
    ) -> None:
        left, right, top = box
        axes.add_patch(
            Rectangle((left, top - _ROW), right - left, _ROW, facecolor=BLUE, edgecolor=BLUE, lw=1.2)
        )
        axes.text(
            left + 0.08, top - _ROW / 2, table, color="white", fontsize=10.5, fontweight="bold", va="center"
        )
        height = self._table_height(table)
        known = before.lines.get(table, []) if before else self.lines[table]
        for number, (line, padded) in enumerate(zip(self.lines[table], self._padded(table), strict=True), 1):
            y = top - _ROW * (number + 1)
            if line not in known:
                axes.add_patch(Rectangle((left, y), right - left, _ROW, facecolor=MARKED, lw=0))
            axes.text(
                left + 0.08,
                y + _ROW / 2,
                "  ".join(padded).rstrip(),
                fontsize=9,
                family="monospace",
                va="center",
                fontweight="normal" if line in known else "bold",
            )
        axes.add_patch(
            Rectangle((left, top - height), right - left, height, facecolor="none", edgecolor=BLUE, lw=1.2)
        )

    def _row(self, table: str, column: str) -> int:
        return list(self.tables[table]["columns"]).index(column)

    def _draw_keys(
        self, axes: "Axes", boxes: Mapping[str, tuple[float, float, float]], bottom: float
    ) -> None:
        """A line for each foreign key: from its column, where many rows may be, to the key it refers to."""
        ports: dict[str, int] = {}
        used: dict[int, int] = {}  # layer → lines that run down left of it
        lanes = 0
        styles = cycle([("-", BLUE), ("--", RED), ("-", GREEN), ("-.", GREY), ("--", PURPLE), ("-", ORANGE)])
        count = {parent: sum(key[2] == parent for key in self.keys) for _, _, parent in self.keys}
        for (child, column, parent), (style, colour) in zip(self.keys, styles, strict=False):
            start = boxes[child][2] - _ROW * (self._row(child, column) + 1.5)
            ports[parent] = ports.get(parent, 0) + 1
            spread = (ports[parent] / (count[parent] + 1) - 0.5) * min(_ROW * 1.6, 0.09 * count[parent])
            end = boxes[parent][2] - _ROW * 1.5 - spread
            layer, distance = self._layer(child), self._distance((child, column, parent))
            used[layer] = used.get(layer, 0) + 1
            first = boxes[child][0] - 0.28 - self.channel * (used[layer] - 1)
            if distance <= 0:  # a table that refers to itself, or to its neighbour below
                points = [(boxes[child][0], start), (first, start), (first, end), (boxes[parent][0], end)]
            elif distance == 1:
                points = [(boxes[child][0], start), (first, start), (first, end), (boxes[parent][1], end)]
            else:
                lanes += 1
                beside = self._layer(parent) + 1
                used[beside] = used.get(beside, 0) + 1
                edge = next(boxes[table][0] for table in self.layers[beside])
                second = edge - 0.28 - self.channel * (used[beside] - 1)
                lane = bottom + self.channel * (lanes - 0.5)
                points = [
                    (boxes[child][0], start),
                    (first, start),
                    (first, lane),
                    (second, lane),
                    (second, end),
                    (boxes[parent][1], end),
                ]
            half = 0.06 if count[parent] == 1 else 0.03
            _draw_key(axes, points, style, colour, half, to_left_side=distance <= 0)


def _draw_key(
    axes: "Axes",
    points: Sequence[tuple[float, float]],
    style: str,
    colour: str,
    half: float,
    *,
    to_left_side: bool,
) -> None:
    across, up = zip(*points, strict=True)
    axes.plot(across, up, ls=style, color=colour, lw=1.4, solid_joinstyle="round", zorder=3)
    x, y = points[0]
    for offset in (-0.07, 0.07):  # a crow's foot: many
        axes.plot((x - 0.13, x), (y, y + offset), color=colour, lw=1.4, zorder=3)
    x, y = points[-1]
    at = x - 0.09 if to_left_side else x + 0.09
    axes.plot((at, at), (y - half, y + half), color=colour, lw=1.4, zorder=3)  # a bar: one


def _layers(tables: Mapping[str, Any]) -> list[list[str]]:
    """The tables in columns: each to the right of all that it refers to."""
    layers: list[list[str]] = []
    left = dict(tables)
    while left:
        free = [
            table
            for table, found in left.items()
            if not any(key["table"] in left and key["table"] != table for key in found["foreign keys"])
        ] or list(left)
        layers.append(free)
        for table in free:
            del left[table]
    return layers


def _lines_of(table: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The lines of a box: name, type and all that is known of each column, then the table's checks."""
    lines = [
        (name, _short(column["type"]), ", ".join(_rules(table, name, column)))
        for name, column in table["columns"].items()
    ]
    return lines + [(check["name"] or "", "CHECK", "") for check in table["checks"]]


def _short(kind: str) -> str:
    return kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")


def _rules(table: Mapping[str, Any], name: str, column: Mapping[str, Any]) -> Iterable[str]:
    if name in table["primary key"]["columns"]:
        yield "PK"
    for rule in table["unique"]:
        if rule["columns"] == [name]:
            yield "unique (partial)" if rule.get("what") else "unique"
    for key in table["foreign keys"]:
        if key["columns"] == [name]:
            yield "FK"
            if "ON DELETE" in key["what"]:
                yield f"ON DELETE {key['what'].partition('ON DELETE ')[2]}"
    if any(index["columns"][:1] == [name] for index in table["indexes"]):
        yield "index"
    if column["default"] is not None:
        yield f"default {'now' if column['default'] == 'the current time' else column['default']}"
    if column["nullable"]:
        yield "may be NULL"
