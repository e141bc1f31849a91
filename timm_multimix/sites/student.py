"""The model with its places of mixing as one module, so that a distributed wrapper sees one forward pass."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial, reduce
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from ..functional import Composed, Draw, Identity
from ..functional.criteria import AnyCriterion, find_criterion
from ..functional.labels import as_values
from ..mixers import Context, Mixer, Step, Term
from ..mixers.mixer import Shown
from ..mixers.places import PLACES
from .affine_probe import warn_if_not_affine
from .attention import WatchedAttention
from .eval_mode import undisturbed
from .features import mix_features
from .gather import gather_rows
from .guides import compute_guide
from .inside import make_sites
from .outputs import as_logits
from .positions import Dense, dense_forward

__all__ = ["Mixed", "Student", "as_logits"]


class Mixed(NamedTuple):
    """The result of a training pass for one loss.

    Args:
        output: the model's logits, [rows, c].
        seen: the draw that mixed the examples inside the network.
        logits: logits to which `draw` is still to be applied, [rows, c] or [r, rows, c].
        draw: the draw after the network.
        gathered: whether `logits` and `draw` are of the examples of all processes.
    """

    output: Tensor
    seen: Draw
    logits: Tensor
    draw: Draw
    gathered: bool = False


class Pass(NamedTuple):
    """One run of the network: its logits, those at every position if needed, and the draw inside it."""

    logits: Tensor
    seen: Draw
    dense: Dense | None = None


class Student(nn.Module):
    """A model that can be run plainly, densely, or mixed at any place.

    Args:
        model: the model.
        mixers: all mixers that steps may have.
        criterion: the loss of the input gradient, for mixers guided by it.
    """

    def __init__(
        self, model: nn.Module, mixers: Iterable[Mixer], criterion: AnyCriterion = "softmax"
    ) -> None:
        super().__init__()
        self.criterion, mixers = criterion, tuple(mixers)
        original = getattr(model, "_orig_mod", None)
        self.model: nn.Module = model if original is None else original
        self.sites = make_sites(self.model, mixers)
        self._probed = False
        # Compiled callables stay out of the module tree: they would duplicate every parameter in state dicts.
        self._calls: dict[str, Callable[..., Any]] = {} if original is None else {"model": model}
        self._compile: Callable[..., Any] | None = None
        if original is not None:
            self._compile_parts(cast(Callable[..., Any], model.dynamo_ctx))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out compiled methods: a copy of one would be of this model, not of the copied one."""
        kept = {name: call for name, call in self._calls.items() if name == "model"}
        return self.__dict__ | {"_calls": kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Compile the methods of the copied model."""
        super().__setstate__(state)
        if self._compile is not None:
            self._compile_parts(self._compile)

    def compile_calls(self, **options: Any) -> nn.Module:
        """Compile the passes through the model, whose parameters keep their names; return the result."""
        if self.sites:
            # code compiled before for the same class of model has no hooks, and would be used again
            torch._dynamo.reset()
        compiled = cast(nn.Module, torch.compile(self.model, **options))
        self._calls["model"] = compiled
        self._compile_parts(partial(torch.compile, **options))
        return compiled

    def _compile_parts(self, compile: Callable[..., Any]) -> None:
        self._compile = compile
        for part in ("forward_features", "forward_head"):
            if hasattr(self.model, part):
                self._calls[part] = compile(getattr(self.model, part))

    def forward(
        self, images: Tensor, step: Step, generator: torch.Generator, labels: Tensor | None = None
    ) -> tuple[Mixed, ...]:
        """Mix as each term of the step says; labels are for mixers that need a guide.

        Terms with the same mixers in the network share one pass through it.
        """
        keys = [tuple(map(id, term.network)) for term in step.terms]
        for site in self.sites.values():
            site.begin(alone=len(set(keys)) == 1)
        self._probe(images, step)
        context = self._context(images, step, generator, labels)
        dense = {key for key, term in zip(keys, step.terms, strict=True) if _is_dense(term)}
        passes: dict[tuple[int, ...], Pass] = {}
        mixed = []
        for key, term in zip(keys, step.terms, strict=True):
            if key not in passes:
                passes[key] = self._run(images, term.network, key in dense, context)
            mixed.append(_mix_logits(passes[key], term.logits, context))
        return tuple(mixed)

    def draws(
        self, images: Tensor, step: Step, generator: torch.Generator, labels: Tensor | None = None
    ) -> tuple[Draw, ...]:
        """Return the draw of each of `step.mixers`, as `forward` makes it, without changing the model.

        The model is run only for mixers that need it. So the draws of hidden layers are made for the images,
        as are those of embeddings, which depend on their number alone.
        """
        with undisturbed(self.model, images.device):
            context = self._context(images, step, generator, labels)
            made: dict[int, Draw] = {}
            for term in step.terms:
                self._draw_chain(images, term.chain, context, made)
        return tuple(made[id(mixer)] for mixer in step.mixers)

    def _draw_chain(
        self, images: Tensor, chain: tuple[Mixer, ...], context: Context, made: dict[int, Draw]
    ) -> None:
        """Add the draws of mixers that have none yet, each for the result of those before it."""
        for mixer in chain:
            if id(mixer) not in made:
                made[id(mixer)] = self._draw(images, mixer, context)
            if mixer is not chain[-1]:
                images = made[id(mixer)](images)

    def _draw(self, images: Tensor, mixer: Mixer, context: Context) -> Draw:
        if mixer.place == "positions":
            return _draw_at_positions(mixer, self.dense(images), context)
        if mixer.place == "features":
            return self._mixed_features(images, mixer, context)[1]
        draw = mixer.sample(images, context)
        if mixer.complete is None:
            return draw
        output, attention = self._watched(draw(images), dense=False)
        return mixer.complete(draw, _shown(output, attention, context))

    def _context(
        self, images: Tensor, step: Step, generator: torch.Generator, labels: Tensor | None
    ) -> Context:
        """Return the context of the step's mixers: labels, and the guides of clean images that they need."""
        assumed = 1 if find_criterion(self.criterion).regression else None
        classes = getattr(self.model, "num_classes", assumed)
        context = Context(generator, None if labels is None else as_values(labels, classes))
        for guide in dict.fromkeys(guide for mixer in step.mixers for guide in mixer.guides):
            setattr(context, guide, compute_guide(guide, self.model, images, labels, self.criterion))
        return context

    @torch.compiler.disable
    def _probe(self, images: Tensor, step: Step) -> None:
        """At the first step that mixes logits, warn if that differs from mixing the classifier's input."""
        if not self._probed and any(term.logits is not None for term in step.terms):
            self._probed = True
            warn_if_not_affine(self.model, images)

    def _plain(self, images: Tensor) -> Tensor:
        return as_logits(self.model(images))

    def logits(self, images: Tensor) -> Tensor:
        """Return the ordinary logits [b, c]."""
        return as_logits(self._calls.get("model", self.model)(images))

    def dense(self, images: Tensor) -> Dense:
        """Return the ordinary logits, with those of every position."""
        features, head = self._calls.get("forward_features"), self._calls.get("forward_head")
        return dense_forward(self.model, images, attention_grad=True, features=features, head=head)

    # Not compiled itself, as each mixer and draw would recompile it; the model's parts that it calls are.
    @partial(torch.compiler.disable, recursive=False)
    def _run(self, images: Tensor, mixers: tuple[Mixer, ...], dense: bool, context: Context) -> Pass:
        """Run the network once, mixed by at most one mixer at each of its places."""
        at = {mixer.place: mixer for mixer in mixers}
        made: dict[str, Draw] = {}
        if first := at.get("input"):
            made["input"] = first.sample(images, context)
            images = made["input"](images)
        with ExitStack() as stack:
            points = {
                place: stack.enter_context(site.mixing(at[place], len(images), _sampling(at[place], context)))
                for place, site in self.sites.items()
                if place in at
            }
            output = self._outputs(images, at, dense, context, made)
        for place, point in points.items():
            assert point.draw is not None
            made[place] = point.draw
        draws = [made[place] for place in PLACES if place in made]
        seen = reduce(Composed, draws) if draws else Identity()
        return Pass(output.logits, seen, output) if isinstance(output, Dense) else Pass(output, seen)

    def _outputs(
        self, images: Tensor, at: Mapping[str, Mixer], dense: bool, context: Context, made: dict[str, Draw]
    ) -> Tensor | Dense:
        """Return what the network returns; a draw that is made by the pass itself goes into `made`."""
        first, features = at.get("input"), at.get("features")
        if first is not None and first.complete is not None:
            output, attention = self._watched(images, dense)
            made["input"] = first.complete(made["input"], _shown(output, attention, context))
            return output
        if features is not None:
            logits, made["features"] = self._mixed_features(images, features, context)
            return logits
        return self.dense(images) if dense else self.logits(images)

    def _mixed_features(self, images: Tensor, mixer: Mixer, context: Context) -> tuple[Tensor, Draw]:
        features, head = self._calls.get("forward_features"), self._calls.get("forward_head")
        output, draw = mix_features(
            self.model, images, lambda x: mixer.sample(x, context), features=features, head=head
        )
        return as_logits(output), draw

    @torch.compiler.disable
    def _watched(self, mixed: Tensor, dense: bool) -> tuple[Tensor | Dense, Tensor]:
        """Run the model, uncompiled, on mixed images and record its class attention [b, h, w]."""
        with WatchedAttention(self.model, mixed) as watched:
            model = partial(dense_forward, self.model, attention_grad=True) if dense else self._plain
            output = model(mixed)
        return output, watched.class_attention()


def _sampling(mixer: Mixer, context: Context) -> Callable[[Tensor], Draw]:
    return lambda x: mixer.sample(x, context)


def _shown(output: Tensor | Dense, attention: Tensor, context: Context) -> Shown:
    logits = output.logits if isinstance(output, Dense) else output
    return Shown(attention, logits, context.labels)


def _is_dense(term: Term) -> bool:
    return term.logits is not None and term.logits.place == "positions"


def _draw_at_positions(mixer: Mixer, dense: Dense, context: Context) -> Draw:
    context.attention = dense.attended(mixer.attention)
    return mixer.sample(dense.positions.transpose(0, 1), context)


def _mix_logits(run: Pass, mixer: Mixer | None, context: Context) -> Mixed:
    """Return what is still to be mixed after a pass, and the draw for it."""
    if mixer is None:
        return Mixed(run.logits, run.seen, run.logits, Identity())
    if mixer.place == "positions":
        assert run.dense is not None
        draw = _draw_at_positions(mixer, run.dense, context)
        return Mixed(run.logits, run.seen, run.dense.positions, draw)
    logits = gather_rows(run.logits) if mixer.gather else run.logits
    return Mixed(run.logits, run.seen, logits, mixer.sample(logits, context), mixer.gather)
