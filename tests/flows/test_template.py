"""What the template must say, and what neither `sam validate --lint` nor `cfn-lint` notices when it does not.

Expected values are written out here, not computed from the template.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


class CloudFormationLoader(yaml.SafeLoader):
    """YAML with the short forms of CloudFormation's functions."""


def _function(loader: yaml.Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


CloudFormationLoader.add_multi_constructor("!", _function)

TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), Loader=CloudFormationLoader)
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {key: value for key, value in RESOURCES.items() if value["Type"] == kind}


FUNCTIONS = {key: value["Properties"] for key, value in of_type("AWS::Serverless::Function").items()}
QUEUES = {key: value["Properties"] for key, value in of_type("AWS::SQS::Queue").items()}


def sources(kind: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        (function, event["Properties"])
        for function, properties in FUNCTIONS.items()
        for event in properties.get("Events", {}).values()
        if event["Type"] == kind
    ]


def queue_of(source: dict[str, Any]) -> str:
    name, attribute = source["Queue"]["Fn::GetAtt"].split(".")
    assert attribute == "Arn"
    return name


def function_names() -> dict[str, str]:
    """Logical id to the function's word, which is its binary, its folder under events/ and the end of its name."""
    return {
        key: properties["FunctionName"]["Fn::Sub"].split("${AWS::StackName}-")[1]
        for key, properties in FUNCTIONS.items()
    }


