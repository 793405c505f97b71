"""The charts, as Vega-Lite specifications that are compiled to Vega once, when the site is built.

The page then needs Vega alone to draw them, and the same specification makes the picture for readers without
JavaScript. The page fills in data, colours (INK), titles (X_TITLE, Y_TITLE) and names (SERIES).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import vl_convert

from recpress import registry
from recpress.metrics import LABEL

Spec = dict[str, Any]

# What a point's tooltip says is written by the page, from the row that the point stands for.
TIP = {"field": "row"}
# A phone's legend breaks its lines.
_COLUMNS = {"expr": "width < 500 ? 2 : 6"}
# Of families that declare nothing: those of plugins and of outside models.
_SPARE = {"colour": "#7a7f87", "mark": "stroke"}


def look(family: str) -> dict[str, str]:
    """Return the colour, the mark and the title of a family, so that no one has to tell it by colour alone."""
    card = registry.families().get(family)
    if card is None:
        return {**_SPARE, "title": family.replace("_", " ").capitalize()}
    return {"colour": card.colour, "mark": card.mark, "title": card.title}


def _series(what: Literal["colour", "mark"]) -> list[str]:
    """Return colours or marks for things that are no families: those of all families but the grey reference."""
    return [look(name)[what] for name in registry.families() if name != "reference"]


def in_order(families: Iterable[str]) -> list[str]:
    """Return families in their declared order; those that declare nothing come last, by name."""
    present, declared = set(families), registry.families()
    return [name for name in declared if name in present] + sorted(present - declared.keys())


def _family(families: Sequence[str]) -> tuple[Spec, Spec]:
    names = in_order(families)
    looks = [look(name) for name in names]
    legend = {
        "title": None,
        "orient": "top",
        "symbolSize": 90,
        "symbolOpacity": 1,
        "columns": _COLUMNS,
        "labelExpr": f"{json.dumps({name: look(name)['title'] for name in names})}[datum.label]",
    }
    colour = {
        "field": "family",
        "type": "nominal",
        "scale": {"domain": names, "range": [each["colour"] for each in looks]},
        "legend": legend,
    }
    shape = {
        "field": "family",
        "type": "nominal",
        "scale": {"domain": names, "range": [each["mark"] for each in looks]},
        "legend": legend,
    }
    return colour, shape


def _size(height: int) -> Spec:
    return {"width": "container", "height": height, "autosize": {"type": "fit", "contains": "padding"}}


def _axis(title: str, **more: Any) -> Spec:
    return {"title": title, "titleFontWeight": "normal", "labelOverlap": True, **more}


def _labels(x: Spec, y: Spec, **look: Any) -> list[Spec]:
    """Text beside points, over a rim of the page's colour; the page says on which side there is room."""
    mark = {
        "type": "text",
        "align": {"expr": "datum.flip ? 'right' : 'left'"},
        "dx": {"expr": "datum.flip ? -9 : 9"},
        **look,
    }
    rim = {"stroke": "PAPER", "strokeWidth": 4, "strokeJoin": "round", "strokeOpacity": 0.85}
    return [
        {
            "transform": [{"filter": "isValid(datum.label)"}],
            "mark": {**mark, "color": colour, **more},
            "encoding": {"x": x, "y": y, "text": {"field": "label"}},
        }
        for colour, more in (("PAPER", rim), ("INK", {}))
    ]


