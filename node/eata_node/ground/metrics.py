"""Every metric of a proxy, in one place. No label holds a carnet, a person or an office."""

from http.server import HTTPServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, start_http_server

from eata_node import __version__

_LATENCY = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Metrics:
    """One registry a node, so that several nodes can live in one test process."""

    def __init__(self) -> None:
        r = self.registry = CollectorRegistry()
        self._server: HTTPServer | None = None
        Info("eata_build", "Version of this proxy", registry=r).info({"version": __version__})
        self.position = Gauge("eata_log_position", "Newest log position applied", registry=r)
        self.head = Gauge("eata_log_head_position", "Newest log position seen at the engine", registry=r)
        self.engine_up = Gauge("eata_engine_up", "1 while the log engine takes groups", registry=r)
        self.size = Gauge("eata_tree_size_entries", "Leaves in the Merkle tree", registry=r)
        self.halted = Gauge("eata_halted", "1 while this replica serves only status and evidence", registry=r)
        self.excluded = Gauge("eata_excluded_peers", "Peers whose signed root contradicts ours", registry=r)
        self.clock_stalled = Gauge("eata_clock_stalled", "1 while log time stands still", registry=r)
        self.clock_off = Gauge(
            "eata_clock_off_seconds", "This node's clock beside the median of its peers'", registry=r
        )
        self.engine_full = Gauge("eata_engine_full_ratio", "How much of the log engine's room is taken", registry=r)
        self.outcomes = Counter("eata_outcomes", "Logged outcomes by code", ["code"], registry=r)
        self.refusals = Counter("eata_refusals", "Requests refused before the log, by code", ["code"], registry=r)
        self.void_groups = Counter("eata_void_groups", "Groups without effect", registry=r)
        self.skipped_entries = Counter("eata_skipped_entries", "Entries without a leaf", registry=r)
        self.contradicted = Counter(
            "eata_contradicted_statements", "Statements that clients reported and this node's log contradicts, by signer", ["node"],
            registry=r,
        )  # fmt: skip
        self.rule_faults = Counter("eata_rule_faults", "Entries a rule failed on", registry=r)
        self.limited = Counter("eata_limited", "Calls turned away for asking too much, by limit", ["limit"], registry=r)
        self.scrubbed = Gauge("eata_scrubbed_entries", "Entries the scrub found whole on this pass", registry=r)
        self.group_entries = Histogram(
            "eata_group_entries", "Entries in a proposed group", buckets=(0, 1, 2, 4, 8, 16, 32, 64, 128, 256), registry=r
        )  # fmt: skip
        self.commit_seconds = Histogram(
            "eata_commit_seconds", "Submit to applied on this proxy", buckets=_LATENCY, registry=r
        )  # fmt: skip

    def serve(self, port: int) -> None:
        """/metrics on loopback."""
        self._server, _ = start_http_server(port, addr="127.0.0.1", registry=self.registry)

    def close(self) -> None:
        """The port is free again."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
