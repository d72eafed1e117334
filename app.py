"""CDK entry point: `cdk deploy`, or `cdk synth -c profile=local` for the local differences in cdk.json."""

from typing import Any

from aws_cdk import App, Environment

from cdk.lambda_bundle import build_bundle
from cdk.nag import check_app
from cdk.settings import load_settings
from cdk.stack import VideoStack


class _Context(dict[str, Any]):
    """The app's context, looked up by key: cdk.json's and `-c` options alike."""

    def __init__(self, app: App) -> None:
        super().__init__()
        self._app = app

    def __missing__(self, key: str) -> Any:
        value = self._app.node.try_get_context(key)
        if value is None:
            raise KeyError(key)
        return value


def build(app: App) -> VideoStack:
    """The stack of `app`, by the settings in its context."""
    settings = load_settings(_Context(app), app.node.try_get_context("profile"))
    functions = settings.functions
    stack = VideoStack(
        app,
        settings.stack_name,
        settings=settings,
        lambda_bundle=str(build_bundle(functions.runtime, functions.architecture)),
        env=Environment(region=settings.region),
        description="Revalida Video: a self-hosted text-to-video studio",
        termination_protection=settings.data.deletion_protection,
    )
    check_app(app)
    return stack


if __name__ == "__main__":
    main_app = App()
    build(main_app)
    main_app.synth()
