# shellcheck shell=bash
# Turns a fresh Deep Learning AMI into a GPU worker. Expects /etc/revalida-agent.env to be written already.
# ROOT prefixes every path that is written, so that a test can run this in a scratch directory.
set -euo pipefail

ROOT="${ROOT:-}"
STATE_DIR="${ROOT}/var/lib/revalida"
APP_DIR="${ROOT}/opt/revalida"
ENV_FILE="${ROOT}/etc/revalida-agent.env"
# Weights that came with an own image (cdk/image.py): on the root volume, and read from there.
BAKED_DIR="${ROOT}/opt/revalida-weights"
# Where AWS's Deep Learning AMIs mount the instance store themselves, all of its disks as one volume.
IMAGE_STORE="${ROOT}/opt/dlami/nvme"
IMAGE_STORE_UNIT=dlami-nvme.service

log() { echo "revalida-boot: $*"; }

# The image's own unit comes before user data; for one that is late there is a minute.
wait_for_image_store() {
  local second
  for second in {1..60}; do
    [[ "$(systemctl is-active "${IMAGE_STORE_UNIT}" 2>/dev/null)" == activating ]] || return 0
    sleep 1
  done
  log "${IMAGE_STORE_UNIT} is not done after ${second} s"
}

# An instance store that the image has left alone: the first of its disks without a file system or partitions.
instance_store_device() {
  lsblk --json --output NAME,TYPE,FSTYPE,MODEL |
    python3 -c 'import json, sys
disks = json.load(sys.stdin)["blockdevices"]
print(next(("/dev/" + d["name"] for d in disks if "Instance Storage" in (d.get("model") or "")
            and not d.get("children") and not d.get("fstype")), ""))'
}

mount_state() {
  mkdir -p "${STATE_DIR}"
  if mountpoint --quiet "${STATE_DIR}"; then
    return
  fi
  wait_for_image_store
  if mountpoint --quiet "${IMAGE_STORE}"; then
    mkdir -p "${IMAGE_STORE}/revalida"
    mount --bind "${IMAGE_STORE}/revalida" "${STATE_DIR}"
    return
  fi
  local device
  device="$(instance_store_device)"
  if [[ -z "${device}" ]]; then
    log "no unformatted instance store: weights go to the root volume"
    return
  fi
  mkfs.ext4 -q -E nodiscard "${device}"
  mount -o noatime "${device}" "${STATE_DIR}"
}

# The artifact holds the agent's code and every wheel it needs: nothing is fetched from a registry at boot.
install_agent() {
  local version="$1" bucket="$2" archive="${STATE_DIR}/agent.tar.gz"
  if [[ "$(cat "${APP_DIR}/.version" 2>/dev/null)" == "${version}" ]]; then
    log "agent ${version} is on the image"
    return
  fi
  rm -rf "${APP_DIR}" # another version's
  aws s3 cp --only-show-errors "s3://${bucket}/agent/${version}/agent.tar.gz" "${archive}"
  aws s3 cp --only-show-errors "s3://${bucket}/agent/${version}/agent.tar.gz.sha256" "${archive}.sha256"
  (cd "${STATE_DIR}" && sha256sum --check --status agent.tar.gz.sha256) || {
    log "agent ${version}: checksum does not match" >&2
    return 1
  }
  mkdir -p "${APP_DIR}"
  tar --extract --gzip --file "${archive}" --directory "${APP_DIR}" --no-same-owner
  rm -f "${archive}"
  python3 -m venv "${APP_DIR}/venv"
  "${APP_DIR}/venv/bin/pip" install --quiet --no-index --find-links "${APP_DIR}/wheels" \
    --requirement "${APP_DIR}/requirements.lock"
  echo "${version}" > "${APP_DIR}/.version" # last: it says that all of it is there
}

# For an own image: the agent, and the weights of the models that are named, where link_baked_weights looks for them.
bake() {
  local version="$1" bucket="$2" model
  shift 2
  mkdir -p "${STATE_DIR}"
  install_agent "${version}" "${bucket}"
  for model in "$@"; do
    aws s3 cp --only-show-errors --recursive "s3://${bucket}/weights/${model}/" "${BAKED_DIR}/${model}/"
  done
}

