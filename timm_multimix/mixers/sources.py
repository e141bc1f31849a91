"""The source of a mixer, as data: its paper, and how the mixer agrees with it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """A paper: title, authors and where it was published.

    Args:
        title: its title.
        authors: each as "Family, Given".
        year: year of the publication, else of the preprint.
        arxiv: its number on arXiv, if it has one.
        booktitle: the proceedings, for a conference.
        journal: the journal, for an article.
        url: its address, if it is not on arXiv.

    Examples:
        >>> mixers.Paper("mixup", authors=("Zhang, Hongyi",), year=2018, arxiv="1710.09412").link
        'https://arxiv.org/abs/1710.09412'
    """

    title: str
    authors: tuple[str, ...] = ()
    year: int | None = None
    arxiv: str | None = None
    booktitle: str | None = None
    journal: str | None = None
    url: str | None = None

    @property
    def link(self) -> str:
        """The address; if none is known, the venue and the year."""
        if self.arxiv:
            return f"https://arxiv.org/abs/{self.arxiv}"
        return self.url or ", ".join(self._venue)

    @property
    def reference(self) -> str:
        """First author, title, venue and year on one line."""
        first = self.authors[0].partition(",")[0] if self.authors else ""
        who = f"{first} et al." if len(self.authors) > 1 else first
        return ", ".join(part for part in (who, self.title, *self._venue) if part)

    @property
    def bibtex(self) -> str:
        """The BibTeX entry, without unknown fields."""
        kind = "inproceedings" if self.booktitle else "article" if self.journal else "misc"
        preprint = self.arxiv if kind == "misc" else None
        fields = {
            "title": self.title,
            "author": " and ".join(self.authors),
            "booktitle": self.booktitle,
            "journal": self.journal,
            "year": self.year,
            "eprint": preprint,
            "archivePrefix": preprint and "arXiv",
        }
        known = {name: value for name, value in fields.items() if value}
        width = max(9, *map(len, known))
        body = ",\n".join(f"  {name:{width}} = {{{value}}}" for name, value in known.items())
        return f"@{kind}{{{self._key},\n{body}\n}}"

    @property
    def _venue(self) -> list[str]:
        return [str(part) for part in (self.booktitle or self.journal, self.year) if part]

    @property
    def _key(self) -> str:
        """The BibTeX key, such as zhang2018mixup: first author, year, first word of the title."""
        parts = (
            self.authors[0].partition(",")[0] if self.authors else "",
            self.year or "",
            self.title.split()[0],
        )
        return "".join(letter for part in parts for letter in str(part) if letter.isalnum()).lower()


@dataclass(frozen=True)
class Agreement:
    """The agreement of a mixer with the method that it is named after.

    Args:
        reference: the source of the implementation: equations of the paper, code of the authors or of a
            library.
        tested: what the tests compare it with, in words.
        tests: those tests, below `tests/`, such as "functional/test_mixing.py::test_mixup_is_the_formula".
        departures: known differences to the reference; empty: none.

    Examples:
        >>> mixers.Agreement(reference="arXiv:1710.09412, equation 1", tested="a loop", tests=()).departures
        ''
    """

    reference: str
    tested: str
    tests: tuple[str, ...]
    departures: str = ""
