"""A page in the browser: choose images and a mixer, and see mixes, masks, targets and the density of lambda.

    python examples/demo.py

Needs `pip install -e ".[demo]"`; runs on the CPU, with mixers that need no model.
"""

from functools import cache

import gradio as gr
import torch
from sklearn.datasets import load_digits, load_sample_images
from torch import Tensor
from torchvision.transforms.functional import center_crop, resize

import timm_multimix
from timm_multimix.errors import UsageError

MIXERS = ["mixup", "cutmix", "resizemix", "fmix", "gridmix", "smoothmix", "saliencymix", "multimix"]


@cache
def digits() -> tuple[Tensor, Tensor, list[str]]:
    """scikit-learn's handwritten digits."""
    found = load_digits()
    return torch.tensor(found.images[:, None]).float() / 16, torch.tensor(found.target), list("0123456789")


@cache
def photographs() -> tuple[Tensor, Tensor, list[str]]:
    """Crops of scikit-learn's two sample images."""
    pixels = [torch.tensor(image).permute(2, 0, 1) / 255 for image in load_sample_images().images]
    sides = range(240, 440, 20)
    crops = [resize(center_crop(image, [side, side]), [96, 96]) for side in sides for image in pixels]
    return torch.stack(crops).clamp(0, 1), torch.arange(len(crops)) % 2, ["temple", "flower"]


SOURCES = {"digits": digits, "photographs": photographs}


def show(source, spec, batch, steps, seed):
    """The figure of a preview, and the targets of the mixed examples as a table."""
    images, labels, names = SOURCES[source]()
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:batch]
    images, labels = images[chosen], labels[chosen]
    try:
        shown = timm_multimix.preview(spec, images, labels, class_names=names, examples=steps, seed=seed)
    except UsageError as error:
        raise gr.Error(str(error)) from None
    rows = []
    for panel in shown.panels:
        for number, sample in enumerate(panel.samples, 1):
            target = torch.zeros(len(names)).index_add(0, labels, sample.target)
            rows.append([panel.title, number, *(round(float(value), 3) for value in target)])
    return shown.figure, {"headers": ["mixer", "step", *names], "data": rows}


def make_page() -> gr.Blocks:
    """The page."""
    with gr.Blocks(title="timm-multimix") as page:
        gr.Markdown("# Mixed-sample augmentation\nA spec may combine mixers: `mixup | cutmix(alpha=0.5)`.")
        with gr.Row():
            source = gr.Dropdown(list(SOURCES), value="digits", label="images")
            spec = gr.Dropdown(MIXERS, value="cutmix", label="mixer spec", allow_custom_value=True)
            batch = gr.Slider(2, 20, value=8, step=1, label="images in a batch")
            steps = gr.Slider(1, 8, value=3, step=1, label="steps shown")
            seed = gr.Number(0, label="seed", precision=0)
        inputs = [source, spec, batch, steps, seed]
        outputs = [gr.Plot(label="mixes"), gr.Dataframe(label="targets")]
        gr.on([page.load, *(each.change for each in inputs)], show, inputs, outputs, api_name="show")
    return page


if __name__ == "__main__":
    make_page().launch()
