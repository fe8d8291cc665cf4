"""What deploy/cluster holds, against what there is here: a Kubernetes API that takes a job, and the other files."""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from importlib.metadata import distribution
from pathlib import Path

import dagster as dg
import kubernetes_validate
import pytest
import yaml
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.launcher import LaunchRunContext
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.production_lock import PRODUCTION_LOCK, production_lock
from secscore_pipeline.config.registry import SETTINGS
from secscore_pipeline.config.storage import parse_lake_settings
from secscore_pipeline.definitions import defs
from testbed.receiver import Receiver
from testbed.serving import ROOT, cluster

CLUSTER = ROOT / "deploy" / "cluster"
KUBERNETES = "1.33"
PATH = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
OTHERS = {"PGPASSWORD", "DAGSTER_POSTGRES_URL", "SECSCORE_BROKER_URL"} | {
    f"SECSCORE_{name}" for name in ("CODE_HOST", "CODE_PORT", "CODE_SOCKET", "UI_PORT", "BIND")
}
"""Variables that PostgreSQL's client, Dagster's instance file and deploy/run read, and no setting of ours."""


def read(name):
    return yaml.safe_load((CLUSTER / name).read_text(encoding="utf-8"))


def in_snake_case(held):
    """Return a mapping with its keys as the chart writes them into dagster.yaml."""
    return {re.sub(r"(?<=[a-z0-9])[A-Z]", lambda found: f"_{found[0].lower()}", key): held[key] for key in held}


@pytest.fixture
def kubernetes(tmp_path):
    """Return a Kubernetes API that takes what it is given, and the file that leads to it."""
    receiver = Receiver()
    file = tmp_path / "kubeconfig"
    there = {"name": "there", "cluster": {"server": receiver.url}}
    file.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [there],
                "users": [{"name": "me", "user": {}}],
                "contexts": [{"name": "here", "context": {"cluster": "there", "user": "me"}}],
                "current-context": "here",
            }
        )
    )
    yield receiver, str(file)
    receiver.close()