# Where the agent looks for what it has fetched (models/weights/cache.py): baked revisions stand there, too.
link_baked_weights() {
  local revision fetched
  for revision in "${BAKED_DIR}"/*/*/; do
    [[ -f "${revision}manifest.json" ]] || continue # none, or one whose upload was not whole
    fetched="${STATE_DIR}/weights/fetched/$(basename "$(dirname "${revision}")")"
    mkdir -p "${fetched}"
    ln -sfn "${revision%/}" "${fetched}/$(basename "${revision}")"
  done
}

write_unit() {
  mkdir -p "${ROOT}/etc/systemd/system" "${STATE_DIR}/tmp"
  cat > "${ROOT}/etc/systemd/system/revalida-agent.service" <<'UNIT'
[Unit]
Description=Revalida GPU agent
After=network-online.target
Wants=network-online.target
# Five failed starts in ten minutes: stop trying, and let the planner see an instance without an agent.
StartLimitIntervalSec=600
StartLimitBurst=5

[Service]
Type=exec
User=revalida
WorkingDirectory=/opt/revalida
EnvironmentFile=/etc/revalida-agent.env
# The instance store where there is one. PrivateTmp is on the root volume, too small for weights.
Environment=REVALIDA_SCRATCH_DIR=/var/lib/revalida/scratch
Environment=REVALIDA_WEIGHTS_DIR=/var/lib/revalida/weights
# Denoisers that stream from the disk keep their blocks in temporary files: 53 GiB a slot for two experts of 14B.
Environment=TMPDIR=/var/lib/revalida/tmp
ExecStart=/opt/revalida/venv/bin/python -m gpu_agent
# Where the CloudWatch agent reads it: logs and metrics (lines of the embedded metric format) outlive the instance.
StandardOutput=append:/var/log/revalida-agent.log
Restart=on-failure
RestartSec=10
# Longer than a denoise step on the slowest supported card, so that a stop ends with a checkpoint.
TimeoutStopSec=110
KillSignal=SIGTERM
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ReadWritePaths=/var/lib/revalida

[Install]
WantedBy=multi-user.target
UNIT
  mkdir -p "${ROOT}/etc/logrotate.d"
  cat > "${ROOT}/etc/logrotate.d/revalida-agent" <<'ROTATION'
/var/log/revalida-agent.log {
  daily
  rotate 3
  copytruncate
  missingok
}
ROTATION
}

start_agent() {
  id revalida >/dev/null 2>&1 || useradd --system --home-dir /var/lib/revalida --shell /usr/sbin/nologin revalida
  chown -R revalida: /var/lib/revalida
  systemctl daemon-reload
  systemctl enable --now revalida-agent.service
}

# GPU utilisation, memory, heat and power, once a minute, under the stack's own namespace: of each GPU, of each instance,
# and of all of them together, which is what the dashboard shows. And the agent's log with the boot's, a stream each.
start_telemetry() {
  local control="${ROOT}"/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl
  if [[ ! -x "${control}" ]]; then
    log "no CloudWatch agent on this image: GPU metrics and the agent's logs stay here"
    return
  fi
  local config="${ROOT}/etc/revalida-telemetry.json"
  cat > "${config}" <<TELEMETRY
{"agent": {"metrics_collection_interval": 60},
 "logs": {"logs_collected": {"files": {"collect_list": [
  {"file_path": "/var/log/revalida-agent.log", "log_group_name": "${REVALIDA_LOG_GROUP:?}",
   "log_stream_name": "{instance_id}"},
  {"file_path": "/var/log/cloud-init-output.log", "log_group_name": "${REVALIDA_LOG_GROUP}",
   "log_stream_name": "{instance_id}/boot"}]}}},
 "metrics": {"namespace": "Revalida/Gpu", "append_dimensions": {"InstanceId": "\${aws:InstanceId}"},
 "aggregation_dimensions": [["InstanceId"], []],
 "metrics_collected": {"nvidia_gpu": {
  "measurement": ["utilization_gpu", "memory_used", "memory_total", "temperature_gpu", "power_draw"]}}}}
TELEMETRY
  "${control}" -a fetch-config -m ec2 -s -c "file:${config}"
}

main() {
  set -a
  # shellcheck disable=SC1090
  source "${ENV_FILE}"
  set +a
  mount_state
  install_agent "${REVALIDA_AGENT_VERSION:?}" "${REVALIDA_MEDIA_BUCKET:?}"
  link_baked_weights
  write_unit
  start_telemetry
  start_agent
  log "ready"
}

if [[ "${BASH_SOURCE[0]}" == "$0" ]]; then
  main "$@"
fi
