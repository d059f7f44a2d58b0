"""Puts template.yaml into the emulator the way AWS wants it: zipped code in a bucket, one CloudFormation stack.

`sam build && sam deploy` does the same (a test does it that way); this is the same in three seconds instead of ten.
Only the `CodeUri` lines change on the way, as `sam package` changes them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.stack.emulator import REGION

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
BUCKET = "deskbridge-artifacts"
CODE_URI = re.compile(r"^(?P<indent> +CodeUri: )target/lambda/(?P<function>[a-z0-9-]+)/ *$", re.MULTILINE)
INTEGRATED_FUNCTION = re.compile(r"functions/\$\{(?P<logical_id>[A-Za-z0-9]+)\.Arn\}/invocations")


class DeployError(Exception):
    """The template could not be deployed; the text says why."""


@dataclass(frozen=True)
class Deployed:
    """What a deployed stack consists of, by the names that the template uses."""

    api_id: str
    outputs: dict[str, str]
    functions: dict[str, str]
    """Function name in the template (`frontstage-messages`) to deployed name."""
    routes: dict[str, list[dict[str, str]]]
    """Function name in the template to its HTTP routes."""


def zipped(bootstrap: Path) -> bytes:
    """A deployment package that only depends on the bootstrap's bytes."""
    entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    buffer = io.BytesIO()
    # Level 1: this package travels over loopback once.
    with zipfile.ZipFile(buffer, "w", compresslevel=1) as archive:
        archive.writestr(entry, bootstrap.read_bytes(), compresslevel=1)
    return buffer.getvalue()


def template_functions(text: str) -> list[str]:
    """The functions that the template deploys, by the folder of their bootstrap."""
    return [match["function"] for match in CODE_URI.finditer(text)]


def package(client, bootstraps: Path) -> str:
    """Uploads every function's code and returns the template that points at the uploads."""
    text = TEMPLATE.read_text()
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)

    def upload(function: str) -> tuple[str, str]:
        bootstrap = bootstraps / function / "bootstrap"
        if not bootstrap.is_file():
            raise DeployError(f"{bootstrap} is missing: run `make build` first")
        body = zipped(bootstrap)
        key = f"{function}/{hashlib.sha256(body).hexdigest()}.zip"
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return function, f"s3://{BUCKET}/{key}"

    # zlib releases the interpreter lock.
    with ThreadPoolExecutor(max_workers=2) as pool:
        uploads = dict(pool.map(upload, template_functions(text)))
    packaged = CODE_URI.sub(lambda match: match["indent"] + uploads[match["function"]], text)
    s3.put_object(Bucket=BUCKET, Key="template.yaml", Body=packaged.encode())
    return packaged


def create(client, stack_name: str, parameters: dict[str, str], endpoint: str, seconds: float = 60.0) -> None:
    """Creates the stack from the packaged template and waits for it."""
    cloudformation = client("cloudformation")
    cloudformation.create_stack(
        StackName=stack_name,
        # By address, as the template may outgrow the 51 200 bytes that fit into the call.
        TemplateURL=f"{endpoint}/{BUCKET}/template.yaml",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        OnFailure="DO_NOTHING",
    )
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        status = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]["StackStatus"]
        if status == "CREATE_COMPLETE":
            return
        if not status.endswith("IN_PROGRESS"):
            events = cloudformation.describe_stack_events(StackName=stack_name)["StackEvents"]
            reasons = [
                f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
                for event in events
                if event["ResourceStatus"].endswith("FAILED") and event.get("ResourceStatusReason")
            ]
            raise DeployError(f"the stack ended as {status}\n" + "\n".join(reversed(reasons)))
        time.sleep(0.1)
    raise DeployError(f"the stack was not there after {seconds:g} s")


