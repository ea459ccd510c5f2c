"""One replica: log engine → apply → RocksDB → gRPC."""

from importlib.metadata import version

__version__ = version("eata")
