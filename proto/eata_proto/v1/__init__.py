"""Version 1 of the wire contract; the `_pb2` modules are generated at build."""
