"""Hooks of the documentation site: a page for each mixer, copied pages, links out of docs/."""

import io
import posixpath
import re
from functools import cache
from pathlib import Path
from typing import Any

import timm
import torch
from mkdocs.structure.files import File, Files
from sklearn.datasets import load_sample_images
from torch import Tensor, nn

import timm_multimix
from timm_multimix.mixers.cards import Card, read_cards

ROOT = Path(__file__).resolve().parents[1]
COPIED = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
CREDIT = (
    "Photographs on these pages: scikit-learn's sample images china.jpg and flower.jpg, by "
    "[danielbuechele](https://www.flickr.com/photos/danielbuechele/) and "
    "[vultilion](https://www.flickr.com/photos/vultilion/), "
    "[CC BY 2.0](https://creativecommons.org/licenses/by/2.0/)."
)
CLASSES = ["temple", "flower"]
NETWORKS: dict[str, dict[str, Any]] = {"test_resnet": {}, "test_vit": {"img_size": 96}}
STEPS = 40
# mixing nothing shows nothing, and these two mix features of which there are no images
UNSHOWN = ("none", "alignmixup", "catch_up_mix")
GUIDED = "The preview's mixer uses a small network that was trained on crops of the two photographs."
CODE = re.compile(r"`[^`]+`")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made from the registry and from files outside of docs/."""
    cards = read_cards()
    pictures = {card.name: found for card in cards if (found := picture(card)) is not None}
    pages = {f"mixers/{card.name}.md": mixer_page(card, card.name in pictures) for card in cards}
    for name, content in pictures.items():
        files.append(File.generated(config, f"mixers/{name}.png", content=content))
    pages["mixers/index.md"] = mixers_index(cards)
    for source, target in COPIED.items():
        pages[target] = _moved((ROOT / source).read_text(encoding="utf-8"))
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links to files outside of docs/ to the repository, or make them text if it has no address."""

    def rewritten(match: re.Match[str]) -> str:
        image, text, target, anchor = match.groups()
        if image or "://" in target or target.startswith("mailto:"):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page.file.src_uri), target))
        if not path.startswith("../") and files.get_file_from_path(path):
            return match[0]
        inside = path.removeprefix("../") if path.startswith("../") else f"docs/{path}"
        if not (ROOT / inside).exists():
            raise FileNotFoundError(f"{page.file.src_uri} links to {target}, which does not exist")
        if not config.repo_url:
            return (
                text if text.startswith("`") else f"`{inside}`" if text == inside else f"{text} (`{inside}`)"
            )
        return f"[{text}]({config.repo_url.rstrip('/')}/blob/main/{inside}{anchor or ''})"

    return LINK.sub(rewritten, _unescape_code(markdown))


def _unescape_code(markdown: str) -> str:
    """Bars in code in tables without the backslash that GitHub's Markdown needs and this one shows."""
    lines = markdown.splitlines()
    shown = [CODE.sub(lambda m: m[0].replace("\\|", "|"), x) if x.startswith("|") else x for x in lines]
    return "\n".join(shown)


@cache
def examples() -> tuple[Tensor, Tensor]:
    """Crops [8, 3, 96, 96] of scikit-learn's two sample images, and which image each is of."""
    places = [(k, 60 * k + 100) for k in range(4)]
    crops = [
        image[:, 150 + 20 * k :, left:][:, :192:2, :192:2] for k, left in places for image in _photographs()
    ]
    return torch.stack(crops), torch.arange(len(crops)) % 2


@cache
def _photographs() -> list[Tensor]:
    """The two sample images [3, 427, 640], in 8 bits."""
    return [torch.tensor(image).permute(2, 0, 1) for image in load_sample_images().images]


