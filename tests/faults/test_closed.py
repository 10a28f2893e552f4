"""What is left of a connection to AWS that a reload has replaced: nothing."""

import pytest
from botocore.credentials import ReadOnlyCredentials

from exporter.aws.clients import Clients
from exporter.demo.principals import HOME_ACCESS_KEY, HOME_SECRET_KEY
from exporter.demo.scenario import uniform_world
from exporter.demo.server import EmulatorServer, environment

REGION = "eu-west-1"


@pytest.fixture
def emulator(monkeypatch):
    with EmulatorServer(uniform_world(1, [REGION])) as emulator:
        for name, value in environment(emulator.url).items():
            monkeypatch.setenv(name, value)
        yield emulator


@pytest.fixture
def clients(emulator):
    assert emulator
    clients = Clients(connect_timeout=10, read_timeout=10, connections=1)
    clients.sign_with(ReadOnlyCredentials(HOME_ACCESS_KEY, HOME_SECRET_KEY, None))
    yield clients
    clients.close()


def test_a_thread_with_more_requests_before_it_sends_none_of_them_once_the_clients_are_closed(emulator, clients):
    kms = clients.get("kms", REGION)
    kms.list_keys()
    clients.close()
    with pytest.raises(RuntimeError, match="closed"):
        kms.list_keys()
    assert emulator.world.counts.total("ListKeys") == 1


def test_no_client_is_made_any_more(clients):
    clients.close()
    with pytest.raises(RuntimeError, match="closed"):
        clients.get("kms", REGION)
