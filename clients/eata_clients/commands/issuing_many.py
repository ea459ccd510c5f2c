"""`eata issuer issue-many`: a file of orders."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, say
from eata_host.faults import Fault

from eata_clients.commands.at_gateway import Gateway, Home, as_data, call, read_json, said, to_request

if TYPE_CHECKING:
    from eata_proto.v1 import gateway_pb2

_MESSAGE = 4 << 20  # bytes; the gateway takes twice that
_PATIENCE = 300.0  # seconds: a PIN takes a tenth of one, a node that does not answer more


def issue_many(
    file: Annotated[Path, typer.Argument(help="Orders as a JSON array, each with a request id of its own.")],
    gateway: Gateway, home: Home, as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Issue many carnets. The answers hold the PINs. The same file again issues nothing twice."""
    from eata_proto.v1 import gateway_pb2
    from rich.console import Console
    from rich.progress import Progress

    source = read_json(file)
    if not isinstance(source, list) or not source:
        raise Fault("ORDER_MALFORMED", f"{file.name} is not a JSON array of orders.", "See nics_gateway/README.md.")
    orders = [to_request(one) for one in source]
    rows: list[dict[str, Any]] = []
    lines: list[str] = []
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("issuing", total=len(orders))
        for some in _messages(orders):
            request = gateway_pb2.IssueManyRequest(orders=some)
            try:
                answers = list(call(gateway, home, "IssueMany", request, patience=_PATIENCE).answers)
            except (
                Fault
            ) as fault:  # what was issued before is told; this message's carnets are, when the file is sent again
                told = [_refused(order, fault) for order in some]
            else:
                told = [_told(order, answer) for order, answer in zip(some, answers, strict=True)]
            rows += [row for row, _ in told]
            lines += [line for _, line in told]
            bar.advance(task, len(some))
    say(rows, as_json, *lines)
    raise typer.Exit(1 if any("error" in row for row in rows) else 0)


def _messages(orders: list["gateway_pb2.IssueRequest"]) -> Iterator[list["gateway_pb2.IssueRequest"]]:
    """In their order: 64 at most, and within a message's size."""
    from eata_clients.net.streaming import TOGETHER

    some: list[gateway_pb2.IssueRequest] = []
    size = 0
    for order in orders:
        own = order.ByteSize()
        if some and (len(some) == TOGETHER or size + own > _MESSAGE):
            yield some
            some, size = [], 0
        some.append(order)
        size += own
    yield some


def _told(order: "gateway_pb2.IssueRequest", answer: "gateway_pb2.IssueAnswer") -> tuple[dict[str, Any], str]:
    """For a program and for a person."""
    from eata_clients.net.errors import from_answer

    if answer.refused:
        return _refused(order, from_answer(answer.refused))
    return {"request_id": order.request_id, **as_data(answer.reply)}, said(answer.reply)


def _refused(order: "gateway_pb2.IssueRequest", fault: Fault) -> tuple[dict[str, Any], str]:
    error = {"code": fault.code, "message": fault.message, "advice": fault.advice}
    row = {"request_id": order.request_id, "number": order.number, "error": error}
    return row, f"{order.number} not issued. {fault.code}: {fault.message} {fault.advice}"