def test_kubernetes_is_given_a_valid_job_for_a_run(kubernetes, tmp_path):
    receiver, kubeconfig = kubernetes
    values = read("values.yaml")
    (code,) = values["dagster-user-deployments"]["deployments"]
    launching = dict(values["runLauncher"]["config"]["k8sRunLauncher"])
    launching["runK8sConfig"] = in_snake_case(launching["runK8sConfig"])
    launcher = {
        "module": "dagster_k8s",
        "class": values["runLauncher"]["type"],
        "config": {
            **in_snake_case(launching), "load_incluster_config": False, "kubeconfig_file": kubeconfig,
            "service_account_name": "the-daemons", "job_namespace": "there",
            "instance_config_map": "instance", "dagster_home": "/opt/dagster/dagster_home",
            "postgres_password_secret": values["global"]["postgresqlSecretName"],
        },
    }  # fmt: skip
    context = {
        "env": code["env"], "labels": code["labels"], "volumes": code["volumes"],
        "volume_mounts": code["volumeMounts"], "resources": code["resources"],
        "service_account_name": values["dagster-user-deployments"]["serviceAccount"]["name"],
        "run_k8s_config": {"pod_spec_config": {"security_context": code["podSecurityContext"]}},
    }  # fmt: skip
    image = f"{code['image']['repository']}:{code['image']['tag']}"
    pointer = ModuleCodePointer(code["codeServerArgs"][1], "defs")
    code_server = RepositoryPythonOrigin("python", pointer, image, ["dagster"], {"k8s": context})
    origin = JobPythonOrigin("sync", code_server)
    with dg.DagsterInstance.local_temp(str(tmp_path), {"run_launcher": launcher}) as instance:
        run = instance.create_run_for_job(defs.resolve_job_def("sync"), job_code_origin=origin)
        instance.run_launcher.launch_run(LaunchRunContext(run, None))
    ((path, _, body),) = receiver.got
    assert path == "/apis/batch/v1/namespaces/there/jobs"
    job = json.loads(body)
    kubernetes_validate.validate({"apiVersion": "batch/v1", "kind": "Job", **job}, KUBERNETES, strict=True)
    pod = job["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert container["image"] == image
    begins = subprocess.run([ROOT / "deploy" / "run", container["args"][0], "--version"], env=PATH, check=False)
    assert begins.returncode == 0
    assert pod["spec"]["serviceAccountName"] == "secscore"
    assert pod["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    given = {variable["name"]: variable for variable in container["env"]}
    assert given["PGPASSWORD"]["valueFrom"] == given["DAGSTER_PG_PASSWORD"]["valueFrom"]
    assert parse_lake_settings(given["SECSCORE_DATABASE"]["value"])
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    for name in ("SECSCORE_DATA_PATH", "SECSCORE_WORK_DATABASE", "SECSCORE_REPORT", "SECSCORE_EXPORT_URL"):
        assert any(given[name]["value"].startswith(f"{mount}/") for mount in mounts), name
    assert container["resources"]["limits"]["memory"] == "2Gi"
    assert container["securityContext"]["runAsNonRoot"] is True
    assert pod["spec"]["securityContext"]["runAsUser"] == 10001


def recipe():
    return (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8")


def copied_into_the_image():
    """Return what .dockerignore lets through."""
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    return {line[1:] for line in ignored if line.startswith("!")}


def test_a_server_installs_the_hashes_that_are_tested():
    held = PRODUCTION_LOCK.read_text(encoding="utf-8")
    assert held == production_lock()
    pins = {canonicalize_name(name) for name in re.findall(r"(?m)^([\w.-]+)==", held)}
    for name in pins - {"setuptools"}:
        needs = filter(None, map(Requirement, distribution(name).requires or []))
        missing = {one.name for one in needs if not one.marker or one.marker.evaluate({"extra": ""})}
        assert {canonicalize_name(one) for one in missing} <= pins, name
    assert "pytest" not in pins
    dependencies = "pip install --no-deps --require-hashes -r deploy/requirements.lock"
    package = "pip install --no-deps --no-build-isolation ."
    operate = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8").splitlines()
    installs = [line.partition("/bin/")[2] for line in operate if line.startswith("/opt/secscore/bin/pip")]
    assert installs == [dependencies, package]
    built = re.findall(r"/opt/secscore/bin/(pip install [^\\\n]*[^\\\s])", recipe())
    assert [re.sub(r" --no-cache-dir|/src/", "", line).replace("/src", ".") for line in built] == installs


def test_the_image_is_built_of_what_it_is_given_and_nothing_private(tmp_path):
    copied = copied_into_the_image()
    assert copied == {"deploy", "pyproject.toml", "README.md", "secscore_pipeline"}
    source, there = tmp_path / "src", tmp_path / "there"
    source.mkdir()
    for name in copied:
        copy = (
            partial(shutil.copytree, ignore=shutil.ignore_patterns("__pycache__"))
            if (ROOT / name).is_dir()
            else shutil.copy
        )
        copy(ROOT / name, source / name)
    (line,) = re.findall(r"/opt/secscore/bin/pip (install .* /src)\n", recipe())
    arguments = line.replace("/src", str(source)).split()
    options = ["--disable-pip-version-check", "--no-index", "--target", str(there)]
    subprocess.run([sys.executable, "-m", "pip", *arguments, *options], check=True, capture_output=True)
    package = {
        path.relative_to(ROOT) for path in (ROOT / "secscore_pipeline").rglob("*") if path.suffix in (".py", ".sql")
    }
    assert {path for path in package if not (there / path).exists()} == set()


def test_a_daemon_that_would_let_several_runs_write_one_file_says_so(tmp_path):
    env = {**PATH, "HOME": str(tmp_path), "SECSCORE_PARALLEL_RUNS": "4"}
    command = [str(ROOT / "deploy" / "run"), "daemon"]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "runs-in-parallel" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_variable_of_the_cluster_is_read_by_something():
    known = {setting.name for setting in SETTINGS} | OTHERS
    (code,) = read("values.yaml")["dagster-user-deployments"]["deployments"]
    assert {variable["name"] for variable in code["env"]} <= known
    assert set(read("compose.yaml")["x-settings"]) <= known


@pytest.mark.needs("redis")
def test_the_compose_file_starts_what_the_tests_start(tmp_path, postgres_server):
    compose = read("compose.yaml")
    ours = {name: service for name, service in compose["services"].items() if service["image"] == "secscore"}
    cases = set(re.findall(r"^(\w+)\)", (ROOT / "deploy" / "run").read_text(encoding="utf-8"), re.MULTILINE))
    assert {service["command"][0] for service in ours.values()} == cases == set(ours)
    assert ours["worker"]["deploy"]["replicas"] >= 2
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (CLUSTER / source).exists(), volume
    with ExitStack() as stack:
        here = cluster(stack, tmp_path, postgres_server, {}).environment
    said_here = {name for name in here if name.startswith("SECSCORE_")} - {"SECSCORE_SCHEDULE"}
    assert said_here <= set(compose["x-settings"])
    wanted = {value["env"] for value in _environment_of(read("dagster.yaml"))}
    assert wanted <= set(compose["x-settings"])


def _environment_of(held):
    """Return every reference to a variable in an instance file."""
    if isinstance(held, dict):
        if set(held) == {"env"}:
            return [held]
        return [found for one in held.values() for found in _environment_of(one)]
    return [found for one in held for found in _environment_of(one)] if isinstance(held, list) else []
