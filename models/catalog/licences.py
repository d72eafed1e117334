"""The licences of the catalog's models and what they allow.

Read for this catalog; not legal advice. Each record names the page where the operator finds the text.
"""

from collections.abc import Collection

from models.catalog.spec import Licence, ModelSpec
from models.catalog.violations import Refusal

APACHE_2 = Licence(
    name="Apache-2.0",
    url="https://www.apache.org/licenses/LICENSE-2.0",
    commercial_use="allowed",
)

TENCENT_HUNYUAN_COMMUNITY = Licence(
    name="Tencent Hunyuan Community License Agreement",
    url="https://github.com/Tencent-Hunyuan/HunyuanVideo/blob/main/LICENSE.txt",
    commercial_use="conditional",
    note=(
        "Commercial use is allowed outside the European Union, the United Kingdom and South Korea, where neither the "
        "model nor its output may be used. Above 100 million monthly active users a licence from Tencent is needed. "
        "Output may not be used to improve other AI models."
    ),
    excluded_territories=("European Union", "United Kingdom", "South Korea"),
)

COGVIDEOX = Licence(
    name="CogVideoX License",
    url="https://huggingface.co/zai-org/CogVideoX-5b/blob/main/LICENSE",
    commercial_use="conditional",
    note=(
        "Free for academic research. Commercial use needs a (free) registration with Zhipu AI for the basic commercial "
        "licence, which covers services of up to 1 million visits a month."
    ),
)

LTX_VIDEO_09 = Licence(
    name="LTX Video 0.9 RAIL-M",
    url="https://huggingface.co/Lightricks/LTX-Video/blob/main/ltx-video-2b-v0.9.license.txt",
    commercial_use="forbidden",
    note=(
        "The diffusers weights in the repository's root are version 0.9 (November 2024), whose RAIL-M licence is for "
        "research and academic use; Lightricks says that its videos may not be used commercially either "
        "(github.com/Lightricks/LTX-Video, issue 44). Versions differ: 0.9.5 came under "
        "OpenRAIL-M, which allows commercial use; from 0.9.6 on the LTXV Open Weights License 0.X allows it "
        "below US$10 million of annual revenue and asks for disclosure that the content was made by a machine."
    ),
)

HOLOCINE = Licence(
    name="CC BY-NC-SA 4.0",
    url="https://creativecommons.org/licenses/by-nc-sa/4.0/",
    commercial_use="forbidden",
    note=(
        "The reference code and the released weights are CC BY-NC-SA 4.0: non-commercial, share alike. The text "
        "encoder and VAE come from Wan 2.2 (Apache-2.0). The implementation here was written from a specification and "
        "carries the project's own licence; the weights keep theirs."
    ),
)

PROJECT = Licence(
    name="This project's licence",
    url="models/checkpoints/README.md",
    commercial_use="allowed",
    note="Trained by this project on scenes it draws itself; shipped with it.",
)


def licence_refusal(spec: ModelSpec, acknowledged: Collection[str]) -> Refusal | None:
    """Refuse a model whose licence forbids commercial use, unless the operator's settings acknowledge it.

    ``acknowledged`` holds the model ids the operator has taken responsibility for (a research deployment, or terms
    agreed with the licensor). Returns None where the model may run.
    """
    if spec.licence.commercial_use != "forbidden" or spec.id in acknowledged:
        return None
    return Refusal(
        code="licence_not_acknowledged",
        reason=(
            f"{spec.title} is under {spec.licence.name}, which does not allow commercial use. "
            f"The operator has to add {spec.id!r} to the acknowledged licences before it can run. {spec.licence.note}"
        ),
    )
