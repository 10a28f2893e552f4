"""Real botocore clients against the emulator; every answer they get is checked against the API models on its way."""

import base64
import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.model import ListShape, OperationModel, Shape, StructureShape

from exporter.demo.principals import HOME_ACCESS_KEY, HOME_SECRET_KEY
from exporter.demo.server import EmulatorServer, environment
from exporter.demo.world import World

HOME = "111122223333"
MEMBER = "222233334444"
START = 1_790_000_000.0

# What any service may answer besides the errors of an operation (each service's "Common Errors" page).
COMMON_ERRORS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InternalError",
        "InternalFailure",
        "InvalidClientTokenId",
        "InvalidParameterValue",
        "InvalidSignatureException",
        "NotAuthorizedException",
        "RequestExpired",
        "RequestLimitExceeded",
        "SignatureDoesNotMatch",
        "Throttling",
        "ThrottlingException",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
        "ValidationError",
        "ValidationException",
    }
)


# What a raw value of each of the API models' types may be.
RAW_TYPES: Mapping[str, tuple[type, ...]] = {
    "structure": (dict,),
    "list": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "timestamp": (int, float),
    "blob": (str,),
    "map": (dict,),
}


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> float:
        return self.time


def violations(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """Tell where a raw value is not what the API model says: types, enums, bounds, required and unknown members."""
    types = RAW_TYPES[shape.type_name]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        yield f"{path}: {value!r} is no {shape.type_name}"
        return
    match shape.type_name:
        case "structure":
            yield from _structure_violations(shape, value, path)
        case "list":
            for number, each in enumerate(value):
                yield from violations(shape.member, each, f"{path}[{number}]")
        case "map":
            for name, each in value.items():
                yield from violations(shape.value, each, f"{path}[{name!r}]")
        case "string" if shape.enum and value not in shape.enum:
            yield f"{path}: {value!r} is none of {shape.enum}"
        case _ if not _within(shape, _size(shape, value)):
            yield f"{path}: {value!r} is out of bounds"


def _size(shape: Shape, value: Any) -> float:
    """Return what the model bounds: a number's value, the length of anything else."""
    match shape.type_name:
        case "string":
            return len(value)
        case "blob":
            return len(base64.b64decode(value, validate=True))
        case _:
            return value


def _structure_violations(shape: StructureShape, value: Mapping[str, Any], path: str) -> Iterator[str]:
    yield from (f"{path}.{name}: unknown" for name in value.keys() - shape.members.keys())
    yield from (f"{path}.{name}: missing" for name in set(shape.required_members) - value.keys())
    for name, member in shape.members.items():
        if name in value:
            yield from violations(member, value[name], f"{path}.{name}")


def _within(shape: Shape, size: float) -> bool:
    return shape.metadata.get("min", size) <= size <= shape.metadata.get("max", size)


def from_xml(shape: Shape, element: ET.Element) -> Any:
    """Turn an XML element into the raw value that it stands for; unknown elements keep their names."""
    match shape.type_name:
        case "structure":
            names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
            value = {}
            for child in element:
                tag = child.tag.partition("}")[2] or child.tag
                name = names.get(tag, tag)
                member = shape.members.get(name)
                value[name] = child.text if member is None else from_xml(member, child)
            return value
        case "list":
            assert isinstance(shape, ListShape)
            return [from_xml(shape.member, child) for child in element]
        case "integer":
            return int(element.text or "")
        case "timestamp":
            assert (element.text or "").endswith("Z")
            return 0.0
        case _:
            return element.text or ""


def check_answer(operation: OperationModel, body: bytes) -> None:
    """Fail unless a raw body is an answer as the operation's model describes it."""
    shape = operation.output_shape
    protocol = operation.service_model.metadata["protocols"]
    if shape is None:
        assert body == b"", f"{operation.name} has no output, got {body!r}"
        return
    if "json" in protocol:
        value = json.loads(body)
    else:
        root = ET.fromstring(body)
        wrapper = shape.serialization.get("resultWrapper")
        if wrapper:
            root = next(child for child in root if child.tag.endswith(f"}}{wrapper}"))
        value = from_xml(shape, root)
        if not wrapper:
            assert value.pop("requestId")
    found = list(violations(shape, value, operation.name))
    assert not found, found


def check_error(operation: OperationModel, code: str) -> None:
    """Fail unless an error code is one that the operation or any operation may answer."""
    declared = {shape.metadata.get("error", {}).get("code", shape.name) for shape in operation.error_shapes}
    assert code in declared | COMMON_ERRORS, f"{operation.name} answers no {code}"


@dataclass
class Aws:
    """boto3 clients of one emulator, each closed in the end and each answer checked on its way."""

    session: boto3.Session
    url: str
    resources: ExitStack

    def client(
        self,
        service: str,
        region: str = "eu-west-1",
        *,
        credentials: Mapping[str, Any] | None = None,
        checked: bool = True,
        attempts: int = 1,
        read_timeout: float = 10.0,
    ) -> Any:
        """Return a client; `credentials` as AssumeRole answers them, the home credentials by default."""
        keys = {}
        if credentials is not None:
            keys = {
                "aws_access_key_id": credentials["AccessKeyId"],
                "aws_secret_access_key": credentials["SecretAccessKey"],
                "aws_session_token": credentials.get("SessionToken"),
            }
        config = Config(
            retries={"total_max_attempts": attempts, "mode": "standard"}, connect_timeout=5, read_timeout=read_timeout
        )
        client = self.session.client(service, region, endpoint_url=self.url, config=config, **keys)
        self.resources.callback(client.close)
        if checked:
            client.meta.events.register("before-parse", _check)
        return client

    def client_sending(self, body: str, service: str = "kms") -> Any:
        """Return a client that sends this body whatever it is asked, past botocore's own validation."""
        client = self.client(service)
        client.meta.events.register("before-call", lambda params, **_: params.update(body=body))
        return client

    def code(self, call: Callable[..., Any], **params: Any) -> str:
        """Return the error code that a call fails with, which must be one of the operation's or a common one."""
        with pytest.raises(ClientError) as failure:
            call(**params)
        response = failure.value.response
        assert response["Error"]["Message"]
        assert response["ResponseMetadata"]["RequestId"]
        client = call.__self__
        check_error(client.meta.service_model.operation_model(failure.value.operation_name), response["Error"]["Code"])
        return response["Error"]["Code"]


def _check(operation_model: OperationModel, response_dict: dict[str, Any], **_: Any) -> None:
    if response_dict["status_code"] == 200:
        check_answer(operation_model, response_dict["body"])


@pytest.fixture(scope="session")
def session() -> Iterator[boto3.Session]:
    """One session for all tests: its model loader is what takes time."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment("http://127.0.0.1:1").items():
            patch.setenv(name, value)
        yield boto3.Session()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    """A home account and one other, with a role in the other, in one organization."""
    world = World(clock, home_regions=("eu-west-1", "us-east-1"))
    world.add_account(MEMBER, "payments", ("eu-west-1",))
    world.add_role(MEMBER, "KmsExporter", external_id="tell-nobody")
    world.create_organization()
    return world


@pytest.fixture
def emulator(world: World) -> Iterator[EmulatorServer]:
    with EmulatorServer(world) as server:
        yield server


@pytest.fixture
def aws(emulator: EmulatorServer, session: boto3.Session) -> Iterator[Aws]:
    with ExitStack() as resources:
        yield Aws(session, emulator.url, resources)


@pytest.fixture
def kms(aws: Aws) -> Any:
    return aws.client("kms")


@pytest.fixture
def answer_check() -> Callable[[OperationModel, bytes], None]:
    return check_answer


@pytest.fixture
def post(emulator: EmulatorServer) -> Iterator[Callable[..., http.client.HTTPResponse]]:
    """Send a signed KMS request without botocore's help and return the response, its body unread."""
    connections = []

    def post(operation: str, body: bytes = b"{}", read_timeout: float = 10.0) -> http.client.HTTPResponse:
        headers = {"X-Amz-Target": f"TrentService.{operation}", "Content-Type": "application/x-amz-json-1.1"}
        request = AWSRequest("POST", emulator.url, headers, body)
        SigV4Auth(Credentials(HOME_ACCESS_KEY, HOME_SECRET_KEY), "kms", "eu-west-1").add_auth(request)
        connection = http.client.HTTPConnection(emulator.url.removeprefix("http://"), timeout=read_timeout)
        connections.append(connection)
        connection.request("POST", "/", body, dict(request.headers))
        return connection.getresponse()

    yield post
    for connection in connections:
        connection.close()
