"""The Python client of the serving API: answers as Polars frames, and streams as iterators.

`twofold.Client` waits, `twofold.AsyncClient` is awaited; they ask and give the same.
"""

from twofold.client.answer import Answer, SqlAnswer
from twofold.client.asynchronous import AsyncClient
from twofold.client.synchronous import Client
from twofold.client.update import Update

__all__ = ["Answer", "AsyncClient", "Client", "SqlAnswer", "Update"]
