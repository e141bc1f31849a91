"""Targets that are maps of labels [b, c, h, w]: every place gets the labels of what it shows."""

import itertools
from dataclasses import fields

import pytest
import torch
import torch.nn.functional as nnf

from timm_multimix import functional as F
from timm_multimix import list_mixers
from timm_multimix.functional.choose import Chosen
from timm_multimix.functional.draws import Composed, Identity
from timm_multimix.functional.puzzlemix import move_patches
from timm_multimix.mixers import Context, create_mixer

B, SIDE = 5, 8


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def label_maps(classes=3, side=SIDE):
    """One-hot maps [b, c, h, w] of random labels."""
    labels = torch.randint(classes, (B, side, side), generator=generator(9))
    return nnf.one_hot(labels, classes).permute(0, 3, 1, 2).float()


def images():
    return torch.rand(B, 3, SIDE, SIDE, generator=generator(1))


def slow_masked(maps, keep, partner):
    """Place by place: the share of the mask's pixels over it that is kept, on square maps of any size."""
    mixed, side = torch.empty_like(maps), maps.shape[-1]
    keep = keep.float().expand(B, 1, *keep.shape[-2:])
    for i, row, column in itertools.product(range(B), range(side), range(side)):
        if side <= SIDE:
            cell = SIDE // side
            over = keep[i, 0, row * cell : (row + 1) * cell, column * cell : (column + 1) * cell].mean()
        else:
            over = keep[i, 0, row * SIDE // side, column * SIDE // side]
        mixed[i, :, row, column] = (
            over * maps[i, :, row, column] + (1 - over) * maps[partner[i], :, row, column]
        )
    return mixed


@pytest.mark.parametrize("side", [SIDE, SIDE // 2, 2 * SIDE])
@pytest.mark.parametrize("function", [F.cutmix, F.fmix, F.gridmix, F.smoothmix])
def test_masks_mix_maps_place_by_place(function, side):
    maps = label_maps(side=side)
    for per_sample in (False, True):
        draw = function.draw(images(), per_sample=per_sample, generator=generator())
        expected = slow_masked(maps, draw.keep, draw.partner)
        torch.testing.assert_close(draw.targets(maps), expected)
    assert not torch.equal(draw.targets(maps), F.Pairs(draw.lam, draw.partner)(maps))


def test_boxes_leave_labels_hard():
    draw = F.cutmix.draw(images(), per_sample=True, generator=generator(3))
    assert set(draw.targets(label_maps().long()).unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("per_sample", [False, True])
def test_pairs_interpolate_maps(per_sample):
    maps, draw = label_maps(), F.mixup.draw(images(), per_sample=per_sample, generator=generator())
    for i, lam in enumerate(draw.lam.expand(B)):
        expected = lam * maps[i] + (1 - lam) * maps[draw.partner[i]]
        torch.testing.assert_close(draw.targets(maps)[i], expected)


def test_many_pairs_and_tuples_interpolate_maps():
    maps, many = label_maps(), F.multi_mixup.draw(images(), k=2, generator=generator())
    for j, i in itertools.product(range(2), range(B)):
        lam = many.lam[j, 0]
        expected = lam * maps[i] + (1 - lam) * maps[many.partner[i]]
        torch.testing.assert_close(many.targets(maps)[j * B + i], expected)
    for draw in (F.multimix.draw(images(), n=4, generator=generator()), F.zeta_mixup.draw(images())):
        for k, row in enumerate(draw.weights):
            expected = sum(weight * each for weight, each in zip(row, maps, strict=True))
            torch.testing.assert_close(draw.targets(maps)[k], expected)


def test_examples_that_keep_their_targets_keep_their_maps():
    maps = label_maps()
    for draw in (Identity(), F.sample_pairing.draw(images(), generator=generator())):
        assert draw.targets(maps) is maps


def test_a_resized_partner_brings_its_resized_map():
    maps, draw = label_maps(), F.resizemix.draw(images(), (0.4, 0.8), True, generator=generator())
    boxes = torch.stack([draw.top, draw.left, draw.height, draw.width]).T.tolist()
    for i, (top, left, height, width) in enumerate(boxes):
        patch = maps[draw.partner[i] : draw.partner[i] + 1]
        patch = nnf.interpolate(patch, (height, width), mode="bilinear", antialias=True)[0]
        expected = maps[i].clone()
        expected[:, top : top + height, left : left + width] = patch
        torch.testing.assert_close(draw.targets(maps)[i], expected)


def test_patches_that_move_take_their_labels_along():
    maps, saliency = label_maps(), torch.rand(B, SIDE, SIDE, generator=generator(2))
    options = {"grid": 4, "transport_grid": 4, "transport_cost": 0.0}
    draw = F.puzzlemix.draw(images(), saliency, **options, generator=generator())
    own, other = (
        move_patches(part, sources)
        for part, sources in zip((maps, maps[draw.partner]), draw.sources, strict=True)
    )
    keep = draw.keep.float()
    torch.testing.assert_close(draw.targets(maps), keep * own + (1 - keep) * other)
    assert not torch.equal(own, maps)


@pytest.mark.parametrize("side", [SIDE, SIDE // 2])
def test_cells_of_a_mosaic_show_their_labels(side):
    maps, saliency = label_maps(side=side), torch.rand(B, SIDE, SIDE, generator=generator(2))
    draw = F.co_mixup.draw(images(), saliency, grid=4, generator=generator())
    cell, mixed = side // 4, draw.targets(maps)
    for k, row, column in itertools.product(range(B), range(side), range(side)):
        shown = [part[k, row // cell, column // cell] for part in (draw.first, draw.second)]
        expected = (maps[shown[0], :, row, column] + maps[shown[1], :, row, column]) / 2
        torch.testing.assert_close(mixed[k, :, row, column], expected)


def test_tokens_bring_their_labels_whatever_their_score():
    maps, activation = label_maps(), torch.rand(B, 4, 4, generator=generator(2))
    draw = F.tokenmix.draw(images(), activation, generator=generator())
    expected = slow_masked(maps, draw.mask.keep, draw.mask.partner)
    torch.testing.assert_close(draw.targets(maps), expected)


def test_choices_and_chains_mix_maps_as_their_draws_do():
    maps = label_maps()
    first, second = (F.cutmix.draw(images(), per_sample=True, generator=generator(s)) for s in (0, 1))
    chosen = Chosen((first, Identity()), torch.tensor([0, 1, 0, 1, 0])).targets(maps)
    for i in range(B):
        assert torch.equal(chosen[i], first.targets(maps)[i] if i % 2 == 0 else maps[i])
    composed = Composed(first, second)
    assert torch.equal(composed.targets(maps), second.targets(first.targets(maps)))


def filled_context():
    """A context with every guide."""
    given = {
        "generator": generator(4),
        "gradient": torch.rand(B, 3, SIDE, SIDE),
        "features": torch.rand(B, 6, 4, 4),
        "activation": torch.rand(B, 4, 4),
        "evidence": torch.rand(B, 4, 4),
        "received": torch.rand(B, 4, 4),
        "labels": torch.arange(B),
    }
    return Context(**{each.name: given[each.name] for each in fields(Context) if each.name in given})


@pytest.mark.parametrize(
    "name",
    [name for name in list_mixers() if create_mixer(name).branches[0][1].mixer.place == "input"],
)
def test_labels_go_where_their_pixels_go(name):
    """Of every mixer of images: maps that are the images themselves come out as the mixed images."""
    x = images()
    draw = create_mixer(name).branches[0][1].mixer.sample(x, filled_context())
    torch.testing.assert_close(draw.targets(x), x if name == "sample_pairing" else draw(x))


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (
            F.alignmixup.draw(torch.rand(B, 4, 3)),
            r"targets must be \[b, c\], got maps of labels \[b, c, h, w\] for a draw of features",
        ),
        (F.Tuples(F.dense_weights(torch.rand(4, B), n=3)), "for a draw of tuples at every position"),
        (F.catch_up_mix.draw(torch.rand(B, 4, 3, 3)), "for a draw of channels of features"),
        (
            F.resizemix.draw(torch.rand(B, 3, 16, 12)),
            "must be of the images' size 16 x 12 for this draw, got 8 x 8",
        ),
        (
            F.puzzlemix.draw(torch.rand(B, 3, 16, 16), torch.rand(B, 16, 16)),
            "must be of the images' size 16 x 16 for this draw, got 8 x 8",
        ),
    ],
)
def test_maps_that_cannot_be_mixed_are_an_error(draw, said):
    with pytest.raises(ValueError, match=said):
        draw.targets(label_maps())
