"""Names in specs, as they are known before the mixers are imported."""

import pytest

from timm_multimix import create_mixer, list_mixers, mixer_names
from timm_multimix.errors import UsageError
from timm_multimix.mixers import registry


def test_the_source_has_the_names_that_are_registered_here_in_their_order():
    own = [
        name
        for name, entry in registry._entry_points.items()
        if entry._make.__module__.startswith("timm_multimix.")
    ]
    assert list(mixer_names.names_in_source()) == own
    assert set(own) <= set(list_mixers())
    assert len(own) > 20


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ("mixup", ["mixup"]),
        ("0.3*none | 0.7*multimix(n=500)", ["none", "multimix"]),
        ("per_sample(a | 0.5*b) + c(alpha=2) >> d", ["a", "b", "c", "d"]),
        ("skip | per_sample", []),
        ("mixup(partner=reversed)", ["mixup"]),
        ("F.mixup", []),
        ("mixup |", []),
        ("", []),
        ("(" * 400, []),
        ("1" * 5000, []),
    ],
)
def test_names_in_a_spec(spec, names):
    assert mixer_names.names_in_spec(spec) == names


@pytest.mark.parametrize("name", ["mixpu", "nothing_like_it"])
def test_the_error_is_the_registrys(name):
    with pytest.raises(UsageError) as found:
        create_mixer(name)
    assert str(found.value) == str(mixer_names.unknown_mixer(name, registry._entry_points))
