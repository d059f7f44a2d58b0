"""Puts the project's folder on the import path, so that pytest finds `tests.simulators` however it is started."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
