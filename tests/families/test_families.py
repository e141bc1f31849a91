"""Every family of timm at every place of mixing. A fifth of them by default; MULTIMIX_FAMILIES=all for all.

MULTIMIX_FAMILIES_WRITE=1 writes what is found into the record, from which docs/architectures.md is made.
"""

import os

import pytest
import timm

pytest.register_assert_rewrite("tests.families.checks")

from tests.families import checks, members, networks, record  # noqa: E402

CHOSEN = members.chosen_families()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*there dense_multimix falls back to multimix")
@pytest.mark.parametrize(("family", "name"), members.cases(CHOSEN))
def test_family(family, name):
    """All checks pass, and the result is that of the record, the docs' table."""
    name = name or next(iter(members.members(family)), "")
    if not name:
        pytest.skip(f"{family} has no model with a classifier")
    known = record.load()
    old = known["models"].get(name)
    side = old["side"] if old else networks.smallest_side(name)
    found = checks.examine(name, side)
    row = {"family": family, "extra": name in members.EXTRAS, "side": side, **found}
    if os.environ.get("MULTIMIX_FAMILIES_WRITE"):
        record.save(name, row)
    elif old and known["versions"]["timm"] == timm.__version__:
        assert row == old
    elif old:
        assert record.no_worse(row, old)
    else:
        assert row["refused"] == {} or row["positions"] > 1
