"""`python -m tests.stack`: the stack in the foreground until Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from tests.stack.stack import Ports, Stack, StackError


def sheet(stack: Stack) -> str:
    """What a person needs to go on: every address, and where the rest is written."""
    info = stack.info
    lines = ["", f"Deskbridge is ready at {info['origin']}", "", "  HTTP routes"]
    for function, entry in info["functions"].items():
        for route in entry.get("routes", []):
            lines.append(f"    {function:24} {route['path']}")
        if "function_url" in entry:
            lines.append(f"    {'':24} {entry['function_url']} (function URL)")
    operator = [name for name, entry in info["functions"].items() if "routes" not in entry]
    lines += ["", "  invoked by queue, schedule or operator", f"    {', '.join(operator)}"]
    account = info["accounts"]
    frontstage = account["frontstage"]
    lines += [
        "",
        f"  demo tenant `{info['tenant']}`",
        f"    FrontStage gateway       {info['origin']}/v1/frontstage/{frontstage['gateway']}/messages",
        f"      key id, secret         {frontstage['key_id']}  {frontstage['secret']}",
        f"    vcita base URL           {account['vcita']['base']}",
        f"    iAdvize's site           {account['iadvize']['site']}",
        f"      secret token           {account['iadvize']['secret']}",
        f"    Rox.Chat's host page     {account['roxchat']['base']}/host",
        f"      sign-in secret         {account['roxchat']['sign_in_secret']}",
        f"    connect another business {account['salon']['connect']}?business_uid={account['salon']['business']}",
        "",
        "  simulators (GET /_sim tells what each can do)",
        *(f"    {name:24} {url}" for name, url in info["simulators"].items()),
        "",
        "  pages for a person",
        f"    vcita's staff            {info['simulators']['vcita']}/_sim/staff",
        f"    cTrader's app            {info['simulators']['ctrader']}/_sim/app",
        f"    iAdvize's Desk           {info['simulators']['iadvize']}/_sim/desk",
        f"    Rox.Chat's visitors      {info['simulators']['roxchat']}/_sim/page",
        f"    FrontStage's agents      {info['simulators']['agents']}/",
        f"    a shop with the chat     {info['simulators']['shop']}/",
        "",
        f"  AWS                        {info['aws']['endpoint']} ({info['aws']['region']}, keys test/test)",
        f"  logs                       {os.path.relpath(info['logs'])}/<function>.log",
        f"  all of this as JSON        {os.path.relpath(stack.state_dir)}/stack.json",
        "",
        "Ctrl-C stops everything.",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    """Runs until a signal comes or a child ends."""
    asked_to_stop = threading.Event()

    def on_signal(_number: int, _frame: object) -> None:
        if not asked_to_stop.is_set():
            asked_to_stop.set()
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)

    began = time.monotonic()
    stack = Stack(
        ports=Ports.from_environment(),
        state_dir=os.environ.get("DESKBRIDGE_STATE") or ".local",
        ack_timeout=int(os.environ.get("ACK_TIMEOUT_SECONDS") or 90),
        retry_delays=os.environ.get("RETRY_DELAYS_SECONDS") or "30,120",
        max_attempts=int(os.environ.get("MAX_ATTEMPTS") or 3),
        chats=True,
        follow_logs=True,
        say=lambda text: print(f"[{time.monotonic() - began:5.1f} s] {text}", flush=True),
    )
    try:
        stack.start()
        print(sheet(stack), flush=True)
        while True:
            time.sleep(0.5)
            if (dead := stack.dead_child()) is not None:
                print(f"stopping: {dead}", file=sys.stderr)
                return 1
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopping", flush=True)
        return 0
    finally:
        stack.stop()


if __name__ == "__main__":
    sys.exit(main())
