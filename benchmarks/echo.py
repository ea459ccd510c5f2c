"""The reference: a raw grpc.aio unary echo with TLS and uvloop, in a process of its own.

`python -m benchmarks.echo FOLDER` serves with the folder's certificate and prints its port.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import uvloop

METHOD = "/eata.bench.Echo/Echo"


async def _echo(request: bytes, context: Any) -> bytes:
    return request


async def serve(folder: Path) -> None:
    """Until the process is ended."""
    server = grpc.aio.server()
    handler: Any = grpc.unary_unary_rpc_method_handler(_echo)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("eata.bench.Echo", {"Echo": handler}),))
    pair = ((folder / "tls.key").read_bytes(), (folder / "tls.pem").read_bytes())
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    await server.start()
    print(port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
