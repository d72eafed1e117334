#!/usr/bin/env bash
# Builds the agent's artifact, and uploads it where the instances look for it when a bucket is named.
# Usage: build-agent.sh VERSION [BUCKET]
# The artifact holds code and every wheel: an instance asks no registry when it boots.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version="$1"
bucket="${2:-}"
output="dist/agent-${version}"

# The image's interpreter and machine (cdk.json: fleet.image_parameter is Ubuntu 24.04 on x86_64).
python_version=3.12
platforms=(--platform manylinux2014_x86_64)
for glibc in {39..17}; do # pip takes the tags that are named and no older ones
  platforms+=(--platform "manylinux_2_${glibc}_x86_64")
done

# What gpu_agent, jobs and models import; the versions are those of requirements.txt and requirements-gpu.txt.
packages=(boto3 aws-lambda-powertools pydantic pydantic-settings python-ulid pyyaml httpx psutil nvidia-ml-py torch diffusers
  transformers accelerate peft bitsandbytes flash-attn-4 nvidia-cudnn-frontend safetensors filelock sentencepiece protobuf ftfy numpy pillow imageio imageio-ffmpeg av)

rm -rf "${output}"
mkdir -p "${output}/content/wheels"
for package in "${packages[@]}"; do
  grep -hE "^${package}==" requirements.txt requirements-gpu.txt || {
    echo "neither requirements.txt nor requirements-gpu.txt pins ${package}" >&2
    exit 1
  }
done >"${output}/content/requirements.lock"

.venv/bin/python -m pip download --quiet --only-binary=:all: --implementation cp --python-version "${python_version}" \
  "${platforms[@]}" --dest "${output}/content/wheels" --requirement "${output}/content/requirements.lock"

git archive HEAD gpu_agent jobs models | tar --extract --directory "${output}/content"
# Wheels are compressed already: the fastest level.
tar --create --use-compress-program="gzip -1" --file "${output}/agent.tar.gz" --directory "${output}/content" .
(cd "${output}" && sha256sum agent.tar.gz >agent.tar.gz.sha256)
rm -rf "${output}/content"

if [[ -n "${bucket}" ]]; then
  for file in agent.tar.gz agent.tar.gz.sha256; do
    .venv/bin/aws s3 cp --only-show-errors "${output}/${file}" "s3://${bucket}/agent/${version}/${file}"
  done
fi
echo "${output}/agent.tar.gz"
