"""The local stack: an embedded AWS, this repository's own template deployed to it, one origin, two simulators.

`python -m tests.stack` runs it in the foreground (`make run`); tests take it as a library:

    with Stack(state_dir=".local/test", ack_timeout=2, retry_delays="1,2") as stack:
        stack.invoke("operator-timeline", {"id": "..."})

The engine is ministack, which runs the real ``provided.al2023`` bootstraps without Docker. What it does not do as AWS
does, and what this package does about it, is written down where it matters: `emulator.py`, `deploy.py`, `origin.py`.
"""

from tests.stack.stack import LeakError, Ports, Stack, StackError

__all__ = ["LeakError", "Ports", "Stack", "StackError"]
