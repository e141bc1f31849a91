"""Images of a stream stay files' bytes, in versions of datasets with `decode` and without."""

import datasets
import pytest

from tests.data.conftest import encoded, picture
from timm_multimix._compat.datasets import undecoded


def test_images_are_bytes_with_and_without_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    cells = {"image": [{"bytes": encoded(picture(0)), "path": None}], "label": [3]}
    stream = datasets.Dataset.from_dict(cells, features=kinds).to_iterable_dataset()
    expected = [{"image": cells["image"][0], "label": 3}]
    assert list(undecoded(stream)) == expected
    monkeypatch.delattr(datasets.IterableDataset, "decode", raising=False)
    older = undecoded(stream)
    assert list(older) == expected
    assert not older.features["image"].decode