@cache
def network(name: str) -> nn.Module:
    """A network of timm, trained on a few crops of the two photographs to tell one from the other.

    Mixers that are guided by a model need one that looks at something; published weights would be a download.
    """
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=len(CLASSES), **NETWORKS[name])
    mean, std = (torch.tensor(model.pretrained_cfg[key]).view(-1, 1, 1) for key in ("mean", "std"))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.train()
    for _ in range(STEPS):
        crops, labels = _random_crops(32)
        loss = nn.functional.cross_entropy(model((crops - mean) / std), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def _random_crops(count: int) -> tuple[Tensor, Tensor]:
    """Crops [count, 3, 96, 96] in [0, 1] at random places, of half the resolution, and their labels."""
    labels = torch.randint(len(CLASSES), (count,))
    places = torch.rand(count, 2)
    crops = []
    for label, place in zip(labels, places, strict=True):
        image = _photographs()[int(label)]
        top, left = (int(at * (side - 192)) for at, side in zip(place, image.shape[1:], strict=True))
        crops.append(image[:, top : top + 192 : 2, left : left + 192 : 2])
    return torch.stack(crops) / 255, labels


def needs_network(card: Card) -> bool:
    """Whether the preview of a mixer depends on a network."""
    return not card.needs.startswith("no model") and card.place != "hidden" and card.name != "per_sample"


def picture(card: Card) -> bytes | None:
    """The preview of a mixer, as PNG; None if there is nothing to show."""
    if card.name in UNSHOWN:
        return None
    spec = (
        f"{card.name}(p=1)" if any(each.name == "p" for each in card.arguments) else example(card).strip('"')
    )
    architecture = "test_vit" if "vision transformer" in card.needs else "test_resnet"
    model = network(architecture) if needs_network(card) else None
    shown = timm_multimix.preview(spec, *examples(), class_names=CLASSES, examples=3, model=model)
    content = io.BytesIO()
    shown.figure.savefig(content, format="png", dpi=80)
    return content.getvalue()


def mixer_page(card: Card, has_picture: bool) -> str:
    """A mixer: what it does, its arguments, cost and source."""
    parts = [f"# {card.name}", f"{card.title}.", f"```\ntimm-multimix train --mix {example(card)}\n```"]
    if has_picture:
        parts.append(f"![{card.name}: examples, partners, mixes and labels]({card.name}.png)")
        parts += [GUIDED] if needs_network(card) else []
    body = card.text.partition("\n\n")[2]
    parts += [body] if body else []
    facts = [
        ("Mixed at", card.place),
        ("Needs", card.needs),
        ("Extra cost of a step", card.cost),
        ("Paper", source(card)),
        *agreement_facts(card),
    ]
    rows = [f"| **{name}** | {value} |" for name, value in facts if value]
    parts.append("\n".join(["| | |\n|---|---|", *rows]))
    if card.arguments:
        rows = [f"| `{each.name}` | `{each.default}` | {each.meaning} |" for each in card.arguments]
        head = ["## Arguments", "", "| argument | default | meaning |", "|---|---|---|"]
        parts.append("\n".join([*head, *rows]))
    return "\n\n".join(parts) + "\n"


def agreement_facts(card: Card) -> list[tuple[str, str]]:
    """What the mixer was tested against."""
    found = card.agreement
    if found is None:
        return []
    departures = found.departures or "none known"
    return [("Agrees with", found.reference), ("Tested by", found.tested), ("Departures", departures)]


def mixers_index(cards: list[Card]) -> str:
    """All mixers, by the place where they mix."""
    parts = [
        "# Mixers",
        "A page for each: what it does, its arguments, what a step costs, and its paper.",
    ]
    for place in dict.fromkeys(card.place for card in cards):
        rows = [f"| [`{c.name}`]({c.name}.md) | {c.title} | {c.cost} |" for c in cards if c.place == place]
        parts.append(
            "\n".join([f"## Mixed at: {place}", "", "| mixer | | extra cost |", "|---|---|---|", *rows])
        )
    parts.append(CREDIT)
    return "\n\n".join(parts) + "\n"


def example(card: Card) -> str:
    """A spec that can be typed into a shell."""
    return '"per_sample(mixup | cutmix)"' if card.name == "per_sample" else card.name


def source(card: Card) -> str:
    """The paper, as a link where there is one."""
    return f"[{card.reference}]({card.paper})" if card.paper.startswith("http") else card.reference


def _moved(text: str) -> str:
    """The text of a file at the top of the repository, its links as seen from docs/."""
    return LINK.sub(lambda m: m[0] if "://" in m[3] else f"{m[1]}[{m[2]}](../{m[3]}{m[4] or ''})", text)
