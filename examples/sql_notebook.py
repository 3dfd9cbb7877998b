"""Questions in SQL, cell by cell as in a notebook: `# %%` begins a cell in most editors.

Run it while `make demo` runs, whole by `python examples/sql_notebook.py`, or cell by cell.
"""

# %%
from __future__ import annotations

import argparse

import twofold

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--address", help="host:port of the serving API (default: what the settings say)")
arguments, _ = parser.parse_known_args()
client = twofold.Client(arguments.address)

# %% Which markets were the largest, and how much of it is final?
markets = client.sql("""
    SELECT symbol, sum(notional) AS notional, sum(trades) AS trades,
           count(*) FILTER (WHERE finality = 'provisional') AS provisional, count(*) AS bars
    FROM bars GROUP BY symbol ORDER BY notional DESC
""")
print(markets.frame)

# %% How did each market's closes move from bar to bar? Whatever narrows a view narrows what a query reads.
moves = client.sql(
    """
    SELECT symbol, window_start, close / lag(close) OVER (PARTITION BY symbol ORDER BY window_start) - 1 AS move
    FROM bars ORDER BY symbol, window_start
    """,
    interval="5m",
    last=100,
)
print(moves.frame)

# %% Did takers buy where prices rose? Both views are as they are at the same moment, so that rows fit each other.
flow = client.sql("""
    SELECT symbol, corr((close - open)::DOUBLE, imbalance::DOUBLE) AS correlation, count(*) AS bars
    FROM bars JOIN taker_flow USING (venue, symbol, window_start)
    GROUP BY symbol ORDER BY symbol
""")
print(flow.frame)

# %% What was all of that made of?
for view, receipt in flow.receipts.items():
    print(f"{view} of publication {receipt['sequence']}, {flow.freshness['lag_records']} records behind the log")
client.close()
