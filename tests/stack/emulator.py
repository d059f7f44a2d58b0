"""The embedded AWS: ministack, as one process that runs the functions' real bootstraps as its children.

Facts that were measured with 1.5.33 and that this package relies on:

* Its state is in memory only: every start is an empty account. It runs each function as a pool of warm processes
  and keeps the first one for good, so INIT happens once per function and again after its code changed.
* With ``AUTH=true`` it gives every function the session of its own role, and refuses what the role's policy does not
  allow: the roles of the template are enforced here as on AWS. Root is the key ``test``.
* It polls the queues of event sources about once a second, at once after a send; ScalingConfig.MaximumConcurrency,
  ReportBatchItemFailures, visibility timeout and redrive work.
* EventBridge schedules are looked at every 10 s: ``rate(1 minute)`` fires 60 to 70 s after the last time.
* stdout and stderr of a function go to the emulated CloudWatch Logs, to the log group of its LoggingConfig, in a new
  stream per invocation.
* An HTTP API answers OPTIONS itself with 403; on AWS it reaches an ANY route when no CORS is configured, and with the
  launcher below here too. An escaped slash in a path parameter answers 404. A function URL writes the query anew from its decoded parts; on AWS it arrives
  as sent, which matters where a query is signed: use the HTTP API for that here.
* CloudFormation knows neither AWS::Logs::QueryDefinition nor the OpenAPI body of an HTTP API, and alarms with metric
  math are refused. Two IAM actions are checked otherwise than on AWS (see `deploy.py` for all of these).
* A warm call takes 10 ms, or 55 ms when the function writes no log line, for which it then waits; 100 ms without the
  launcher below. Never quote its times as ours.
"""

from __future__ import annotations

import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

REGION = "us-east-1"
ACCOUNT_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}

# It answers the functions' runtime in two small packets over a kept connection. With Nagle's algorithm the second one
# waits for a delayed acknowledgement, 40 ms, twice per invocation: most of what a warm call would take.
#
# A preflight that no CORS configuration answers goes the way of every other method: it asks whether the method is OPTIONS
# before it looks for a route, and is told no.
#
# A query parses its condition and looks for its errors again for every item of the partition, 0.2 ms each: a stream of some
# thousand entries would take seconds. Parsed expressions are kept, and the one range in which our queries ask is compared.
LAUNCHER = """
import functools, gc, runpy, socketserver
from ministack.services import apigateway, dynamodb
socketserver.StreamRequestHandler.disable_nagle_algorithm = True
class Preflight(str):
    __hash__ = str.__hash__
    def __eq__(self, other):
        return other != "OPTIONS" and str.__eq__(self, other)
handle = apigateway._handle_execute_in_scope
async def handle_preflights_too(api_id, stage, path, method, *rest, **named):
    is_ours = method == "OPTIONS" and not (apigateway._apis.get(api_id) or {}).get("corsConfiguration")
    return await handle(api_id, stage, path, Preflight(method) if is_ours else method, *rest, **named)
apigateway._handle_execute_in_scope = handle_preflights_too
dynamodb._tokenize = functools.lru_cache(1024)(dynamodb._tokenize)
dynamodb._condition_syntax_error = functools.lru_cache(1024)(dynamodb._condition_syntax_error)
evaluate = dynamodb._evaluate_condition
def evaluate_fast(expression, item, values, names, *rest, **named):
    if expression != "#pk = :pk AND #sk BETWEEN :first AND :last":
        return evaluate(expression, item, values, names, *rest, **named)
    is_between = values[":first"]["S"] <= item[names["#sk"]]["S"] <= values[":last"]["S"]
    return is_between and item[names["#pk"]] == values[":pk"]
dynamodb._evaluate_condition = evaluate_fast
gc.set_threshold(100_000, 20, 20)
runpy.run_module("ministack", run_name="__main__", alter_sys=True)
"""


def argv() -> list[str]:
    """How the emulator is started."""
    return [sys.executable, "-c", LAUNCHER]


def environment(port: int, state_dir: Path, functions_endpoint: str | None = None) -> dict[str, str]:
    """Its environment, which it hands on to every function: nothing of ours may leak into them."""
    temporary = state_dir / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "SYSTEMROOT") if name in os.environ}
    return kept | {
        "BIND_HOST": "127.0.0.1",  # it listens on every address otherwise
        "GATEWAY_PORT": str(port),
        "AUTH": "true",
        # Where functions find AWS. A test may put a gate in between (`gate.py`).
        "AWS_ENDPOINT_URL": functions_endpoint or f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "PERSIST_STATE": "0",
        # Two listeners on fixed ports that nothing here needs: they would stop a second stack.
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "INFO",
        "TMPDIR": str(temporary),  # unpacked bootstraps
        "PYTHONDONTWRITEBYTECODE": "1",
        "RUST_BACKTRACE": "1",
    }


def wait_until_ready(port: int, is_dead, seconds: float = 30.0) -> bool:
    """Waits for its health answer; False when it died or took too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_dead():
            return False
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=2) as answer:
                if answer.status == 200:
                    return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    return False
