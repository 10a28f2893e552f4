"""The services that the emulator speaks for."""

from collections.abc import Mapping

from exporter.demo.services import cloudtrail, config, ec2, kms, organizations, sqs, sts, tagging
from exporter.demo.services.base import Service


def services() -> Mapping[str, Service]:
    """Return every service by its name in a credential scope."""
    every = (
        kms.SERVICE,
        tagging.SERVICE,
        organizations.SERVICE,
        sts.SERVICE,
        ec2.SERVICE,
        cloudtrail.SERVICE,
        config.SERVICE,
        sqs.SERVICE,
    )
    return {service.name: service for service in every}