def binaries() -> set[str]:
    done = subprocess.run(
        ["cargo", "metadata", "--format-version=1", "--no-deps"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {
        target["name"]
        for package in json.loads(done.stdout)["packages"]
        if (ROOT / "functions") in Path(package["manifest_path"]).parents
        for target in package["targets"]
        if "bin" in target["kind"]
    }


def test_functions_and_binaries_are_the_same():
    assert set(function_names().values()) == binaries()


@pytest.mark.parametrize("name", sorted(function_names().values()))
def test_function_has_events(name):
    assert list((ROOT / "events" / name).glob("*.json")), f"events/{name}/ is empty"


def test_no_event_folder_is_left_over():
    folders = {path.name for path in (ROOT / "events").iterdir() if path.is_dir()}
    assert folders <= set(function_names().values())


@pytest.mark.parametrize("logical_id", sorted(FUNCTIONS))
def test_function_is_named_by_the_convention(logical_id):
    word = function_names()[logical_id]
    assert logical_id == "".join(part.capitalize() for part in word.split("-"))
    assert FUNCTIONS[logical_id]["CodeUri"] == f"target/lambda/{word}/"
    assert RESOURCES[logical_id]["Metadata"] == {"SkipBuild": True}


def test_runtime_and_architecture():
    shared = TEMPLATE["Globals"]["Function"]
    assert shared["Runtime"] == "provided.al2023"
    assert shared["Architectures"] == [{"Ref": "Architecture"}]
    assert TEMPLATE["Parameters"]["Architecture"]["Default"] == "arm64"
    assert TEMPLATE["Parameters"]["Architecture"]["AllowedValues"] == ["arm64", "x86_64"]


def test_defaults_of_the_parameters():
    parameters = TEMPLATE["Parameters"]
    assert parameters["AckTimeoutSeconds"]["Default"] == 90
    assert parameters["RetryDelaysSeconds"]["Default"] == "30,120"
    assert parameters["MaxAttempts"]["Default"] == 3
    assert parameters["AllowLoopbackTargets"]["Default"] == "false"


@pytest.mark.parametrize(
    ("function", "queue", "timeout", "visibility"),
    [
        ("OutboundDeliver", "DeliverQueue", 60, 360),
        ("OutboundAckTimer", "AckQueue", 30, 180),
        ("OutboundChatTimer", "ChatTimerQueue", 30, 180),
        ("FrontstagePush", "PushQueue", 60, 360),
    ],
)
def test_visibility_is_six_times_the_timeout(function, queue, timeout, visibility):
    assert (function, queue) in [(name, queue_of(source)) for name, source in sources("SQS")]
    assert FUNCTIONS[function]["Timeout"] == timeout
    assert QUEUES[queue]["VisibilityTimeout"] == visibility


def test_every_queue_source_is_covered_by_the_test_above():
    for function, source in sources("SQS"):
        assert QUEUES[queue_of(source)]["VisibilityTimeout"] >= 6 * FUNCTIONS[function]["Timeout"]
    assert len(sources("SQS")) == 4


@pytest.mark.parametrize(("function", "source"), sources("SQS"), ids=[name for name, _ in sources("SQS")])
def test_queue_source_reports_item_failures_and_is_bounded(function, source):
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert 2 <= source["ScalingConfig"]["MaximumConcurrency"] <= 1000
    assert 1 <= source["BatchSize"] <= 10


def test_every_queue_but_the_last_has_a_dead_letter_queue():
    assert set(QUEUES) == {"DeliverQueue", "AckQueue", "ChatTimerQueue", "PushQueue", "DeadQueue"}
    for name, queue in QUEUES.items():
        assert queue["SqsManagedSseEnabled"] is True
        if name == "DeadQueue":
            assert queue["MessageRetentionPeriod"] == 1209600
        else:
            assert queue["RedrivePolicy"] == {
                "deadLetterTargetArn": {"Fn::GetAtt": "DeadQueue.Arn"},
                "maxReceiveCount": 5,
            }


def test_scheduled_function_has_a_dead_letter_target():
    scheduled = sorted(function for function, _ in sources("Schedule"))
    assert scheduled == ["OutboundSweep", "VcitaUpkeep"]
    for function in scheduled:
        target = FUNCTIONS[function]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
        assert target == {"Type": "SQS", "Destination": {"Fn::GetAtt": "DeadQueue.Arn"}}


def test_every_other_function_is_invoked_synchronously():
    invoked_by = {function for kind in ("HttpApi", "SQS", "Schedule") for function, _ in sources(kind)}
    assert set(FUNCTIONS) - invoked_by == {
        "OperatorCatalogue",
        "OperatorConfigure",
        "OperatorCtrader",
        "OperatorEducation",
        "OperatorErase",
        "OperatorHandOver",
        "OperatorIadvize",
        "OperatorPrepareChat",
        "OperatorReplay",
        "OperatorResults",
        "OperatorTimeline",
        "OperatorVcita",
    }


def statements(role: str) -> list[dict[str, Any]]:
    return [
        statement
        for policy in RESOURCES[role]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("logical_id", sorted(FUNCTIONS))
def test_role_is_the_functions_own_and_has_no_wildcard(logical_id):
    assert FUNCTIONS[logical_id]["Role"] == {"Fn::GetAtt": f"{logical_id}Role.Arn"}
    # With a role of its own, SAM adds neither these nor AWS managed policies.
    assert "Policies" not in FUNCTIONS[logical_id]
    assert "ManagedPolicyArns" not in RESOURCES[f"{logical_id}Role"]["Properties"]
    for statement in statements(f"{logical_id}Role"):
        assert statement["Effect"] == "Allow"
        for action in listed(statement["Action"]):
            assert re.fullmatch(r"[a-z0-9]+:[A-Za-z]+", action), action
        for resource in listed(statement["Resource"]):
            assert isinstance(resource, dict), resource
            [(kind, text)] = resource.items()
            if kind == "Fn::Sub":
                # Below one platform's secrets, and among the files that users handed in: nowhere else may a role end in a wildcard.
                assert re.fullmatch(r"[^*]+(/\*)?", text), text
                assert (
                    "*" not in text
                    or re.search(r"/\$\{AWS::StackName\}/[a-z]+/\*$", text)
                    or (logical_id == "CtraderUpload" and text == "${UploadBucket.Arn}/uploads/*")
                ), text


@pytest.mark.parametrize("logical_id", sorted(FUNCTIONS))
def test_role_reads_only_its_own_queue_and_its_own_platforms_secrets(logical_id):
    allowed = {
        action: [str(resource) for resource in listed(statement["Resource"])]
        for statement in statements(f"{logical_id}Role")
        for action in listed(statement["Action"])
    }
    source = [queue_of(source) for function, source in sources("SQS") if function == logical_id]
    assert allowed.get("sqs:ReceiveMessage", []) == [str({"Fn::GetAtt": f"{queue}.Arn"}) for queue in source]
    platforms = {
        match[1]
        for text in allowed.get("ssm:GetParametersByPath", [])
        if (match := re.search(r"StackName}/([a-z]+)", text))
    }
    # The web sites are those of FrontStage's gateways.
    owner = logical_id.replace("Website", "Frontstage")
    own = {platform for platform in ("ctrader", "frontstage", "iadvize", "roxchat", "vcita") if owner.startswith(platform.capitalize())}
    others = {
        "IadvizeHealth": set(),
        "OutboundDeliver": {"ctrader", "frontstage", "iadvize", "roxchat", "vcita"},
        "OperatorCtrader": {"ctrader"},
        "OperatorVcita": {"vcita"},
    }
    assert platforms == others.get(logical_id, own)


@pytest.mark.parametrize(
    ("function", "route"), sources("HttpApi"), ids=[route["Path"] for _, route in sources("HttpApi")]
)
def test_route_has_payload_format_2_and_the_functions_own_time(function, route):
    assert route["PayloadFormatVersion"] == "2.0"
    assert route["Method"] == "ANY"
    assert FUNCTIONS[function]["Timeout"] * 1000 == route["TimeoutInMillis"] <= 29000


def test_routes():
    assert {(function, route["Path"]) for function, route in sources("HttpApi")} == {
        ("FrontstageMessages", "/v1/frontstage/{gateway}/messages"),
        ("FrontstageMessages", "/v1/frontstage/{gateway}/messages/{msg}"),
        ("FrontstageEvents", "/v1/frontstage/{gateway}/events"),
        ("FrontstageHealth", "/v1/frontstage/{gateway}/health"),
        ("FrontstageWorkplaceMessages", "/v1/frontstage/workplaces/{number}/messages"),
        ("FrontstageWorkplaceEvents", "/v1/frontstage/workplaces/{number}/events"),
        ("WebsiteScript", "/v1/frontstage/{gateway}/web/scripts/{file}"),
        ("WebsiteRouting", "/v1/frontstage/{gateway}/web/api/Routing/{webapp}"),
        ("WebsiteChat", "/v1/frontstage/{gateway}/web/api/Chat"),
        ("WebsiteStart", "/v1/frontstage/{gateway}/web/api/Chat/Start"),
        ("WebsiteSentence", "/v1/frontstage/{gateway}/web/api/Chat/Sentence"),
        ("WebsiteTyping", "/v1/frontstage/{gateway}/web/api/Chat/Typing"),
        ("WebsiteConfirm", "/v1/frontstage/{gateway}/web/api/Chat/Confirm"),
        ("WebsiteStop", "/v1/frontstage/{gateway}/web/api/Chat/Stop"),
        ("WebsiteNavigation", "/v1/frontstage/{gateway}/web/api/Chat/Navigation"),
        ("WebsiteAgentImage", "/v1/frontstage/{gateway}/web/api/AgentImage/{agentid}"),
        ("WebsiteScenario", "/v1/frontstage/{gateway}/web/api/Scenario/{id}"),
        ("WebsiteResult", "/v1/frontstage/{gateway}/web/api/Result/{webapp}"),
        ("WebsiteCoBrowsing", "/v1/frontstage/{gateway}/web/api/Chat/CoBrowsing"),
        ("VcitaMessageCreated", "/vcita/{app}/{secret}/messages"),
        ("VcitaMessageUpdated", "/vcita/{app}/{secret}/messages/{message_uid}"),
        ("VcitaChannelUpdated", "/vcita/{app}/{secret}/channels/{channel_uid}"),
        ("VcitaSessionUpdated", "/vcita/{app}/{secret}/sessions/{session_uid}"),
        ("VcitaTyping", "/vcita/{app}/{secret}/{session_uid}/typing"),
        ("VcitaEvents", "/vcita/{app}/{secret}/events"),
        ("VcitaConnect", "/vcita/{app}/connect"),
        ("CtraderScreen", "/inapp/action"),
        ("CtraderScreen", "/inapp/chat"),
        ("CtraderScreen", "/inapp/education"),
        ("CtraderScreen", "/callback/success"),
        ("CtraderScreen", "/inapp/assets/{file}"),
        ("CtraderCrmToken", "/oauth2/crmApiToken"),
        ("CtraderCrmToken", "/{prefix}/oauth2/crmApiToken"),
        ("CtraderOnetimeAuthorize", "/oauth2/onetime/authorize"),
        ("CtraderOnetimeAuthorize", "/{prefix}/oauth2/onetime/authorize"),
        ("CtraderAuthorize", "/oauth2/authorize"),
        ("CtraderAuthorize", "/{prefix}/oauth2/authorize"),
        ("CtraderOnetimeGenerate", "/oauth2/onetime/generate"),
        ("CtraderOnetimeGenerate", "/{prefix}/oauth2/onetime/generate"),
        ("CtraderLogout", "/oauth2/logout"),
        ("CtraderLogout", "/{prefix}/oauth2/logout"),
        ("CtraderSession", "/inapp/api/session"),
        ("CtraderChat", "/inapp/api/chat"),
        ("CtraderChat", "/inapp/api/chat/transcript"),
        ("CtraderChatAct", "/inapp/api/chat/{act}"),
        ("CtraderAction", "/inapp/api/action"),
        ("CtraderAction", "/inapp/api/action/{part}"),
        ("CtraderEducation", "/inapp/api/education"),
        ("CtraderEducation", "/inapp/api/education/{content}"),
        ("CtraderEducation", "/inapp/api/education/{content}/{part}"),
        ("CtraderUpload", "/inapp/api/upload"),
        ("CtraderUpload", "/inapp/api/upload/{id}"),
        ("CtraderUpload", "/inapp/api/upload/{id}/done"),
        ("CtraderCertificate", "/inapp/api/certificate/{code}"),
        ("CtraderCertificate", "/inapp/verify/{code}"),
        ("IadvizeHealth", "/iadvize/health"),
        ("IadvizeOptions", "/iadvize/options/{key}"),
        ("IadvizeCustomer", "/iadvize/customer"),
        ("IadvizeCustomerAction", "/iadvize/customer/action"),
        ("IadvizeClosingForm", "/iadvize/closing-form"),
        ("IadvizeWebhook", "/iadvize/webhook"),
        ("IadvizeCategories", "/iadvize/product-list/categories"),
        ("IadvizeProducts", "/iadvize/product-list/products"),
        ("IadvizeBotScenarios", "/iadvize/bot/external-bots"),
        ("IadvizeBot", "/iadvize/bot/bots/{idOperator}"),
        ("IadvizeBotAvailability", "/iadvize/bot/availability-strategies"),
        ("IadvizeBotFirstMessages", "/iadvize/bot/bots/{idOperator}/conversation-first-messages"),
        ("IadvizeBotConversation", "/iadvize/bot/conversations"),
        ("IadvizeBotConversation", "/iadvize/bot/conversations/{idConversation}"),
        ("IadvizeBotConversation", "/iadvize/bot/conversations/{idConversation}/messages"),
        ("IadvizePanel", "/iadvize/panel"),
        ("IadvizePanel", "/iadvize/panel/assets/{file}"),
        ("IadvizePanelApi", "/iadvize/panel/api/{call}"),
        ("IadvizePanelMessages", "/iadvize/panel/messages"),
        ("RoxchatHost", "/roxchat/{account}/host"),
        ("RoxchatHost", "/roxchat/{account}/{file}"),
        ("RoxchatSession", "/roxchat/{account}/session"),
        ("RoxchatEvents", "/roxchat/{account}/events"),
        ("RoxchatCommands", "/roxchat/{account}/commands"),
        ("RoxchatCommands", "/roxchat/{account}/commands/{id}"),
        ("RoxchatCommands", "/roxchat/{account}/commands/{id}/result"),
        ("RoxchatViews", "/roxchat/{account}/visitors/{id}"),
        ("RoxchatViews", "/roxchat/{account}/chats/{chatId}"),
    }


def test_environment_holds_no_secret():
    for properties in [TEMPLATE["Globals"]["Function"], *FUNCTIONS.values()]:
        for name, value in properties.get("Environment", {}).get("Variables", {}).items():
            assert name.startswith("DESKBRIDGE_")
            if name == "DESKBRIDGE_SECRETS_PREFIX":
                assert value == {"Fn::Sub": "${SecretsPrefix}/${AWS::StackName}"}
                continue
            assert not re.search(r"SECRET|TOKEN|PASSWORD|KEY|CREDENTIAL", name), name
            assert "resolve:" not in str(value), name


@pytest.mark.parametrize("logical_id", sorted(FUNCTIONS))
def test_function_logs_json_to_a_group_with_retention(logical_id):
    assert FUNCTIONS[logical_id]["LoggingConfig"] == {"LogGroup": {"Ref": f"{logical_id}LogGroup"}}
    assert TEMPLATE["Globals"]["Function"]["LoggingConfig"]["LogFormat"] == "JSON"
    group = RESOURCES[f"{logical_id}LogGroup"]["Properties"]
    assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert group["LogGroupName"]["Fn::Sub"] == "/aws/lambda/${AWS::StackName}-" + function_names()[logical_id]


def test_access_log_holds_nothing_of_the_path():
    [api] = of_type("AWS::Serverless::HttpApi").values()
    variables = set(re.findall(r"\$context\.([A-Za-z.]+)", api["Properties"]["AccessLogSettings"]["Format"]))
    assert variables == {"requestId", "routeKey", "status", "responseLatency", "integrationErrorMessage"}
    json.loads(api["Properties"]["AccessLogSettings"]["Format"])
    assert RESOURCES["HttpApiLogGroup"]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_table_is_kept_and_can_be_restored():
    [table] = of_type("AWS::DynamoDB::Table").values()
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")
    properties = table["Properties"]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert [index["IndexName"] for index in properties["GlobalSecondaryIndexes"]] == ["due"]


def test_files_are_private_encrypted_and_end():
    [bucket] = of_type("AWS::S3::Bucket").values()
    properties = bucket["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    [encryption] = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    [cors] = properties["CorsConfiguration"]["CorsRules"]
    assert (cors["AllowedMethods"], cors["AllowedOrigins"]) == (["GET", "POST"], {"Ref": "UploadOrigins"})
    assert properties["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == {"Ref": "RetentionDays"}
    [policy] = of_type("AWS::S3::BucketPolicy").values()
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_alarms():
    watched = {
        (alarm["Properties"]["Namespace"], alarm["Properties"]["MetricName"])
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
    }
    assert watched == {
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage"),
        ("Deskbridge", "BatchItemFailures"),
        ("Deskbridge", "PushesGivenUp"),
        ("Deskbridge", "Unauthorised"),
        ("AWS/ApiGateway", "5xx"),
        ("AWS/Lambda", "Url5xxCount"),
    }
    assert RESOURCES["DeadLettersAlarm"]["Properties"]["Dimensions"] == [
        {"Name": "QueueName", "Value": {"Fn::GetAtt": "DeadQueue.QueueName"}}
    ]
    for alarm in of_type("AWS::CloudWatch::Alarm").values():
        assert alarm["Properties"]["AlarmActions"]["Fn::If"][0] == "HasAlarmTopic"


def test_saved_queries_cover_every_function():
    queries = of_type("AWS::Logs::QueryDefinition")
    assert queries
    for query in queries.values():
        assert query["Properties"]["LogGroupNames"] == [{"Ref": f"{key}LogGroup"} for key in FUNCTIONS]
