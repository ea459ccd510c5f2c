"""Build hook: generates the Python of the wire contract from `eata_proto/*/*.proto`."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ProtocHook(BuildHookInterface[Any]):
    """Runs protoc with the stubs' and mypy's plugins; its output is git-ignored and listed as artifacts."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        import grpc_tools
        from grpc_tools import protoc

        root = Path(self.root) / "proto"
        files = sorted(str(path.relative_to(root)) for path in root.glob("eata_proto/*/*.proto"))
        outputs = [f"--{name}={root}" for name in ("python_out", "mypy_out", "grpc_python_out", "mypy_grpc_out")]
        includes = [f"-I{root}", f"-I{Path(grpc_tools.__file__).parent / '_proto'}"]
        if protoc.main(["protoc", *includes, *outputs, *files]):
            raise RuntimeError("protoc refused the wire contract; its message is above")
