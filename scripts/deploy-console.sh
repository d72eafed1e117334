#!/usr/bin/env bash
# Puts console/dist into the deployed stack's console bucket, and has CloudFront forget the old pages.
# Usage: deploy-console.sh [STACK]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

stack="${1:-RevalidaVideo}"
aws=.venv/bin/aws

output() {
  "${aws}" cloudformation describe-stacks --stack-name "${stack}" --output text \
    --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue"
}

bucket="$(output ConsoleBucket)"
if [[ -z "${bucket}" ]]; then
  echo "Stack ${stack} has no ConsoleBucket: deploy it with 'console': true in cdk.json first." >&2
  exit 1
fi
# Files named by their content first, the pages that name them last: no visitor meets a page without its files.
"${aws}" s3 sync console/dist/assets "s3://${bucket}/assets" --cache-control "public, max-age=31536000, immutable"
"${aws}" s3 sync console/dist "s3://${bucket}" --exclude "assets/*" --exclude ".built" --exclude "manifest.json" \
  --cache-control "no-cache"
"${aws}" cloudfront create-invalidation --distribution-id "$(output ConsoleDistribution)" --paths "/*" >/dev/null
echo "The console is at $(output ConsoleUrl)"
