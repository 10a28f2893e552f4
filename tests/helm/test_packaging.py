"""The packaged chart is whole, agrees with the exporter, and can be upgraded to."""

import shutil
import tarfile
from pathlib import Path

import pytest
import yaml

import exporter
from helm import build_readme
from tests.helm.charts import CHART, RELEASE, ROOT, VALUES, Resource, helm, only, render_file, workload_of
from tests.helm.test_rendering import selectors_of


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the packaged chart unpacks to."""
    folder = tmp_path_factory.mktemp("package")
    helm("package", CHART, "--destination", folder)
    (package,) = folder.glob("*.tgz")
    with tarfile.open(package) as archive:
        archive.extractall(folder, filter="data")
    return folder / "kms-exporter"


def relative_files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_package_holds_the_rules_and_the_dashboards(unpacked: Path) -> None:
    for kind, pattern in (("rules", "*.yaml"), ("dashboards", "*.json")):
        sources = {path.name: path.read_bytes() for path in (ROOT / "grafana" / kind).glob(pattern)}
        assert {path.name: path.read_bytes() for path in (unpacked / kind).iterdir()} == sources != {}


def test_the_package_holds_no_link_and_nothing_but_the_chart(unpacked: Path) -> None:
    assert not [path for path in unpacked.rglob("*") if path.is_symlink()]
    others = {name for name in relative_files(unpacked) if not name.startswith(("templates/", "rules/", "dashboards/"))}
    assert others == {".helmignore", "Chart.yaml", "README.md", "values.yaml", "values.schema.json"}


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_the_package_renders_what_the_working_tree_does(unpacked: Path, values: Path) -> None:
    assert render_file(values, chart=unpacked) == render_file(values)


def test_the_chart_is_of_the_exporters_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (exporter.__version__, exporter.__version__)


def test_artifact_hub_can_read_the_changes() -> None:
    annotations = yaml.safe_load((CHART / "Chart.yaml").read_text())["annotations"]
    assert all(isinstance(text, str) for text in annotations.values())
    kinds = {change["kind"] for change in yaml.safe_load(annotations["artifacthub.io/changes"])}
    assert kinds <= {"added", "changed", "deprecated", "removed", "fixed", "security"}


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_an_upgrade_keeps_selectors_and_names(unpacked: Path, values: Path, tmp_path: Path) -> None:
    newer = tmp_path / "kms-exporter"
    shutil.copytree(unpacked, newer)
    chart = yaml.safe_load((newer / "Chart.yaml").read_text()) | {"version": "9.8.7", "appVersion": "9.8.7"}
    (newer / "Chart.yaml").write_text(yaml.safe_dump(chart))
    before, after = render_file(values, chart=unpacked), render_file(values, chart=newer)

    def lasting(resource: Resource) -> tuple[object, ...]:
        return resource["kind"], resource["metadata"]["name"], selectors_of(resource)

    assert [lasting(resource) for resource in after] == [lasting(resource) for resource in before]
    assert workload_of(after)["metadata"]["labels"]["app.kubernetes.io/version"] == "9.8.7"


def test_the_readme_is_made_from_the_chart_as_it_is() -> None:
    assert build_readme.build() == (CHART / "README.md").read_text(), "run python -m helm.build_readme"


def test_the_default_memory_is_twice_what_was_measured_for_ten_thousand_keys() -> None:
    (measured,) = (
        row["peak memory"] for row in build_readme.sizing() if (row["keys"], row["targets"]) == ("10,000", "1")
    )
    resources = yaml.safe_load((CHART / "values.yaml").read_text())["resources"]
    needed = int(measured.removesuffix(" MB")) * 10**6
    assert int(resources["requests"]["memory"].removesuffix("Mi")) * 2**20 >= needed
    assert int(resources["limits"]["memory"].removesuffix("Mi")) * 2**20 >= 2 * needed


def test_a_value_without_a_description_is_refused() -> None:
    with pytest.raises(build_readme.UndocumentedError, match=r"image\.tag"):
        build_readme.values("# --- Image\n\nimage:\n  # -- Name.\n  name: a\n\n  tag: b\n")


class Notes:
    """The text that helm shows after an installation."""

    def __init__(self, chart: Path, folder: Path) -> None:
        """Make a chart of which the text is a resource: only `helm template` can be told what APIs a cluster has."""
        self._chart = folder / "kms-exporter"
        shutil.copytree(chart, self._chart)
        templates = self._chart / "templates"
        text = (templates / "NOTES.txt").read_text()
        wrapped = (
            f'kind: Notes\ntext: {{{{ include "notes" . | quote }}}}\n{{{{- define "notes" }}}}{text}{{{{- end }}}}\n'
        )
        (templates / "notes.yaml").write_text(wrapped)

    def with_operator(self, use: str) -> str:
        """Return it for a documented use in a cluster with the Prometheus operator."""
        values = VALUES[0].with_name(f"{use}.yaml")
        resources = render_file(values, chart=self._chart, apis=("monitoring.coreos.com/v1",))
        return str(only(resources, "Notes")["text"])

    @staticmethod
    def text(use: str) -> str:
        """Return what `helm install` prints for a documented use in a cluster without the Prometheus operator."""
        values = VALUES[0].with_name(f"{use}.yaml")
        printed = helm("install", RELEASE, CHART, "--dry-run=client", "--namespace=watch", "--values", values)
        return printed.partition("\nNOTES:\n")[2]


@pytest.fixture
def notes(unpacked: Path, tmp_path: Path) -> Notes:
    return Notes(unpacked, tmp_path)


def test_the_notes_warn_of_missing_credentials(notes: Notes) -> None:
    warned = notes.text("defaults")
    assert f"the service account {RELEASE}-kms-exporter has no annotation eks.amazonaws.com/role-arn" in warned
    assert "has no annotation" not in notes.text("irsa")
    assert "has no annotation" not in notes.text("demo")


def test_the_notes_claim_nothing_of_a_service_account_that_somebody_else_made(notes: Notes) -> None:
    told = notes.text("pod-identity")
    assert "has no annotation" not in told
    assert "this chart did not make the service account kms-watch" in told
    assert "aws eks create-pod-identity-association --cluster-name CLUSTER --namespace watch" in told


def test_the_notes_say_that_the_image_must_be_somewhere(notes: Notes) -> None:
    assert f"the image is kms-exporter:{exporter.__version__}, which no public registry has" in notes.text("defaults")
    assert "no public registry" not in notes.text("demo")


def test_the_notes_warn_of_an_operator_that_is_told_nothing(notes: Notes) -> None:
    warned = notes.with_operator("defaults")
    assert "set serviceMonitor.enabled=true" in warned
    assert "set prometheusRule.enabled=true" in warned
    assert "WARNING: the Prometheus operator" not in notes.text("defaults")
    assert "enabled=true" not in notes.with_operator("demo")


def test_the_notes_say_where_to_scrape_without_the_operator(notes: Notes) -> None:
    assert f"{RELEASE}-kms-exporter.watch.svc:10841/metrics" in notes.text("defaults")


def test_the_notes_ask_for_runbooks_where_alerts_have_no_link(notes: Notes) -> None:
    assert "prometheusRule.runbookBaseUrl" in notes.text("demo")
    assert "runbookBaseUrl" not in notes.text("prometheus-operator")


def test_the_notes_lead_to_every_shard(notes: Notes) -> None:
    told = notes.text("sharded")
    assert "shared between 3 pods" in told
    assert f"rollout status statefulset/{RELEASE}-kms-exporter" in told
    assert f"port-forward pod/{RELEASE}-kms-exporter-0 10841:10841" in told
    assert "statefulset" not in notes.text("defaults")
