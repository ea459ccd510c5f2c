"""`python -m eata_node HOME PARENT core|proxy NAME`: what `eata up` starts; not for people."""

import os
import sys
from pathlib import Path

from eata_node.process.processes import run_core, run_proxy

os.umask(0o077)  # what a member writes is its owner's
home, parent, kind = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
sys.exit(run_core(home, parent) if kind == "core" else run_proxy(home, sys.argv[4], parent))
