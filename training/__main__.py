"""`python -m training <command>`: train the miniature models, evaluate them, put checkpoints together.

    reading    the text encoder                    -> <out>/text_encoder, <out>/tokenizer
    vae        the autoencoder                     -> <out>/vae
    denoiser   one expert of one task              -> <out>/high.safetensors or low.safetensors
    distil     the four-step LoRA                  -> <out>/high_noise.safetensors, low_noise.safetensors
    match      the same LoRA, taught further       -> as distil
    pack       trained parts -> models/checkpoints
    evaluate   figures of a shipped checkpoint, printed and written to its model card

On several GPUs start the same command under torchrun: every ten steps the processes average what they learned.
"""

import argparse
from importlib import import_module
from pathlib import Path

import torch

from training.trainers.run import RunOptions
from training.trainers.tasks import TASKS


def _options(arguments: argparse.Namespace) -> RunOptions:
    return RunOptions(
        out=arguments.out,
        minutes=arguments.minutes,
        steps=arguments.steps,
        seed=arguments.seed,
        device=arguments.device,
        compile=arguments.compile,
        workers=arguments.workers,
        learning_rate=arguments.learning_rate,
        batch_tokens=arguments.batch_tokens,
    )


def _reading(arguments: argparse.Namespace) -> None:
    from training.trainers import reading

    reading.train(_options(arguments))


def _vae(arguments: argparse.Namespace) -> None:
    from training.trainers import autoencoder

    autoencoder.train(_options(arguments), start_from=arguments.start_from, decoder_only=arguments.decoder_only)


def _denoiser(arguments: argparse.Namespace) -> None:
    from training.trainers import denoiser

    denoiser.train(
        TASKS[arguments.task],
        arguments.expert,
        _options(arguments),
        vae=arguments.vae,
        text=arguments.text / "text_encoder",
        start_from=arguments.start_from,
        layers=arguments.layers,
    )


def _four_steps(arguments: argparse.Namespace) -> None:
    trainer = import_module(f"training.trainers.{arguments.trainer}")
    trainer.train(
        _options(arguments),
        experts=arguments.experts,
        vae=arguments.vae,
        text=arguments.text / "text_encoder",
        shift=arguments.shift,
        lora=arguments.lora,
    )


def _pack(arguments: argparse.Namespace) -> None:
    from training import pack

    if arguments.what == "lora":
        print(pack.pack_lora(arguments.experts))
    elif arguments.what == "holocine":
        print(pack.pack_holocine(experts=arguments.experts, vae=arguments.vae, text=arguments.text))
    else:
        print(pack.pack_stock(arguments.what, experts=arguments.experts, vae=arguments.vae, text=arguments.text))


def _evaluate(arguments: argparse.Namespace) -> None:
    from training.evaluation import report

    # The stock pipelines in float32, or with the matrix products in bf16, which is far faster on a CPU that has them.
    with torch.autocast(arguments.device, torch.bfloat16, enabled=arguments.bf16):
        print(report.evaluate(arguments.checkpoint, arguments.count, arguments.device, write=arguments.write))


def _add_run(parser: argparse.ArgumentParser, *, minutes: float, learning_rate: float) -> None:
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=minutes, help="length of the run")
    parser.add_argument("--steps", type=int, default=1_000_000, help="end after so many steps, if that comes first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--learning-rate", type=float, default=learning_rate)
    parser.add_argument("--batch-tokens", type=int, help="video tokens of a batch and process, for denoisers")
    parser.add_argument("--no-compile", dest="compile", action="store_false")


def _add_parts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--vae", type=Path, required=True, help="folder of the trained autoencoder")
    parser.add_argument("--text", type=Path, required=True, help="folder of text_encoder/ and tokenizer/")


def _add_four_steps(parser: argparse.ArgumentParser, *, trainer: str, lora_required: bool) -> None:
    _add_parts(parser)
    parser.add_argument("--experts", type=Path, required=True, help="folder of high.safetensors and low.safetensors")
    parser.add_argument("--lora", type=Path, required=lora_required, help="folder of a LoRA to go on from")
    parser.add_argument("--shift", type=float, help="of the four steps' schedule, if not the shipped model's")
    parser.set_defaults(run=_four_steps, trainer=trainer)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(required=True)
    reading = commands.add_parser("reading")
    _add_run(reading, minutes=2, learning_rate=2e-3)
    reading.set_defaults(run=_reading)
    vae = commands.add_parser("vae")
    _add_run(vae, minutes=8, learning_rate=1.5e-3)
    vae.add_argument("--start-from", type=Path)
    vae.add_argument("--decoder-only", action="store_true")
    vae.set_defaults(run=_vae)
    denoiser = commands.add_parser("denoiser")
    _add_run(denoiser, minutes=15, learning_rate=1e-3)
    _add_parts(denoiser)
    denoiser.add_argument("--start-from", type=Path, help="continue from this file")
    denoiser.add_argument("--layers", type=int, help="blocks, if not as many as the checkpoint's size has")
    denoiser.add_argument("--task", choices=sorted(TASKS), required=True)
    denoiser.add_argument("--expert", choices=("high", "low"), required=True)
    denoiser.set_defaults(run=_denoiser)
    distil = commands.add_parser("distil")
    _add_run(distil, minutes=4, learning_rate=1e-3)
    _add_four_steps(distil, trainer="distil", lora_required=False)
    match = commands.add_parser("match")
    _add_run(match, minutes=5, learning_rate=2e-4)
    _add_four_steps(match, trainer="match", lora_required=True)
    pack = commands.add_parser("pack")
    pack.add_argument("what", choices=("t2v", "i2v", "holocine", "lora"))
    pack.add_argument("--experts", type=Path, required=True)
    _add_parts(pack)
    pack.set_defaults(run=_pack)
    evaluate = commands.add_parser("evaluate")
    evaluate.add_argument("checkpoint", choices=("wan-mini", "wan-mini-i2v", "holocine-mini", "wan-mini-4step"))
    evaluate.add_argument("--count", type=int, default=200, help="held-out prompts (holocine: of each number of shots)")
    evaluate.add_argument("--device", default="cpu")
    evaluate.add_argument("--bf16", action="store_true", help="matrix products in bf16 instead of float32")
    evaluate.add_argument("--no-write", dest="write", action="store_false", help="leave the model card alone")
    evaluate.set_defaults(run=_evaluate)
    return parser


def main() -> None:
    """Run one command."""
    arguments = build_parser().parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
