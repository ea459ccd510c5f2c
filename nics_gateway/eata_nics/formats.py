"""What the transition plan says of an order: use case, paper or digital, whether ID and PIN are delivered (NICS-04)."""

from eata_clients.trust.registry import Registry
from eata_ledger.carnet.journeys import planner
from eata_ledger.carnet.journeys.planner import Stop, Trip
from eata_ledger.encoding import Malformed
from eata_proto.v1 import gateway_pb2


def format_of(registry: Registry, home: str, itinerary: list[str]) -> gateway_pb2.Format:
    """By the live readiness list, today; empty where the itinerary leaves no territory."""
    readiness = {code: territory.digital_from for code, territory in registry.territories.items()}
    stops = tuple(Stop(code, code) for code in itinerary)
    try:
        plan = planner.plan(Trip(Stop(home, home), stops, registry.today), readiness)
    except Malformed:
        return gateway_pb2.Format()
    return gateway_pb2.Format(
        use_case=plan.use_case, paper=plan.paper, digital=plan.digital, clone_or_twin=plan.linked,
        deliver_id_pin=plan.deliver_id_pin,
    )  # fmt: skip
