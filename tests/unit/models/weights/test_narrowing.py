"""Float32 weights that are rounded on their way into the bucket: the same numbers as if agents had rounded them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import diffusers
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from models import catalog
from models.catalog import Rounding
from models.speed import fast_load
from models.weights.bucket import WeightsBucket
from models.weights.cache import WeightsCache
from models.weights.manifest import Manifest, sha256_of
from models.weights.narrowing import narrow
from models.weights.origins import FolderOrigin
from models.weights.pull import PulledFile, pull
from tests.unit.models.weights.support import BUCKET, ROOT, ROUNDED, SPEC

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EXPERTS = ("transformer", "transformer_2")
EXPERT = "transformer/diffusion_pytorch_model.safetensors"


@pytest.fixture
def rounded(published: Path, bucket: WeightsBucket) -> Manifest:
    return pull(ROUNDED, FolderOrigin(published), bucket, on_file=lambda file: None)


def test_given_float32_numbers_when_narrowed_then_they_are_rounded_as_torch_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    # Any bits, and ties to even, overflow to infinity, denormals.
    bits = torch.randint(-(2**31), 2**31, (1_000_003,), dtype=torch.int64).to(torch.int32)
    numbers = bits.view(torch.float32)
    edges = torch.tensor([1.00390625, 1.01171875, 3.4e38, -3.4e38, 1e-45, 0.0, -0.0, float("inf"), float("-inf")])
    tensors = {"odd": torch.cat([numbers[~numbers.isnan()], edges]), "empty": torch.zeros(0, 3)}
    save_file(tensors, tmp_path / "a.safetensors")

    assert narrow(tmp_path / "a.safetensors", tmp_path / "b.safetensors", keeps=())

    found = load_file(tmp_path / "b.safetensors")
    assert found["odd"].dtype == torch.bfloat16
    assert torch.equal(found["odd"].view(torch.int16), tensors["odd"].to(torch.bfloat16).view(torch.int16))
    assert found["empty"].shape == (0, 3)


def test_given_names_to_keep_and_other_types_then_only_the_rest_is_rounded(tmp_path: Path) -> None:
    tensors = {
        "blocks.0.norm2.weight": torch.randn(5),
        "blocks.0.norm20.weight": torch.randn(3, 3),
        "ids": torch.arange(3),
        "flags": torch.tensor([True, False, True]),
        "half": torch.randn(7).half(),
    }
    save_file(tensors, tmp_path / "a.safetensors", metadata={"format": "pt"})

    assert narrow(tmp_path / "a.safetensors", tmp_path / "b.safetensors", keeps=("norm2",))

    found = load_file(tmp_path / "b.safetensors")
    wanted = tensors | {"blocks.0.norm20.weight": tensors["blocks.0.norm20.weight"].bfloat16()}
    assert {name: tensor.dtype for name, tensor in found.items()} == {n: t.dtype for n, t in wanted.items()}
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())
    with safe_open(tmp_path / "b.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}
    entries = fast_load.read_headers([tmp_path / "b.safetensors"])
    assert all(entry.begin % entry.dtype.itemsize == 0 for entry in entries.values())


def test_given_nothing_to_round_then_nothing_is_written(tmp_path: Path) -> None:
    save_file({"norm.weight": torch.randn(3), "w": torch.randn(3).bfloat16()}, tmp_path / "a.safetensors")

    assert not narrow(tmp_path / "a.safetensors", tmp_path / "b.safetensors", keeps=("norm",))
    assert not (tmp_path / "b.safetensors").exists()


def test_given_published_experts_in_float32_then_half_is_stored_and_agents_load_the_same_numbers(
    published: Path, bucket: WeightsBucket, rounded: Manifest, tmp_path: Path
) -> None:
    folder = WeightsCache(tmp_path, bucket).folder_of(ROUNDED)

    assert folder is not None
    assert folder.name == rounded.revision
    for expert in EXPERTS:
        at = f"{expert}/diffusion_pytorch_model.safetensors"
        assert (folder / at).stat().st_size < 0.7 * (published / at).stat().st_size
        assert numbers_of(folder / expert) == numbers_of(published / expert)
    other = "vae/diffusion_pytorch_model.safetensors"
    assert (folder / other).read_bytes() == (published / other).read_bytes()
    entry = next(file for file in rounded.files if file.path == EXPERT)
    assert entry.published_sha256 == sha256_of(published / EXPERT)


def numbers_of(folder: Path) -> dict[str, tuple[torch.dtype, bytes]]:
    """Of the network as a GPU's worker loads it."""
    cls: Any = diffusers.WanTransformer3DModel
    network = fast_load.load_network(cls, folder, dtype=torch.bfloat16, device=torch.device("cpu"))
    return {name: (t.dtype, t.view(torch.uint8).numpy().tobytes()) for name, t in network.state_dict().items()}


def test_given_a_set_that_was_brought_as_published_then_the_rounded_one_stands_beside_it_and_is_preferred(
    published: Path, bucket: WeightsBucket, s3: "S3Client", tmp_path: Path
) -> None:
    pinned = ROUNDED.weights.revision
    before = pull(SPEC, FolderOrigin(published), bucket, on_file=lambda file: None)
    told: list[PulledFile] = []
    after = pull(ROUNDED, FolderOrigin(published), bucket, on_file=told.append)
    assert [file.path for file in told if file.sent] == [f"{each}/{EXPERT.split('/')[1]}" for each in EXPERTS]

    # The same two sets as a pull from the Hub names them; the one as published is the newer.
    for manifest, revision in ((after, f"{pinned}-bf16"), (before, pinned)):
        renamed(s3, manifest, revision)

    folder = WeightsCache(tmp_path, bucket).folder_of(ROUNDED)
    assert folder is not None
    assert folder.name == f"{pinned}-bf16"


def renamed(s3: "S3Client", manifest: Manifest, revision: str) -> None:
    """The set is there under another revision, too."""
    at, to = (f"{ROOT}{manifest.model}/{each}/" for each in (manifest.revision, revision))
    for file in manifest.files:
        s3.copy({"Bucket": BUCKET, "Key": at + file.path}, BUCKET, to + file.path)
    body = manifest.model_copy(update={"revision": revision}).model_dump_json().encode()
    s3.put_object(Bucket=BUCKET, Key=f"{to}manifest.json", Body=body)


def roundings(family: str) -> list[Rounding]:
    specs = [spec for spec in catalog.all_models() if spec.family == family]
    return [source.rounding for spec in specs for source in spec.weights.sources if source.rounding]


def test_the_names_to_keep_are_those_that_diffusers_keeps_in_float32() -> None:
    kept = set(diffusers.WanTransformer3DModel._keep_in_fp32_modules) - {"rope"}  # it has no weights

    assert roundings("wan")
    assert all(set(rounding.keeps_float32) == kept for rounding in roundings("wan"))
    assert roundings("ltx")
    assert not diffusers.LTXVideoTransformer3DModel._keep_in_fp32_modules
    assert all(rounding.keeps_float32 == () for rounding in roundings("ltx"))
