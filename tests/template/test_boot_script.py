"""The boot script, executed as far as a machine without GPU and systemd allows: in a scratch root."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from cdk.fleet import boot_script
from tests.template.conftest import REPOSITORY, Synthesis

BOOT = REPOSITORY / "cdk" / "boot" / "boot.sh"
USER_DATA_LIMIT_BYTES = 16_384  # docs.aws.amazon.com/AWSEC2, "Run commands at launch": before base64


def bash(root: Path, command: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"source {BOOT}; {command}"],
        env={**os.environ, "ROOT": str(root), "PATH": path or os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """A stand-in for S3: `aws s3 cp` copies from this folder. Holds an agent without dependencies."""
    store = tmp_path / "store" / "agent" / "9.9"
    store.mkdir(parents=True)
    content = tmp_path / "content"
    (content / "wheels").mkdir(parents=True)
    (content / "gpu_agent").mkdir()
    (content / "gpu_agent" / "__main__.py").write_text("print('agent')\n")
    (content / "requirements.lock").write_text("")
    with tarfile.open(store / "agent.tar.gz", "w:gz") as archive:
        for name in ("wheels", "gpu_agent", "requirements.lock"):
            archive.add(content / name, arcname=name)
    digest = hashlib.sha256((store / "agent.tar.gz").read_bytes()).hexdigest()
    (store / "agent.tar.gz.sha256").write_text(f"{digest}  agent.tar.gz\n")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "aws").write_text(f'#!/bin/bash\ncp "{tmp_path}/store/${{4#s3://media/}}" "$5"\n')
    (tools / "aws").chmod(0o755)
    return tmp_path


def _install(artifact: Path) -> subprocess.CompletedProcess[str]:
    (artifact / "root" / "var" / "lib" / "revalida").mkdir(parents=True)
    return bash(artifact / "root", "install_agent 9.9 media", f"{artifact / 'tools'}:{os.environ['PATH']}")


def test_given_the_script_when_checked_then_shellcheck_is_content() -> None:
    scripts = [BOOT, *sorted((REPOSITORY / "scripts").glob("*.sh")), REPOSITORY / ".ci" / "run"]
    shellcheck = Path(sys.executable).with_name("shellcheck")

    checked = subprocess.run([shellcheck, *scripts], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout


def test_given_an_artifact_when_installed_then_the_agent_runs_from_its_own_environment(artifact: Path) -> None:
    installed = _install(artifact)

    assert installed.returncode == 0, installed.stderr
    application = artifact / "root" / "opt" / "revalida"
    ran = subprocess.run(
        [application / "venv" / "bin" / "python", "-m", "gpu_agent"],
        cwd=application,
        env={**os.environ, "PYTHONPATH": ""},  # not the agent of the tree that the tests run in
        capture_output=True,
        text=True,
    )
    assert ran.stdout == "agent\n"


def test_given_a_damaged_artifact_when_installed_then_nothing_is_unpacked(artifact: Path) -> None:
    archive = artifact / "store" / "agent" / "9.9" / "agent.tar.gz"
    archive.write_bytes(archive.read_bytes() + b"x")

    installed = _install(artifact)

    assert installed.returncode != 0
    assert "checksum does not match" in installed.stderr
    assert not (artifact / "root" / "opt" / "revalida").exists()


def test_given_a_machine_when_the_whole_script_runs_then_the_agent_is_installed_and_started_last(
    artifact: Path,
) -> None:
    """Disks, users and systemd are stood in for by programs that note how they are called."""
    root, calls = artifact / "root", artifact / "calls"
    (root / "etc").mkdir(parents=True)
    environment = "REVALIDA_AGENT_VERSION='9.9'\nREVALIDA_MEDIA_BUCKET='media'\n"
    (root / "etc" / "revalida-agent.env").write_text(environment)
    for name, answer in {"lsblk": """echo '{"blockdevices": []}'""", "mountpoint": "exit 1", "id": "exit 1"}.items():
        _stand_in(artifact / "tools" / name, answer)
    for name in ("systemctl", "useradd", "chown"):
        _stand_in(artifact / "tools" / name, f'echo {name} "$1" >> {calls}')

    booted = bash(root, "main", f"{artifact / 'tools'}:{os.environ['PATH']}")

    assert booted.returncode == 0, booted.stderr
    assert booted.stdout.splitlines()[-1] == "revalida-boot: ready"
    assert (root / "opt/revalida/.version").read_text() == "9.9\n"
    assert (root / "etc/systemd/system/revalida-agent.service").exists()
    assert calls.read_text().splitlines()[-4:] == [
        "useradd --system",
        "chown -R",
        "systemctl daemon-reload",
        "systemctl enable",
    ]


def _stand_in(program: Path, lines: str) -> None:
    program.write_text(f"#!/bin/bash\n{lines}\n")
    program.chmod(0o755)


STORE = "Amazon EC2 NVMe Instance Storage"
ROOT_DISK: dict[str, object] = {"name": "nvme0n1", "model": "Amazon Elastic Block Store", "children": [{}]}


def _mounted(tmp_path: Path, disks: list[dict[str, object]], *, by_image: bool) -> tuple[str, list[str]]:
    """What the script says, and the programs it has called, on a machine with these disks."""
    root, tools, calls = tmp_path / "root", tmp_path / "tools", tmp_path / "calls"
    tools.mkdir()
    (tmp_path / "disks.json").write_text(json.dumps({"blockdevices": [ROOT_DISK, *disks]}))
    mounted = root / "opt/dlami/nvme" if by_image else "nowhere"
    for name, lines in {
        "lsblk": f"cat {tmp_path}/disks.json",
        "mountpoint": f'[[ "$2" == "{mounted}" ]]',
        "systemctl": "echo active",
        "mkfs.ext4": f'echo mkfs.ext4 "${{@: -1}}" >> {calls}',
        "mount": f'echo mount "$@" >> {calls}',
    }.items():
        _stand_in(tools / name, lines)
    done = bash(root, "mount_state", f"{tools}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    return done.stdout, calls.read_text().splitlines() if calls.exists() else []


def test_given_an_image_that_has_mounted_the_instance_store_then_the_weights_go_there(tmp_path: Path) -> None:
    """AWS's Deep Learning AMI does: a volume over all disks, at /opt/dlami/nvme."""
    taken: dict[str, object] = {"name": "nvme1n1", "model": STORE, "fstype": "LVM2_member", "children": [{}]}

    _, calls = _mounted(tmp_path, [taken], by_image=True)

    store = tmp_path / "root/opt/dlami/nvme/revalida"
    assert calls == [f"mount --bind {store} {tmp_path}/root/var/lib/revalida"]
    assert store.is_dir()


