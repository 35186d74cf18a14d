"""Which points of a plot are drawn when there are too many: the same for the same run, and extremes stay.

Only what is drawn is thinned; every statistic of the report is computed from all requests.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Indices = NDArray[np.int64]

_COLUMNS, _ROWS = 1024, 256  # of the finest grid, about what a screen resolves
_COARSER = 0.8


def downsample_points(x: Values, y: Values, most: int) -> Indices:
    """Pick at most `most` points, in their order: one of each cell of a grid, and the extremes of each column.

    The grid is the finest of those tried that leaves few enough: no cluster vanishes, and the highest and the lowest
    point stay. `most` is at least 4.
    """
    if len(x) <= most:
        return np.arange(len(x))
    column, cell = _grid(x, y, most)
    order, rank = _ranked(y)
    shuffled = np.random.default_rng(0).permutation(len(x))  # the first of each would draw false lines
    turn = _places(shuffled)
    chosen = shuffled[_lowest(cell, turn)], order[_highest(column, rank)], order[_lowest(column, rank)]
    return np.unique(np.concatenate(chosen))


def _grid(x: Values, y: Values, most: int) -> tuple[Indices, Indices]:
    """Tell the column and the cell of each point in the finest grid that leaves at most `most`."""
    columns, rows = _COLUMNS, _ROWS
    while True:
        column = _cells(x, columns)
        cell = column * rows + _cells(y, rows)
        if np.count_nonzero(np.bincount(cell)) + 2 * columns <= most:
            return column, cell
        columns, rows = max(int(columns * _COARSER), 1), max(int(rows * _COARSER), 1)


def downsample_steps(x: Values, y: Values, columns: int) -> Indices:
    """Pick at most four points a column of a line of steps: the first, the lowest, the highest and the last.

    The last one carries the level into the columns that follow. `x` ascends.
    """
    if len(x) <= 4 * columns:
        return np.arange(len(x))
    column = _cells(x, columns)
    order, rank = _ranked(y)
    fresh = np.flatnonzero(np.diff(column)) + 1
    edges = np.concatenate([[0], fresh, fresh - 1, [len(x) - 1]])
    return np.unique(np.concatenate([edges, order[_highest(column, rank)], order[_lowest(column, rank)]]))


def _ranked(y: Values) -> tuple[Indices, Indices]:
    """Places from low to high, and the rank of each place."""
    order = np.argsort(y, kind="stable")
    return order, _places(order)


def _places(order: Indices) -> Indices:
    """Where each index stands in an order."""
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    return places


def _cells(values: Values, count: int) -> Indices:
    """Tell in which of `count` equal parts of its span each value lies."""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.zeros(len(values), np.int64)
    return np.minimum((values - low) / (high - low) * count, count - 1).astype(np.int64)


def _highest(cell: Indices, rank: Indices) -> Indices:
    best = np.full(int(cell.max()) + 1, -1)
    np.maximum.at(best, cell, rank)
    return best[best >= 0]


def _lowest(cell: Indices, rank: Indices) -> Indices:
    best = np.full(int(cell.max()) + 1, len(rank))
    np.minimum.at(best, cell, rank)
    return best[best < len(rank)]
