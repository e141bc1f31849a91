"""Sums, chains and steps that are left out, against the losses written out."""

import pytest
import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from tests.task.tasks import LABELS, images, small_model
from timm_multimix import MixTask, create_mixer
from timm_multimix.errors import UsageError
from timm_multimix.functional import HardPairs
from timm_multimix.mixers import Context, Mixer, register_mixer
from timm_multimix.mixers import registry as registry_module
from timm_multimix.randomness import draw_generator
from timm_multimix.sites.positions import dense_forward

X, Y = images(6, 8), LABELS % 4


def names(spec: str) -> list[str]:
    return [step.name for _, step in create_mixer(spec).branches]


def context(task: MixTask) -> Context:
    return Context(draw_generator(task.seed, task.step, torch.device("cpu")))


def mixers(task: MixTask) -> list[Mixer]:
    return list(task.choose_step(task.step).mixers)


def one_hot() -> Tensor:
    return nnf.one_hot(Y, 4).float()


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return -(targets * logits.log_softmax(-1)).sum(-1).mean()


def count_passes(model: nn.Module) -> list[int]:
    rows: list[int] = []
    model.register_forward_hook(lambda module, args, output: rows.append(len(output)))
    return rows


def check_gradients(task: MixTask, expected: Tensor) -> None:
    """The task's loss is `expected`, and so are its gradients."""
    parameters = list(task.trainable_module.parameters())
    wanted = torch.autograd.grad(expected, parameters)
    loss = task(X, Y)["loss"]
    torch.testing.assert_close(loss, expected)
    for ours, theirs in zip(torch.autograd.grad(loss, parameters), wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_a_sum_adds_the_losses_with_the_weights_as_written() -> None:
    model = small_model()
    task = MixTask(model, "0.5*none + 2*mixup(alpha=10)").train()
    _, mixup = mixers(task)
    draw = mixup.sample(X, context(task))
    expected = 0.5 * cross_entropy(model(X), one_hot()) + 2 * cross_entropy(
        model(draw(X)), draw.targets(one_hot())
    )
    check_gradients(task, expected)


@pytest.mark.parametrize(
    ("spec", "weights"),
    [
        ("none + 0.5*(0.3*mixup)", [1, 0.15]),
        ("none + 0.5*(0.3*mixup + 0.2*cutmix)", [1, 0.15, 0.1]),
        ("2*(0.5*(none)) + 3*mixup", [1, 3]),
    ],
)
def test_weights_in_parentheses_are_multiplied(spec: str, weights: list[float]) -> None:
    ((_, step),) = create_mixer(spec).branches
    assert [term.weight for term in step.terms] == pytest.approx(weights)


def test_terms_on_the_same_logits_share_a_pass() -> None:
    model = small_model()
    task = MixTask(model, "none + multimix(n=7, p=1) + 0.5*mixup(place='embedding')").train()
    rows = count_passes(model)
    output = task(X, Y)
    assert rows == [6]
    assert output["output"].shape == (6, 4)
    torch.testing.assert_close(output["target"], one_hot())


def test_an_input_mixer_beside_a_clean_term_costs_a_pass() -> None:
    model = small_model()
    rows = count_passes(model)
    MixTask(model, "none + mixup + multimix(p=1) + cutmix").train()(X, Y)
    assert rows == [6, 6, 6]


def test_a_chain_mixes_mixed_examples() -> None:
    model = small_model()
    task = MixTask(model, "cutmix >> multimix(n=9, m=4, p=1)").train()
    (cutmix, multimix), made = mixers(task), context(task)
    first = cutmix.sample(X, made)
    logits = model(first(X))
    weights = multimix.sample(logits, made).weights  # type: ignore[attr-defined]
    expected = cross_entropy(weights @ logits, weights @ first.targets(one_hot()))
    check_gradients(task, expected)


def test_a_chain_into_a_sum_shares_the_mixed_pass() -> None:
    model = small_model()
    task = MixTask(model, "mixup >> (none + 0.5*multimix(n=9, p=1, alpha=0.1))").train()
    (mixup, multimix), made = mixers(task), context(task)
    first = mixup.sample(X, made)
    logits, targets = model(first(X)), first.targets(one_hot())
    weights = multimix.sample(logits, made).weights  # type: ignore[attr-defined]
    expected = cross_entropy(logits, targets) + 0.5 * cross_entropy(weights @ logits, weights @ targets)
    rows = count_passes(model)
    check_gradients(task, expected)
    assert rows == [6]


def test_a_chain_through_a_hidden_layer_to_the_classifier() -> None:
    model = small_model()
    layer = next(name for name, module in model.named_modules() if isinstance(module, nn.Conv2d))
    task = MixTask(
        model, f"cutmix >> mixup(place='hidden', layers={layer!r}) >> multimix(n=5, m=2, p=1)"
    ).train()
    (cutmix, hidden, multimix), made = mixers(task), context(task)
    first = cutmix.sample(X, made)
    draws = []

    def mix(module: nn.Module, args: object, output: Tensor) -> Tensor:
        draws.append(hidden.sample(output, made))
        return draws[0](output)

    handle = model.get_submodule(layer).register_forward_hook(mix)
    logits = model(first(X))
    handle.remove()
    weights = multimix.sample(logits, made).weights  # type: ignore[attr-defined]
    targets = draws[0].targets(first.targets(one_hot()))
    check_gradients(task, cross_entropy(weights @ logits, weights @ targets))


def test_a_chain_to_the_positions() -> None:
    import timm

    torch.manual_seed(0)
    model = timm.create_model("test_convnext", num_classes=4)
    x = images(6, 64)
    task = MixTask(model, "mixup >> dense_multimix(n=5, p=1)").train()
    (mixup, dense), made = mixers(task), context(task)
    first = mixup.sample(x, made)
    seen = dense_forward(model, first(x), attention_grad=True)
    made.attention = seen.attended()
    weights = dense.sample(seen.positions.transpose(0, 1), made).weights  # type: ignore[attr-defined]
    expected = cross_entropy(weights @ seen.positions, weights @ first.targets(one_hot()))
    torch.testing.assert_close(task(x, Y)["loss"], expected)


@pytest.mark.parametrize("teacher", ["self", "module"])
def test_the_teacher_sees_clean_images_and_its_targets_are_mixed_by_both_draws(teacher: str) -> None:
    model, other = small_model(), small_model()
    torch.nn.init.normal_(next(other.parameters()))
    given = {"self": "self", "module": other}[teacher]
    task = MixTask(model, "mixup >> multimix(n=9, m=3, p=1)", distill=0.3, teacher=given).train()
    (mixup, multimix), made = mixers(task), context(task)
    first = mixup.sample(X, made)
    with torch.no_grad():
        taught = (model if teacher == "self" else other)(X).softmax(-1)
    logits = model(first(X))
    targets = first.targets(torch.lerp(one_hot(), taught, 0.3))
    weights = multimix.sample(logits, made).weights  # type: ignore[attr-defined]
    check_gradients(task, cross_entropy(weights @ logits, weights @ targets))


def test_alternatives_inside_sums_and_chains_are_combined() -> None:
    assert names("none + multimix") == ["none + multimix", "none + mixup"]
    assert names("mixup >> (0.5*none | 0.5*multimix(p=1))") == ["mixup", "mixup >> multimix"]
    weights = [weight for weight, _ in create_mixer("(0.25*none | 0.75*mixup) + multimix(p=0.4)").branches]
    assert weights == pytest.approx([0.1, 0.15, 0.3, 0.45])


def test_signs_bind_as_in_python() -> None:
    assert names("mixup >> none + multimix(p=1)") == ["mixup + mixup >> multimix"]
    assert names("none + mixup | cutmix") == ["none + mixup", "cutmix"]
    assert names("2*(none + 3*mixup) + cutmix") == ["2*none + 6*mixup + cutmix"]
    assert names("0.5*none + 0.5*multimix(p=1) | skip") == ["0.5*none + 0.5*multimix", "skip"]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("cutmix >> mixup", "deeper in the network than a, got cutmix at input >> mixup at input"),
        (
            "cutmix >> multimix",
            "mixup at input, an alternative of multimix | mixup; multimix has",
        ),
        ("multimix(p=1) >> mixup", "got multimix at embedding >> mixup at input"),
        ("multimix(p=1) >> dense_multimix(p=1)", "got multimix at embedding >> dense_multimix at positions"),
        ("mixup >> manifold_mixup", "mixup at input >> manifold_mixup at hidden"),
        ("alignmixup(p=1) >> dense_multimix(p=1)", "got alignmixup at features >> dense_multimix"),
        ("none + skip", "skip must be an alternative"),
        ("mixup >> skip", "skip must be an alternative"),
        ("0.5*cutmix >> multimix(p=1)", "a weight in a mixer spec must stand before an alternative"),
        ("per_sample(none + mixup)", "per_sample must be given mixers alone, got none + mixup"),
        ("per_sample(mixup | skip)", "per_sample must be given mixers alone, got skip"),
        ("mixup + ", "cannot read mixer spec"),
        (" + ".join(["multimix"] * 40), "at most 1000 combinations of alternatives"),
    ],
)
def test_combinations_that_are_refused_in_one_line(spec: str, told: str) -> None:
    with pytest.raises(UsageError) as error:
        create_mixer(spec)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("spec", ["none + mixup", "mixup >> multimix(p=1)", "0.5*mixup | 0.5*skip"])
