"""The worked example of CONTRIBUTING.md: a module as it stands there is a mixer of specs, cards and lists."""

import os
import re
import subprocess
import sys
from pathlib import Path

CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"

USE = """
import halves as example, torch
from timm_multimix import MixTask, cli, create_mixer
from timm_multimix.errors import UsageError
from timm_multimix.hub.methods import methods, unique_citations

x = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 1, 8, 6)
mixed, soft = create_mixer("halves(share=0.25)", num_classes=4)(x, torch.arange(4))
own = torch.arange(4.0).view(4, 1, 1, 1)
assert mixed[:, :, :2].eq(own).all()
partner = mixed[:, 0, 2, 0]
assert mixed[:, :, 2:].eq(partner.view(4, 1, 1, 1)).all()
assert partner.sort().values.tolist() == [0, 1, 2, 3]
assert torch.allclose(soft, 0.25 * torch.eye(4) + 0.75 * torch.eye(4)[partner.long()])

mixer = create_mixer("halves(0.75, False, 'hidden', 1)").branches[0][1].mixer
assert (mixer.place, mixer.layers) == ("hidden", (1,))
assert mixer.arguments == {"share": 0.75, "upper": False}

for spec in ("halves(share=2)", "halves(upper=1)", "halves(place='embedding')"):
    try:
        create_mixer(spec)
    except UsageError as error:
        print(error)
print(*unique_citations(methods("halves")))
cli.main(["list", "halves"])
"""


def test_the_example_is_a_mixer(tmp_path: Path) -> None:
    section = CONTRIBUTING.read_text(encoding="utf-8").partition("## Add a mixer")[2]
    (example,) = re.findall(r"```python\n(.*?)```", section.partition("\n## ")[0], re.S)
    (tmp_path / "halves.py").write_text(example, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", USE],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CONTRIBUTING.parent)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    for said in (
        "mixer halves: share must be a number from 0 to 1, got 2",
        "mixer halves: upper must be True or False, got 1",
        "mixer halves: place must be one of input, hidden, got 'embedding'",
        "title         = {Improved Mixed-Example Data Augmentation}",
        "eprint        = {1805.11272}",
        "Halves: show a partner below or above a line, labels by area.",
        "share=0.5                 the height of what is kept, of the image's\n",
    ):
        assert said in done.stdout
