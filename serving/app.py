"""The serving API: views, merged to this moment, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette_compress import CompressMiddleware, add_compress_type, remove_compress_type

from serving.access.cross_origin import cross_origin
from serving.access.gate import Gate
from serving.access.policy import Policy
from serving.bounds import Bounds
from serving.openapi import describe
from serving.parameters import refuse_unknown
from serving.presentation import MEDIA_TYPES
from serving.problem import answer_errors_as_problems
from serving.push.hub import TIMING, Hub, Timing
from serving.push.sse import MEDIA_TYPE as EVENT_STREAM
from serving.receipts.routes import add_receipts
from serving.receipts.vouching import Receipts
from serving.repeats import Repeats
from serving.routes.gaps import add_gaps
from serving.routes.health import add_health
from serving.routes.klines import add_klines
from serving.routes.lanes import add_lanes
from serving.routes.metrics import add_metrics
from serving.routes.page import add_page
from serving.routes.problems import add_problems
from serving.routes.publications import add_publications
from serving.routes.quality import add_quality
from serving.routes.session import add_session
from serving.routes.sql import add_sql
from serving.routes.streams import add_streams
from serving.routes.udf import add_udf
from serving.routes.views import add_views
from serving.seam import Seam
from serving.sql.answering import SqlAnswering
from serving.sql.limits import LIMITS
from serving.sql.processes import QueryProcesses

_ZSTD_LEVEL, _GZIP_LEVEL = 1, 1
"""An answer is compressed anew each time, so quickly; it comes down to a tenth all the same."""


def make_app(seam: Seam, receipts: Receipts, timing: Timing = TIMING, policy: Policy | None = None) -> FastAPI:
    """The application, answering from what `seam` keeps. It starts and stops the seam, and what checks, with itself.

    Without a policy whoever can reach it may ask all of it.

    What ends its streams is `app.state.hub.stop`, for a server to call before it waits for its connections.
    """
    hub = Hub(seam, receipts, timing)
    queries = QueryProcesses(LIMITS)
    policy = policy or Policy()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        seam.start()
        receipts.verification.start()
        yield
        await hub.stop()
        queries.stop()
        receipts.verification.stop()
        seam.stop()

    app = FastAPI(
        title="Twofold",
        summary="Views of trades up to this second, every trade counted once.",
        lifespan=lifespan,
        dependencies=[Depends(refuse_unknown)],
    )
    for name in ("arrow", "csv"):  # JSON is known to it, and Parquet is compressed already
        add_compress_type(MEDIA_TYPES[name])
    remove_compress_type(EVENT_STREAM)  # the same bytes go to all readers
    app.add_middleware(CompressMiddleware, zstd_level=_ZSTD_LEVEL, gzip_level=_GZIP_LEVEL, brotli=False)
    app.add_middleware(Gate, policy=policy)
    if policy.origins:
        app.add_middleware(CORSMiddleware, **cross_origin(policy.origins))
    app.add_middleware(Bounds)
    answer_errors_as_problems(app)
    add_views(app, seam, receipts)
    app.state.hub = hub
    add_streams(app, hub, seam)
    add_receipts(app, receipts)
    add_udf(app, seam, receipts)
    add_klines(app, seam, receipts)
    add_gaps(app, seam)
    add_lanes(app, seam)
    add_health(app, seam)
    add_problems(app)
    add_page(app)
    add_sql(app, seam, SqlAnswering(receipts, queries))
    add_publications(app, seam)
    add_quality(app, seam)
    requests = add_metrics(app, seam, hub, receipts.verification)
    add_session(app, policy)
    app.add_middleware(Repeats, seam=seam, policy=policy, requests=requests)
    describe(app, policy)
    return app