def test_a_call_in_the_place_of_timms_mixup_takes_single_mixers(spec: str) -> None:
    with pytest.raises(UsageError, match="use MixTask"):
        create_mixer(spec, num_classes=4)(X, Y)


def test_hard_pairs_are_not_mixed_twice() -> None:
    criterion = HardPairs(nn.CrossEntropyLoss(reduction="none"))
    task = MixTask(small_model(), "mixup >> mixup(place='embedding')", criterion=criterion).train()
    with pytest.raises(UsageError, match="HardPairs must be given draws that mix two targets"):
        task(X, Y)


def test_mixers_that_are_written_twice_draw_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the entry point returns the same object each time."""
    monkeypatch.setattr(registry_module, "_entry_points", dict(registry_module._entry_points))
    mixup = create_mixer("mixup").branches[0][1].mixer
    once = Mixer("always_the_same", mixup.sample)

    @register_mixer
    def always_the_same() -> Mixer:
        return once

    model = small_model()
    rows = count_passes(model)
    MixTask(model, "always_the_same + always_the_same").train()(X, Y)
    assert rows == [6, 6]


def test_a_hidden_layer_beside_another_pass_is_refused_under_checkpointing() -> None:
    import timm

    model = timm.create_model("test_vit", num_classes=4, img_size=32, patch_size=8)
    model.set_grad_checkpointing()
    task = MixTask(model, "none + mixup(place='hidden', layers=1)").train()
    with pytest.raises(UsageError, match="must be in the only pass of a step under gradient checkpointing"):
        task(images(6, 32), Y)["loss"].backward()


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
def test_a_step_that_is_left_out_changes_nothing(optimizer: type[torch.optim.Optimizer]) -> None:
    """Parameters and momentum are those of a training that never saw the batch; randomness goes on."""

    def trained(mix: str, steps: list[int]) -> tuple[dict[str, Tensor], list[float]]:
        model = small_model()
        task = MixTask(model, mix).train()
        moving = {"momentum": 0.9} if optimizer is torch.optim.SGD else {}
        updates = optimizer(model.parameters(), lr=0.1, weight_decay=0.1, **moving)  # type: ignore[call-arg]
        losses = []
        for step in steps:
            task.step = step
            loss = task(images(6, 8, step), Y)["loss"]
            loss.backward()
            updates.step()
            updates.zero_grad()
            losses.append(loss.item())
        return model.state_dict(), losses

    task = MixTask(small_model(), "0.5*mixup | 0.5*skip")
    kept = [step for step in range(12) if not task.skips(step)]
    assert 0 < len(kept) < 12
    left_out, losses = trained("0.5*mixup | 0.5*skip", list(range(12)))
    expected, others = trained("mixup", kept)
    assert [losses[step] for step in kept] == others
    assert all(losses[step] == 0 for step in range(12) if step not in kept)
    for name, value in expected.items():
        torch.testing.assert_close(left_out[name], value, rtol=0, atol=0)


def test_a_loop_can_look_before_a_step_that_is_left_out() -> None:
    task = MixTask(small_model(), "0.5*mixup | 0.5*skip").train()
    foreseen = [task.skips(ahead) for ahead in range(20)]
    found = []
    for _ in range(20):
        output = task(X, Y)
        assert output["output"].shape == output["target"].shape
        found.append(len(output["output"]) == 0)
    assert found == foreseen
    assert 4 < sum(found) < 16
    assert not MixTask(small_model(), "mixup").skips()