def test_given_an_instance_store_that_nobody_has_formatted_then_it_is_formatted_and_mounted(tmp_path: Path) -> None:
    free: dict[str, object] = {"name": "nvme1n1", "model": STORE, "fstype": None}

    _, calls = _mounted(tmp_path, [free], by_image=False)

    assert calls == ["mkfs.ext4 /dev/nvme1n1", f"mount -o noatime /dev/nvme1n1 {tmp_path}/root/var/lib/revalida"]


def test_given_no_instance_store_then_the_root_volume_serves_and_the_log_says_so(tmp_path: Path) -> None:
    said, calls = _mounted(tmp_path, [], by_image=False)

    assert (calls, "weights go to the root volume" in said) == ([], True)


def test_given_a_machine_when_the_unit_is_written_then_restarts_are_limited_and_a_stop_has_time(tmp_path: Path) -> None:
    assert bash(tmp_path, "write_unit").returncode == 0

    unit = (tmp_path / "etc/systemd/system/revalida-agent.service").read_text().splitlines()
    assert "Restart=on-failure" in unit
    assert "StartLimitBurst=5" in unit
    assert "TimeoutStopSec=110" in unit  # below the two minutes of a Spot notice
    for setting in ("REVALIDA_SCRATCH_DIR", "REVALIDA_WEIGHTS_DIR"):  # on the instance store, where there is one
        assert any(line.startswith(f"Environment={setting}=/var/lib/revalida/") for line in unit)


def test_given_a_machine_when_the_unit_is_written_then_temporary_files_go_to_the_instance_store_too(
    tmp_path: Path,
) -> None:
    """Denoisers that stream from the disk write tens of GiB of them. Python passes over a TMPDIR that is not there."""
    assert bash(tmp_path, "write_unit").returncode == 0

    unit = (tmp_path / "etc/systemd/system/revalida-agent.service").read_text()
    (folder,) = re.findall(r"^Environment=TMPDIR=(/var/lib/revalida/.+)$", unit, re.MULTILINE)
    assert (tmp_path / folder[1:]).is_dir()


