"""`/healthz`: the web process and its database answer. `/readyz`: an upload would be scored now."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scoring.services.house import Services


def health_routes(services: Services) -> list[Route]:
    """The routes, over these services."""

    async def healthz(_request: Request) -> Response:
        database = await run_in_threadpool(services.health.database)
        return JSONResponse(
            {"status": "ok" if database.ok else "failing", "database": database.message},
            200 if database.ok else 503,
        )

    async def readyz(_request: Request) -> Response:
        ready, parts = await run_in_threadpool(services.health.ready)
        return JSONResponse({"status": "ready" if ready else "not ready", **parts}, 200 if ready else 503)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
