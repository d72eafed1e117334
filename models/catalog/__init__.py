"""The catalog of video models: pure data and checks, importable anywhere in milliseconds.

from models import catalog
spec = catalog.get("wan2.2-t2v-a14b")
catalog.check_frames(spec, 81)
"""

from models.catalog.arch import ArchSpec
from models.catalog.checks import (
    check_even_shots,
    check_fps,
    check_frames,
    check_guidance_scale,
    check_image,
    check_loras,
    check_prompt,
    check_prompt_length,
    check_shots,
    check_size,
    check_steps,
    frames_for_seconds,
    nearest_size,
    seconds_of,
)
from models.catalog.licences import licence_refusal
from models.catalog.registry import (
    all_models,
    continuing_model,
    get,
    register,
    register_file,
    register_module,
    unregister,
)
from models.catalog.spec import (
    Defaults,
    FrameRule,
    FusedLora,
    Licence,
    Limits,
    ModelSpec,
    Rounding,
    Size,
    SizeRule,
    WeightsSource,
    WeightsSpec,
)
from models.catalog.violations import CatalogError, DuplicateModel, Refusal, SpecViolation, UnknownModel

__all__ = [
    "ArchSpec",
    "CatalogError",
    "Defaults",
    "DuplicateModel",
    "FrameRule",
    "FusedLora",
    "Licence",
    "Limits",
    "ModelSpec",
    "Refusal",
    "Rounding",
    "Size",
    "SizeRule",
    "SpecViolation",
    "UnknownModel",
    "WeightsSource",
    "WeightsSpec",
    "all_models",
    "check_even_shots",
    "check_fps",
    "check_frames",
    "check_guidance_scale",
    "check_image",
    "check_loras",
    "check_prompt",
    "check_prompt_length",
    "check_shots",
    "check_size",
    "check_steps",
    "continuing_model",
    "frames_for_seconds",
    "get",
    "licence_refusal",
    "nearest_size",
    "register",
    "register_file",
    "register_module",
    "seconds_of",
    "unregister",
]
