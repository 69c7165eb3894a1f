"""How long a table of tenants takes, drawn by render.py and by rich: python -m tests.bench_tables
[ROWS].
"""

from __future__ import annotations

import io
import sys
import time

from rich.console import Console
from rich.table import Table as RichTable

from cephctl.render import render
from cephctl.results import Table
from cephctl.tenants.layout import Tenant


def rows(count: int) -> tuple[Tenant, ...]:
    return tuple(
        Tenant(f"tenant-{each}", each << 20, 2000 + each, 33, "0750") for each in range(count)
    )


def by_rich(tenants: tuple[Tenant, ...]) -> None:
    table = RichTable(box=None)
    for column in Tenant.columns:
        table.add_column(column.title)
    for tenant in tenants:
        table.add_row(*(str(getattr(tenant, column.field)) for column in Tenant.columns))
    Console(file=io.StringIO(), width=200).print(table)


def main() -> None:
    count = int(sys.argv[1]) if sys.argv[1:] else 10_000
    tenants = rows(count)
    begun = time.perf_counter()
    render(Table(Tenant, tenants), "table", io.StringIO())
    own = time.perf_counter() - begun
    begun = time.perf_counter()
    by_rich(tenants)
    theirs = time.perf_counter() - begun
    print(
        f"{count} rows: render.py {own:.2f} s, rich {theirs:.2f} s, {theirs / own:.1f} "
        "times as long"
    )


if __name__ == "__main__":
    main()
