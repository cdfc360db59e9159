"""How are figures written for Prometheus? As its own library does, but quickly.

The library takes 6 µs for each figure, and 200 flows have thousands.
"""

from collections.abc import Callable, Iterable

from prometheus_client.core import Metric
from prometheus_client.utils import floatToGoString

_number: Callable[[float], str] = floatToGoString  # the library leaves its type out
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


def text_of(families: Iterable[Metric]) -> str:
    """Counters and gauges in the text format, version 0.0.4."""
    lines: list[str] = []
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        lines.append(f"# HELP {name} {family.documentation.translate(_HELP_ESCAPES)}\n")
        lines.append(f"# TYPE {name} {family.type}\n")
        for sample in family.samples:
            labels = ",".join(
                [
                    f'{key}="{value.translate(_ESCAPES)}"'
                    for key, value in sorted(sample.labels.items())
                ]
            )
            lines.append(
                f"{sample.name}{{{labels}}} {_number(sample.value)}\n"
                if labels
                else f"{sample.name} {_number(sample.value)}\n"
            )
    return "".join(lines)
