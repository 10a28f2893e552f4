"""The chart, and the real helm that renders it."""

import functools
import hashlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support.components import cannot_run

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "helm" / "kms-exporter"
VALUES: Final = tuple(sorted((ROOT / "tests" / "helm" / "values").glob("*.yaml")))
"""A file for each documented use of the chart."""

KUBERNETES: Final = ("1.25", "1.30", "1.33", "1.37")
"""The oldest version that the chart takes, the newest that schemas are to be had for, and some between."""

SHARDS_SINCE: Final = "1.28"
"""The oldest version that takes several shards."""

RELEASE: Final = "kms"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The dashboards make much YAML."""
_NAMESPACE: Final = "watch"

Resource = dict[str, Any]


class HelmError(Exception):
    """What helm says when it refuses."""


@functools.cache
def programs() -> Path:
    """Return the folder of helm and kubectl, fetching them once; without them the test can't run."""
    fetched = subprocess.run([sys.executable, ROOT / "scripts" / "helm"], capture_output=True, text=True, check=False)
    if fetched.returncode:
        return cannot_run(f"helm is not to be had: {fetched.stderr.strip()}")
    return Path(fetched.stdout.strip())


def helm(*arguments: str | Path) -> str:
    """Run helm, which knows no cluster; return its output.

    Raises:
        HelmError: it failed.
    """
    environment = {"KUBECONFIG": "/dev/null", "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [programs() / "helm", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise HelmError(done.stderr)
    return done.stdout


@functools.cache
def _resources(chart: Path, values: str, kubernetes: str, apis: tuple[str, ...]) -> list[Resource]:
    arguments = [*(f"--values={file}" for file in (values,) if file), f"--kube-version=v{kubernetes}.0"]
    arguments += [f"--api-versions={api}" for api in apis]
    text = helm("template", RELEASE, chart, f"--namespace={_NAMESPACE}", *arguments)
    return [resource for resource in yaml.load_all(text, Loader=_LOADER) if resource]


def render_file(
    values: Path | str = "", *, chart: Path = CHART, kubernetes: str = "1.32", apis: tuple[str, ...] = ()
) -> list[Resource]:
    """Return the resources that the chart makes of a values file, `""` for none; they are not to be changed."""
    return _resources(chart, str(values), kubernetes, apis)


def render(values: Mapping[str, Any], folder: Path, **arguments: Any) -> list[Resource]:
    """Return the resources that the chart makes of values, by way of a file in a folder."""
    text = yaml.safe_dump(dict(values))
    file = folder / f"values-{hashlib.sha256(text.encode()).hexdigest()}.yaml"
    file.write_text(text, encoding="utf-8")
    return render_file(file, **arguments)


def only(resources: list[Resource], kind: str) -> Resource:
    """Return the one resource of a kind."""
    (found,) = (resource for resource in resources if resource["kind"] == kind)
    return found


def of_kind(resources: list[Resource], kind: str) -> list[Resource]:
    """Return the resources of a kind."""
    return [resource for resource in resources if resource["kind"] == kind]


def workload_of(resources: list[Resource]) -> Resource:
    """Return what makes the exporter's pods: a Deployment, or a StatefulSet for several shards."""
    (found,) = (resource for resource in resources if resource["kind"] in {"Deployment", "StatefulSet"})
    return found


def pod_of(resources: list[Resource]) -> Resource:
    """Return the specification of the exporter's pod."""
    spec: Resource = workload_of(resources)["spec"]["template"]["spec"]
    return spec


def versions_for(values: Path) -> tuple[str, ...]:
    """Return the versions of Kubernetes that a use of the chart is for, the oldest first."""
    sharding = (yaml.safe_load(values.read_text(encoding="utf-8")) or {}).get("sharding", {})
    if sharding.get("shards", 1) == 1:
        return KUBERNETES
    return (SHARDS_SINCE, *KUBERNETES[1:])


def container_of(resources: list[Resource]) -> Resource:
    """Return the exporter's container."""
    return next(container for container in pod_of(resources)["containers"] if container["name"] == "kms-exporter")
