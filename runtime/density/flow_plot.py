"""Samples of a flow against data: one- and two-dimensional margins, or series along a dim with an order. Drawn by Matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emfppl.compiler.graph import FactorNode
from emfppl.runtime.arguments import whole
from emfppl.runtime.calibration import need_matplotlib

if TYPE_CHECKING:
    from emfppl.compiler.graph import Variable
    from emfppl.runtime.density.flow import Flow, Values

DATA, FLOW = "0.45", "#1f6fb2"
BANDS = (0.05, 0.5, 0.95)
LINES, POINTS, BINS = 25, 800, 40
CORNER, GRID = 5, 12  # coordinates in a triangle of panels; in a grid of margins
LONG = 12  # entries from which on a dim is drawn as a line


def figure_of(flow: Flow, x: Any, num_samples: int, given: Any, seed: int) -> Any:
    """See `Flow.plot`."""
    need_matplotlib()
    whole("num_samples", num_samples, 2)
    data, given = _data(flow, x, given, num_samples)
    drawn = flow.sample(num_samples, given, seed)
    samples = drawn if isinstance(drawn, dict) else {next(iter(flow.shapes)): drawn}
    series = [v for v in flow.sheet.event if _ordered_axis(flow, v) is not None]
    if series:
        return _series(flow, series, data, samples)
    labels, flat = _labels(flow), flow.stack.event.flat(samples)
    seen = None if data is None else flow.stack.event.flat(data)
    if len(labels) == 2:
        return _pair(labels, seen, flat)
    return _corner(labels, seen, flat) if 2 < len(labels) <= CORNER else _grid(labels, seen, flat)


def _data(flow: Flow, x: Any, given: Any, count: int) -> tuple[Values | None, Any]:
    """The data to draw, and what samples are drawn given: if not said, what came with samples of training."""
    if x is not None:
        values, beside = flow.sheet.again(flow.binding, x, given)
        return values, _repeated(beside, count) if beside else given
    if flow.seen is None:
        return None, given
    values, beside = flow.seen
    return values, _repeated(beside, count) if given is None and beside else given


def _repeated(beside: Values, count: int) -> Values:
    """Values for `count` samples, one after the other, from the start again where they end."""
    return {name: value[np.arange(count) % len(value)] for name, value in beside.items()}


# ---------------------------------------------------------------- what there is to draw


def _ordered_axis(flow: Flow, variable: Variable) -> int | None:
    """The axis of a variable along which a line makes sense: a model goes along it, its labels are numbers or dates, or it is long
    and the only one."""
    carried = {
        axis.dim.rstrip("'")
        for layer in flow.sheet.spec.layers
        if layer.model is not None
        for node in layer.model.nodes
        if not isinstance(node, FactorNode)
        for axis in node.domain
        if axis.carried
    }
    for n, dim in enumerate(variable.dims):
        labels = flow.binding.coords.get(dim, ())
        told = bool(labels) and not any(isinstance(label, str) for label in labels)
        alone = len(variable.dims) == 1 and flow.binding.sizes[dim] >= LONG
        if (dim in carried or told or alone) and flow.binding.sizes[dim] > 2:
            return n
    return None


def _labels(flow: Flow) -> list[str]:
    """The name of every number of a sample."""
    out = []
    for v in flow.sheet.event:
        axes = [flow.binding.labels(d) for d in v.dims]
        places = np.ndindex(*(len(axis) for axis in axes))
        out += [f"{v.name}[{', '.join(str(a[i]) for a, i in zip(axes, p, strict=True))}]" if axes else v.name for p in places]
    return out


# ---------------------------------------------------------------- margins


def _figure(rows: int, columns: int, width: float = 2.4, height: float = 2.2, **how: Any) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows + 0.3), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **how)


def _range(*columns: np.ndarray | None) -> tuple[float, float]:
    """What data and samples cover, a hundredth at the ends left out where that is far out."""
    low, high = np.quantile(np.concatenate([c for c in columns if c is not None]), (0.002, 0.998))
    room = 0.05 * (high - low) or 1.0
    return float(low - room), float(high + room)


def _histogram(ax: Any, name: str, data: np.ndarray | None, samples: np.ndarray) -> None:
    bins = np.linspace(*_range(data, samples), BINS)
    if data is not None:
        ax.hist(data, bins, density=True, color=DATA, alpha=0.4)
    ax.hist(samples, bins, density=True, histtype="step", color=FLOW, linewidth=1.4)
    ax.set_xlabel(name, fontsize=8)
    ax.set_yticks([])
    ax.tick_params(labelsize=7)


def _scatter(ax: Any, x: np.ndarray, y: np.ndarray, colour: str) -> None:
    ax.scatter(x[:POINTS], y[:POINTS], s=4, color=colour, alpha=0.5, linewidths=0)
    ax.tick_params(labelsize=7)


def _pair(labels: list[str], data: np.ndarray | None, samples: np.ndarray) -> Any:
    """Data and samples of two numbers side by side, and their margins."""
    figure, axes = _figure(1, 4)
    for ax, points, colour, title in zip(axes[0], (data, samples), (DATA, FLOW), ("data", "samples"), strict=False):
        if points is None:
            ax.axis("off")
            continue
        _scatter(ax, points[:, 0], points[:, 1], colour)
        ax.set_xlim(_range(samples[:, 0], None if data is None else data[:, 0]))
        ax.set_ylim(_range(samples[:, 1], None if data is None else data[:, 1]))
        ax.set_title(title, fontsize=9)
        ax.set_xlabel(labels[0], fontsize=8)
        ax.set_ylabel(labels[1], fontsize=8)
    for n, ax in enumerate(axes[0, 2:]):
        _histogram(ax, labels[n], None if data is None else data[:, n], samples[:, n])
    _legend(axes[0, 3], data is not None)
    return figure


def _corner(labels: list[str], data: np.ndarray | None, samples: np.ndarray) -> Any:
    """A triangle: margins along the diagonal, pairs below it."""
    count = len(labels)
    figure, axes = _figure(count, count, 1.8, 1.7)
    for row in range(count):
        for column in range(count):
            ax = axes[row, column]
            if column > row:
                ax.axis("off")
            elif column == row:
                _histogram(ax, labels[row], None if data is None else data[:, row], samples[:, row])
            else:
                if data is not None:
                    _scatter(ax, data[:, column], data[:, row], DATA)
                _scatter(ax, samples[:, column], samples[:, row], FLOW)
                ax.set_xlim(_range(samples[:, column], None if data is None else data[:, column]))
                ax.set_ylim(_range(samples[:, row], None if data is None else data[:, row]))
    _legend(axes[0, 0], data is not None)
    return figure


def _grid(labels: list[str], data: np.ndarray | None, samples: np.ndarray) -> Any:
    """Margins of some numbers, evenly spaced among all."""
    shown = np.unique(np.linspace(0, len(labels) - 1, min(GRID, len(labels))).round().astype(int))
    columns = min(4, len(shown))
    figure, axes = _figure(-(-len(shown) // columns), columns)
    for ax, n in zip(axes.ravel(), shown, strict=False):
        _histogram(ax, labels[n], None if data is None else data[:, n], samples[:, n])
    for ax in axes.ravel()[len(shown) :]:
        ax.axis("off")
    _legend(axes[0, 0], data is not None)
    return figure


def _legend(ax: Any, data: bool) -> None:
    from matplotlib.lines import Line2D

    entries = [("data", DATA)] * data + [("samples", FLOW)]
    ax.legend([Line2D([], [], color=c) for _, c in entries], [name for name, _ in entries], fontsize=7, frameon=False)


# ---------------------------------------------------------------- series


def _series(flow: Flow, variables: list[Variable], data: Values | None, samples: Values) -> Any:
    """For each variable some series of data, as many samples, and the bands in which nine tenths of either lie."""
    rows = [(v, one) for v in variables for one in _lines(flow, v)]
    figure, axes = _figure(len(rows), 3, 3.2, 2.1, sharey="row")
    for line, (v, (name, take)) in zip(axes, rows, strict=True):
        dim = v.dims[_ordered_axis(flow, v) or 0]
        at = _positions(flow, dim)
        own, drawn = (None if data is None else take(data[v.name])), take(samples[v.name])
        for ax, many, colour, title in zip(line, (own, drawn), (DATA, FLOW), ("data", "samples"), strict=False):
            if many is not None:
                ax.plot(at, many[:LINES].T, color=colour, alpha=0.5, linewidth=0.8)
            ax.set_title(title, fontsize=9)
        _bands(line[2], at, own, drawn)
        line[0].set_ylabel(name, fontsize=8)
        for ax in line:
            ax.set_xlabel(dim, fontsize=8)
            ax.tick_params(labelsize=7)
    _legend(axes[0, 2], data is not None)
    return figure


def _lines(flow: Flow, variable: Variable) -> list[tuple[str, Any]]:
    """Of a variable up to three series: their name, and how they are taken out of an array (N, …) as (N, T)."""
    axis = _ordered_axis(flow, variable) or 0
    others = [d for n, d in enumerate(variable.dims) if n != axis]
    out = []
    for place in list(np.ndindex(*(flow.binding.sizes[d.rstrip("'")] for d in others)))[:3]:
        labels = [str(flow.binding.labels(d)[i]) for d, i in zip(others, place, strict=True)]
        index = (slice(None), *place[:axis], slice(None), *place[axis:])
        name = f"{variable.name}[{', '.join((*labels[:axis], ':', *labels[axis:]))}]" if labels else variable.name
        out.append((name, lambda array, index=index: array[index]))
    return out


def _positions(flow: Flow, dim: str) -> Any:
    """Where along the axis entries of a dim stand: at their labels, if these are numbers or dates."""
    labels = flow.binding.labels(dim)
    return np.arange(len(labels)) if any(isinstance(label, str) for label in labels) else np.asarray(labels)


def _bands(ax: Any, at: Any, data: np.ndarray | None, samples: np.ndarray) -> None:
    if data is not None:
        low, middle, high = np.quantile(data, BANDS, axis=0)
        ax.fill_between(at, low, high, color=DATA, alpha=0.3, linewidth=0)
        ax.plot(at, middle, color=DATA, linewidth=1.2)
    for n, line in enumerate(np.quantile(samples, BANDS, axis=0)):
        ax.plot(at, line, color=FLOW, linewidth=1.2, linestyle="-" if n == 1 else "--")
    ax.set_title("5 %, 50 % and 95 %", fontsize=9)
