"""The paper that a mixer is from, and how it is cited."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """A paper, as data: what tables link to and BibTeX entries say.

    Args:
        title: as the paper has it.
        authors: each as "Family, Given".
        year: of the publication, or else of the preprint.
        arxiv: its number on arXiv, if it is there.
        booktitle: of a conference, the proceedings.
        journal: of an article, the journal.
        url: where it is, if not on arXiv.
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
        """The address; where none is known, the venue and the year."""
        if self.arxiv:
            return f"https://arxiv.org/abs/{self.arxiv}"
        return self.url or ", ".join(self._venue)

    @property
    def reference(self) -> str:
        """A line: first author, title, where, year."""
        first = self.authors[0].partition(",")[0] if self.authors else ""
        who = f"{first} et al." if len(self.authors) > 1 else first
        return ", ".join(part for part in (who, self.title, *self._venue) if part)

    @property
    def bibtex(self) -> str:
        """A BibTeX entry; what is not known is left out."""
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
        """Such as zhang2018mixup: first author, year, first word of the title."""
        parts = (
            self.authors[0].partition(",")[0] if self.authors else "",
            self.year or "",
            self.title.split()[0],
        )
        return "".join(letter for part in parts for letter in str(part) if letter.isalnum()).lower()
