"""The one screen that `make run` shows when all is ready."""

from local.stack_file import StackFile

_TEMPLATE = """
Revalida Video is ready.

  API        {api_base}
  API key    {api_key}
  Console    {console}  (paste the API key)
  Bucket     {media_bucket}
  Event bus  {event_bus}
  Local AWS  {aws_endpoint}  (region {region}, any credentials)

curl:
  curl -s {api_base}/videos -H "Authorization: Bearer {api_key}" \\
    -H "Content-Type: application/json" -d '{{"model": "wan-mini", "prompt": "a red circle moves to the right"}}'

OpenAI SDK:
  OPENAI_BASE_URL={api_base} OPENAI_API_KEY={api_key} .venv/bin/python -c \\
    'import openai; videos = openai.OpenAI().videos; \\
     video = videos.create_and_poll(model="wan-mini", prompt="a blue square turns"); \\
     videos.download_content(video.id).write_to_file("video.mp4"); print(video.status)'

Drop folder:
  echo "a green triangle falls" > prompt.txt && AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test \\
    .venv/bin/aws --region {region} --endpoint-url {aws_endpoint} s3 cp prompt.txt s3://{media_bucket}/inbox/prompt.txt

Ctrl-C stops everything; jobs and videos are kept until `make clean-local`. Logs: {logs}
"""


def banner(stack: StackFile, *, logs: str) -> str:
    return _TEMPLATE.format(**stack.model_dump(), logs=logs)