def pareto(families: Sequence[str]) -> Spec:
    """Quality against a cost (log): a mark a variant, the front as a staircase, seeds' spread as whiskers.

    Rows of the data have ``row``, ``x``, ``y``, ``low``, ``high``, ``family``, ``front`` and ``chosen`` (bool),
    ``label`` and ``flip`` (its text, and whether it stands on the left).
    """
    colour, shape = _family(families)
    x = {
        "field": "x",
        "type": "quantitative",
        "scale": {"type": "log", "nice": False, "padding": 24},
        "axis": _axis("X_TITLE", format="~g", grid=True),
    }
    y = {"field": "y", "type": "quantitative", "scale": {"zero": False, "padding": 16}, "axis": _axis("Y_TITLE")}
    return {
        **_size(430),
        "data": {"name": "rows"},
        "layer": [
            {
                "transform": [{"filter": "datum.front"}],
                "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.5, "color": "#7a7f87"},
                "encoding": {"x": x, "y": y, "order": {"field": "x", "type": "quantitative"}},
            },
            {
                "transform": [{"filter": "isValid(datum.low)"}],
                "mark": {"type": "rule", "strokeWidth": 1.5, "opacity": 0.55},
                "encoding": {
                    "x": x,
                    "y": {"field": "low", "type": "quantitative"},
                    "y2": {"field": "high"},
                    "color": colour,
                },
            },
            {
                "params": [
                    {
                        "name": "zoom",
                        "select": {
                            "type": "interval",
                            "translate": "[pointerdown[event.shiftKey], window:pointerup] > window:pointermove!",
                            "zoom": "wheel![event.shiftKey]",
                        },
                        "bind": "scales",
                    }
                ],
                "mark": {"type": "point", "filled": True, "cursor": "pointer", "strokeWidth": 1},
                "encoding": {
                    "x": x,
                    "y": y,
                    "color": colour,
                    "shape": shape,
                    "size": {"condition": {"test": "datum.chosen", "value": 220}, "value": 80},
                    "opacity": {"condition": {"test": "datum.front || datum.chosen", "value": 1}, "value": 0.4},
                    "tooltip": TIP,
                },
            },
            *_labels(x, y, dy=-11, fontSize=12),
        ],
    }


def curves(families: Sequence[str] | None) -> Spec:
    """Retention by size: a line per series, with a band of one standard deviation.

    Rows of the data have ``x`` (times smaller), ``y``, ``low``, ``high`` (in %), ``series``, ``family``, ``label``.
    Series are coloured by family, or each by itself when no families are given.
    """
    if families is None:
        legend = {"title": None, "orient": "top", "symbolOpacity": 1, "symbolSize": 90, "columns": _COLUMNS}
        colour: Spec = {
            "field": "series",
            "type": "nominal",
            "scale": {"domain": ["SERIES"], "range": _series("colour")},
            "legend": legend,
        }
        shape: Spec = {
            "field": "series",
            "type": "nominal",
            "scale": {"domain": ["SERIES"], "range": _series("mark")},
            "legend": legend,
        }
    else:
        colour, shape = _family(families)
    x = {
        "field": "x",
        "type": "quantitative",
        "scale": {"type": "log", "base": 2, "nice": False, "padding": 16},
        "axis": _axis("times smaller than dense fp32, log scale", format="~g"),
    }
    y = {
        "field": "y",
        "type": "quantitative",
        "scale": {"zero": False, "padding": 8},
        "axis": _axis(f"{LABEL} kept [%]"),
    }
    detail = {"field": "series", "type": "nominal"}
    ends = {"field": "low", "type": "quantitative"}
    return {
        **_size(340),
        "data": {"name": "rows"},
        "layer": [
            {
                "mark": {"type": "area", "opacity": 0.15},
                "encoding": {"x": x, "y": ends, "y2": {"field": "high"}, "color": colour, "detail": detail},
            },
            {
                "mark": {"type": "line", "strokeWidth": 1.5},
                "encoding": {"x": x, "y": y, "color": colour, "detail": detail},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 60, "cursor": "pointer", "opacity": 1},
                "encoding": {"x": x, "y": y, "color": colour, "shape": shape, "tooltip": TIP},
            },
            *_labels(x, y, fontSize=11),
        ],
    }


def breakdown() -> Spec:
    """One bar: the byte breakdown of an artefact. Rows have ``kind``, ``bytes``, ``text``."""
    return {
        **_size(90),
        "data": {"name": "rows"},
        "mark": {"type": "bar", "height": 34},
        "encoding": {
            "x": {
                "field": "bytes",
                "type": "quantitative",
                "stack": True,
                "scale": {"nice": False},
                "axis": _axis("bytes", format="~s", tickCount=6),
            },
            "color": {
                "field": "kind",
                "type": "nominal",
                "sort": None,
                "scale": {"range": _series("colour")},
                "legend": {"title": None, "orient": "top", "symbolType": "square"},
            },
            "order": {"field": "place", "type": "quantitative"},
            "tooltip": [{"field": "kind", "title": "Kind"}, {"field": "text", "title": "Bytes"}],
        },
    }


