"""Run miniature/train.py as ComfyUI's own Python sees it; started by `python3 dev train-miniature`, never imported."""

import sys


def main(comfyui: str, miniature: str, arguments: list[str]) -> None:
    sys.path[:1] = [comfyui, miniature]  # in place of this folder, whose server.py would hide ComfyUI's
    import comfy.cli_args
    import torch

    comfy.cli_args.args.cpu = not torch.accelerator.is_available()  # before anything else of comfy asks for a device
    import train

    sys.argv = ["python3 dev train-miniature", *arguments]
    train.main()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