@pytest.fixture
def telemetry(tmp_path: Path) -> dict[str, Any]:
    """What the CloudWatch agent is told. Its control program is stood in for by one that keeps that."""
    control = tmp_path / "opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"
    control.parent.mkdir(parents=True)
    control.write_text(f'#!/bin/bash\necho "$@" > {tmp_path}/told\n')
    control.chmod(0o755)
    (tmp_path / "etc").mkdir()

    assert bash(tmp_path, "REVALIDA_LOG_GROUP=/ec2/here start_telemetry").returncode == 0

    told = (tmp_path / "told").read_text().split()[-1]
    assert told == f"file:{tmp_path}/etc/revalida-telemetry.json"
    return dict(json.loads((tmp_path / "etc/revalida-telemetry.json").read_text()))


def test_given_a_cloudwatch_agent_when_started_then_it_gets_the_gpu_metrics_that_the_dashboard_shows(
    telemetry: dict[str, Any], production: Synthesis
) -> None:
    config = telemetry["metrics"]
    assert [] in config["aggregation_dimensions"]
    assert config["append_dimensions"] == {"InstanceId": "${aws:InstanceId}"}
    written = {f"nvidia_smi_{name}" for name in config["metrics_collected"]["nvidia_gpu"]["measurement"]}
    (board,) = production.of_type("AWS::CloudWatch::Dashboard").values()
    shown = set(re.findall(r"nvidia_smi_\w+", json.dumps(board)))
    assert shown
    assert shown <= written
    assert config["namespace"] in json.dumps(board)


def test_given_a_cloudwatch_agent_when_started_then_the_agents_log_goes_where_the_role_may_write(
    telemetry: dict[str, Any], tmp_path: Path, production: Synthesis
) -> None:
    assert bash(tmp_path, "write_unit").returncode == 0
    unit = (tmp_path / "etc/systemd/system/revalida-agent.service").read_text()
    (file,) = re.findall(r"^StandardOutput=append:(.+)$", unit, re.MULTILINE)
    assert file in (tmp_path / "etc/logrotate.d/revalida-agent").read_text()

    collected = telemetry["logs"]["logs_collected"]["files"]["collect_list"]
    streams = {one["file_path"]: (one["log_group_name"], one["log_stream_name"]) for one in collected}
    assert streams[file] == ("/ec2/here", "{instance_id}")
    assert len(set(streams.values())) == len(streams)

    (template,) = production.of_type("AWS::EC2::LaunchTemplate").values()
    (name,) = set(re.findall(r"REVALIDA_LOG_GROUP='([^']+)'", json.dumps(template)))
    groups = production.of_type("AWS::Logs::LogGroup")
    (group,) = [key for key, one in groups.items() if one["LogGroupName"] == name]
    statements = [
        statement
        for policy in production.of_type("AWS::IAM::Policy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if group in json.dumps(statement["Resource"])
    ]
    assert {"logs:CreateLogStream", "logs:PutLogEvents"} <= {each for one in statements for each in one["Action"]}


def test_given_an_image_without_the_agent_when_started_then_the_boot_goes_on(tmp_path: Path) -> None:
    started = bash(tmp_path, "start_telemetry")

    assert (started.returncode, "logs stay here" in started.stdout) == (0, True)


def test_given_settings_with_quotes_in_them_when_user_data_runs_then_bash_reads_them_back(tmp_path: Path) -> None:
    user_data = boot_script({"REVALIDA_INSTANCE_TYPES": '["g5.12xlarge", "g6.12xlarge"]'})
    written = user_data.split("<<'ENVIRONMENT'\n")[1].split("ENVIRONMENT\n")[0]
    (tmp_path / "agent.env").write_text(written)

    read = subprocess.run(
        ["bash", "-c", f'source {tmp_path}/agent.env; printf %s "$REVALIDA_INSTANCE_TYPES"'],
        capture_output=True,
        text=True,
        check=True,
    )

    assert read.stdout == '["g5.12xlarge", "g6.12xlarge"]'


def test_given_the_user_data_when_measured_then_ec2_takes_it() -> None:
    assert len(boot_script({f"REVALIDA_{number}": "x" * 80 for number in range(20)})) < USER_DATA_LIMIT_BYTES
