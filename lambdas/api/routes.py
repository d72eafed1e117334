"""Every route of the API, and the function that answers it. A function's module is imported by its first request: a
cold start pays for what it is asked, not for the keys, webhooks and characters that it is not."""

from typing import NamedTuple


class Route(NamedTuple):
    """`<name>` in the path is one segment, handed to the function by that name; `function` is `module.function`."""

    method: str
    path: str
    function: str


def _webhooks(base: str) -> tuple[Route, ...]:
    one = f"{base}/<webhook_id>"
    return (
        Route("POST", base, "webhooks.create"),
        Route("GET", base, "webhooks.list_webhooks"),
        Route("GET", one, "webhooks.retrieve"),
        Route("POST", one, "webhooks.update"),
        Route("DELETE", one, "webhooks.delete"),
        Route("POST", f"{one}/rotate_secret", "webhooks.rotate_secret"),
        Route("POST", f"{one}/test", "webhooks.test"),
        Route("GET", f"{one}/deliveries", "webhooks.deliveries"),
    )


def _trainings(one: str) -> tuple[Route, ...]:
    return (
        Route("GET", f"{one}/images", "characters.list_images"),
        Route("POST", f"{one}/images", "characters.review_images"),
        Route("POST", f"{one}/train", "characters.train_character"),
        Route("POST", f"{one}/cancel", "characters.cancel_character"),
        Route("GET", f"{one}/training", "characters.watch_training"),
        Route("GET", f"{one}/training/loss.svg", "characters.plot_training"),
        Route("GET", f"{one}/lora", "characters.download_lora"),
    )


ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/videos", "videos.create"),
    Route("GET", "/v1/videos", "videos.list_videos"),
    Route("GET", "/v1/videos/<video_id>", "videos.retrieve"),
    Route("DELETE", "/v1/videos/<video_id>", "videos.delete"),
    Route("GET", "/v1/videos/<video_id>/content", "videos.content"),
    Route("POST", "/v1/videos/<video_id>/cancel", "videos.cancel"),
    Route("POST", "/v1/videos/<video_id>/remix", "derived.remix"),
    Route("POST", "/v1/videos/edits", "derived.edit"),
    Route("POST", "/v1/videos/extensions", "derived.extend"),
    Route("POST", "/v1/videos/estimate", "models.estimate"),
    Route("POST", "/v1/videos/characters", "characters.create_character"),
    Route("GET", "/v1/videos/characters", "characters.list_characters"),
    Route("GET", "/v1/videos/characters/<character_id>", "characters.retrieve_character"),
    Route("DELETE", "/v1/videos/characters/<character_id>", "characters.delete_character"),
    *_trainings("/v1/videos/characters/<character_id>"),
    Route("POST", "/v1/uploads", "uploads.upload"),
    Route("GET", "/v1/models", "models.list_models"),
    Route("GET", "/v1/models/<model_id>", "models.retrieve_model"),
    Route("GET", "/v1/fleet", "fleet.fleet"),
    Route("GET", "/v1/fleet/history", "fleet.history"),
    Route("POST", "/v1/keys", "keys.create"),
    Route("GET", "/v1/keys", "keys.list_keys"),
    Route("GET", "/v1/keys/<key_id>", "keys.retrieve"),
    Route("POST", "/v1/keys/<key_id>", "keys.update"),
    Route("DELETE", "/v1/keys/<key_id>", "keys.revoke"),
    Route("GET", "/v1/keys/<key_id>/audit", "keys.audit"),
    *_webhooks("/v1/webhooks"),
    *_webhooks("/v1/webhook_endpoints"),  # where the openai SDK looks for them
    Route("GET", "/v1/webhook_event_types", "webhooks.event_types"),
    Route("GET", "/v1/openapi.json", "openapi_route.openapi"),
    Route("GET", "/v1/docs", "openapi_route.docs"),
)