def with_sam_cli(stack_name: str, parameters: dict[str, str], endpoint: str, state_dir: Path, bootstraps: Path) -> None:
    """Runs `sam build` and `sam deploy` on a copy of what they read, so that nothing is written beside the template."""
    project = state_dir / "sam"
    shutil.rmtree(project, ignore_errors=True)
    (project / "target").mkdir(parents=True)
    shutil.copy(TEMPLATE, project)
    shutil.copy(ROOT / "samconfig.toml", project)
    (project / "target" / "lambda").symlink_to(bootstraps, target_is_directory=True)
    overrides = [f"{key}={value}" for key, value in parameters.items()]
    commands = [
        ["build"],
        ["deploy", "--stack-name", stack_name, "--no-confirm-changeset", "--parameter-overrides", *overrides],
    ]
    environment = os.environ | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "SAM_CLI_TELEMETRY": "0",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    for command in commands:
        done = subprocess.run(
            ["sam", *command], cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise DeployError(f"`sam {command[0]}` failed\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


# What the emulator checks otherwise than AWS, by the action in the template that it stands for: the listing of secrets is
# checked against the resource "*" instead of the path's ARN, and a batch of messages as an action of its own, which IAM
# does not know (a batch is authorised as sqs:SendMessage).
EMULATED_ACTIONS = {"ssm:GetParametersByPath": "ssm:GetParametersByPath", "sqs:SendMessage": "sqs:SendMessageBatch"}


def let_roles_do_what_aws_would(client, stack_name: str) -> None:
    """Gives roles, in the emulator only, what the statements of the template mean on AWS.

    A role that has no statement for an action stays refused, as on AWS.
    """
    iam, cloudformation = client("iam"), client("cloudformation")
    for entry in cloudformation.describe_stack_resources(StackName=stack_name)["StackResources"]:
        if entry["ResourceType"] != "AWS::IAM::Role":
            continue
        role = entry["PhysicalResourceId"]
        policies = iam.list_role_policies(RoleName=role)["PolicyNames"]
        text = json.dumps([iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in policies])
        meant = [emulated for action, emulated in EMULATED_ACTIONS.items() if f'"{action}"' in text]
        if meant:
            document = {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": meant, "Resource": "*"}],
            }
            iam.put_role_policy(RoleName=role, PolicyName="emulator", PolicyDocument=json.dumps(document))


def connect_routes(client, stack_name: str) -> Deployed:
    """Gives the HTTP API its routes and describes what was deployed.

    SAM writes the routes of an HTTP API as an OpenAPI document into the API's `Body`, which the emulator does not
    import: without this every route answers 404. The routes are created from that very document, so that what is
    served is what the template says.
    """
    cloudformation, api = client("cloudformation"), client("apigatewayv2")
    processed = cloudformation.get_template(StackName=stack_name, TemplateStage="Processed")["TemplateBody"]
    resources: dict[str, Any] = processed["Resources"]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_name)
    physical = {
        entry["LogicalResourceId"]: entry["PhysicalResourceId"]
        for page in pages
        for entry in page["StackResourceSummaries"]
        if "PhysicalResourceId" in entry
    }
    names = {
        logical_id: physical[logical_id]
        for logical_id, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Function"
    }
    short = {logical_id: name.removeprefix(f"{stack_name}-") for logical_id, name in names.items()}
    routes: dict[str, list[dict[str, str]]] = {name: [] for name in short.values()}

    [(api_logical_id, api_resource)] = [
        (key, value) for key, value in resources.items() if value["Type"] == "AWS::ApiGatewayV2::Api"
    ]
    api_id = physical[api_logical_id]
    existing = {route["RouteKey"] for route in api.get_routes(ApiId=api_id)["Items"]}
    integrations: dict[tuple[str, int], str] = {}
    for path, methods in api_resource["Properties"]["Body"]["paths"].items():
        for method, operation in methods.items():
            verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
            integration = operation["x-amazon-apigateway-integration"]
            function = INTEGRATED_FUNCTION.search(integration["uri"]["Fn::Sub"])["logical_id"]
            routes[short[function]].append({"method": verb, "path": path})
            if f"{verb} {path}" in existing:
                continue
            timeout = integration.get("timeoutInMillis", 30000)
            if (function, timeout) not in integrations:
                arn = client("lambda").get_function(FunctionName=names[function])["Configuration"]["FunctionArn"]
                integrations[function, timeout] = api.create_integration(
                    ApiId=api_id,
                    IntegrationType="AWS_PROXY",
                    IntegrationUri=arn,
                    PayloadFormatVersion=integration["payloadFormatVersion"],
                    TimeoutInMillis=timeout,
                )["IntegrationId"]
            api.create_route(
                ApiId=api_id, RouteKey=f"{verb} {path}", Target=f"integrations/{integrations[function, timeout]}"
            )
    stack = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    return Deployed(
        api_id=api_id,
        outputs={output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]},
        functions={short[logical_id]: name for logical_id, name in names.items()},
        routes=routes,
    )
