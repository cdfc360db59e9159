"""How is a duration told on a page? With two or three digits, in the unit that fits.

A library of Django's templates; as `frontend/src/format.ts` tells it in the editor.
"""

from django import template

register = template.Library()

_UNITS = ((60_000.0, "min"), (3_600_000.0, "h"), (86_400_000.0, "d"))


@register.filter
def duration(ms: float) -> str:
    """`0.01 ms`, `8.0 ms`, `42 ms`, `3.1 s`, `2 min`, `5 h`, `3 d`."""
    if ms < 0.095:
        return f"{ms:.2f} ms" if ms >= 0.005 else "0 ms"
    if ms < 9.95:
        return f"{ms:.1f} ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    if ms < 99_500:
        return f"{ms / 1000:.1f} s"
    fitting = [(ms / size, unit) for size, unit in _UNITS if ms >= 2 * size]
    n, unit = fitting[-1] if fitting else (ms / 60_000, "min")
    return f"{n:.0f} {unit}"
