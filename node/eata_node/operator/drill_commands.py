"""`eata spoil`: what a drill needs to plant a divergence. It does what anyone with this machine's disk can do."""

from typing import Annotated

import typer
from eata_ledger.state import Chain, Family

from eata_node.operator.commands import Home, Json, fail, home_of, say


def register(app: typer.Typer) -> None:
    app.command(hidden=True)(spoil)


def spoil(
    node: Annotated[str, typer.Argument(help="A stopped proxy's name.")], home: Home = None, as_json: Json = False
) -> None:
    """For drills only: change one fact in a stopped proxy's store, as failing memory would. Its next leaf is another one."""
    from eata_node.ground.rocks import DamagedError
    from eata_node.replica.store import Store

    folder = home_of(home) / "nodes" / node
    if not (folder / "store").exists():
        fail("NO_STORE", f"{node} has no store here.", "Check the name and --home.")
    try:
        store = Store.open(folder)
    except DamagedError:
        fail("DAMAGED", f"{node}'s store does not open.", "It is spoilt already.")
    except OSError:
        fail("RUNNING", f"{node} is running.", "Stop it first.")
    store.put_facts({(int(Family.CHAIN), b""): Chain(777_777, 0).to_bytes()})
    store.commit()
    store.flush()
    store.close()
    say({"node": node}, as_json, f"{node} holds another truth now.")