def histogram() -> Spec:
    """Distribution of times in ms, the artefact beside fp32. Rows have ``low``, ``high``, ``share``, ``side``."""
    return {
        **_size(200),
        "data": {"name": "rows"},
        "mark": {"type": "bar", "opacity": 0.6, "binSpacing": 0},
        "encoding": {
            "x": {
                "field": "low",
                "type": "quantitative",
                "bin": {"binned": True},
                "axis": _axis("time per call [ms]", tickCount=6),
            },
            "x2": {"field": "high"},
            "y": {"field": "share", "type": "quantitative", "stack": None, "axis": _axis("calls [%]")},
            "color": {
                "field": "side",
                "type": "nominal",
                "scale": {"domain": ["this artefact", "dense fp32"], "range": ["#1f77b4", "#c77700"]},
                "legend": {"title": None, "orient": "top"},
            },
            "tooltip": [{"field": "side", "title": "Side"}, {"field": "share", "title": "Calls [%]", "format": ".1f"}],
        },
    }


def history() -> Spec:
    """One benchmark by commit: points with whiskers, and the level that asv's step detection leaves.

    Rows have ``row``, ``x`` (the commit's place, from 1), ``y``, ``low``, ``high`` and ``level``.
    """
    x = {
        "field": "x",
        "type": "quantitative",
        "scale": {"nice": False, "padding": 20},
        "axis": _axis("commits, oldest first", format="d", tickMinStep=1, grid=False),
    }
    y = {"field": "y", "type": "quantitative", "scale": {"zero": False, "padding": 16}, "axis": _axis("Y_TITLE")}
    return {
        **_size(320),
        "data": {"name": "rows"},
        "layer": [
            {
                "transform": [{"filter": "isValid(datum.level)"}],
                "mark": {"type": "line", "interpolate": "step", "strokeWidth": 1.5, "color": "#c77700"},
                "encoding": {"x": x, "y": {"field": "level", "type": "quantitative"}},
            },
            {
                "transform": [{"filter": "isValid(datum.low)"}],
                "mark": {"type": "rule", "strokeWidth": 1.5, "opacity": 0.55, "color": "#1f77b4"},
                "encoding": {"x": x, "y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1, "color": "#1f77b4"},
                "encoding": {"x": x, "y": y, "tooltip": TIP},
            },
        ],
    }


def compiled(families: Sequence[str]) -> dict[str, Spec]:
    """Return every chart as Vega, by name."""
    specs = {
        "pareto": pareto(families),
        "curves": curves(families),
        "series": curves(None),
        "breakdown": breakdown(),
        "histogram": histogram(),
        "history": history(),
    }
    done = {}
    for name, spec in specs.items():
        vega = vl_convert.vegalite_to_vega(spec)
        # The page is the background, in both colour schemes.
        del vega["background"]
        # Titles become signals, so that another axis needs no new chart.
        text = json.dumps(vega)
        for title in ("X_TITLE", "Y_TITLE"):
            if title in text:
                text = text.replace(f'"{title}"', json.dumps({"signal": title.lower()}))
                vega = json.loads(text)
                vega.setdefault("signals", []).append({"name": title.lower(), "value": ""})
                text = json.dumps(vega)
        done[name] = json.loads(text)
    return done


@functools.cache  # bundling takes two seconds
def renderer() -> str:
    """Return the JavaScript that draws compiled charts, from the package that compiles them."""
    # The bundle declares its names at the top level: a function keeps them from the page's own.
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return f"(function () {{{bundle}}})();\n"


def picture(rows: list[dict[str, Any]], families: Sequence[str], width: int = 760) -> Spec:
    """Return the Pareto chart with its data in it, for drawing without a browser."""
    text = (
        json.dumps(pareto(families))
        .replace("X_TITLE", "size on disk [MB], log scale")
        .replace("Y_TITLE", LABEL)
        .replace("INK", "#1a1f26")
        .replace("PAPER", "#ffffff")
    )
    return {**json.loads(text), "width": width, "background": "white", "data": {"name": "rows", "values": rows}}


def svg(spec: Spec) -> str:
    """Draw a chart with its data as SVG."""
    return str(vl_convert.vegalite_to_svg(spec))


def png(spec: Spec) -> bytes:
    """Draw a chart with its data as PNG, at twice its size."""
    return bytes(vl_convert.vegalite_to_png(spec, scale=2))
