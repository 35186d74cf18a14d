"""Quantities for people: three significant digits and a unit, "-" if unknown."""

UNKNOWN = "-"


def seconds(value_s: float | None) -> str:
    """Format a time in us, ms or s, whichever gives one to three digits before the point."""
    if value_s is None:
        return UNKNOWN
    unit, scale = next((u, s) for u, s, minimum in _SCALES if abs(value_s) >= minimum)
    return f"{_three_digits(value_s * scale)} {unit}"


def rate(per_s: float | str | None) -> str:
    """Format requests per second, such as "12.5/s" or "inf"."""
    if per_s is None:
        return UNKNOWN
    return per_s if isinstance(per_s, str) else f"{_three_digits(per_s)}/s"


def figure(value: float | None) -> str:
    """Format a number without a unit in three digits, such as "0.25", "12.0" or "1.60 G"."""
    if value is None:
        return UNKNOWN
    unit, scale = next(((u, s) for u, s in _MULTIPLES if abs(value) >= 0.9995 * s), ("", 1.0))
    return f"{_three_digits(value / scale)} {unit}".rstrip()


def share(value: float | None) -> str:
    """Format a share of one in per cent, such as "97.5 %"; only exactly 1 is "100 %", and only exactly 0 is "0 %"."""
    if value is None:
        return UNKNOWN
    rounded = round(100 * value, 1)
    if rounded in (0.0, 100.0) and value not in (0.0, 1.0):
        return "< 0.1 %" if rounded == 0 else "> 99.9 %"
    return f"{rounded:g} %"


# A value that would print as 1000 of a unit is printed as 1.00 of the next.
_MULTIPLES = (("T", 1e12), ("G", 1e9), ("M", 1e6))
_SCALES = (("s", 1.0, 0.9995), ("ms", 1e3, 0.9995e-3), ("us", 1e6, 0.0))


def _three_digits(value: float) -> str:
    size = abs(value)
    if size < 0.995:
        return f"{value:.3g}"
    decimals = 0 if size >= 99.95 else 1 if size >= 9.995 else 2
    return f"{value:,.{decimals}f}"
