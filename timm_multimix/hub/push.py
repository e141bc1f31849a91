"""A single commit of some files, made at most once, however often the network fails."""

from collections.abc import Callable, Mapping

from huggingface_hub import CommitOperationAdd, HfApi

from ..connection.retry import retried
from .remote import RECORD, Content, Remote, WouldOverwrite, digests, published_record, read_file


def push_files(
    api: HfApi, repo_id: str, make_files: Callable[[Remote], Mapping[str, Content]], message: str
) -> str:
    """Commit some files to main, in one commit, or none if main has them already.

    Every attempt looks at main's head first and commits onto that head or not at all, so an attempt that
    succeeded unnoticed is noticed by the next, and one that succeeds late cannot follow it.

    Args:
        api: the client.
        repo_id: the repository.
        make_files: gives the files by their names, from what is there already.
        message: the commit's title.

    Returns:
        Main's commit.
    """
    return retried(lambda: _attempt(api, repo_id, make_files, message))


def _attempt(
    api: HfApi, repo_id: str, make_files: Callable[[Remote], Mapping[str, Content]], message: str
) -> str:
    there = Remote(api, repo_id)
    files = make_files(there)
    stored = there.stored(files)
    changed = [name for name, content in files.items() if stored.get(name) not in digests(content)]
    if not changed and there.head:
        return there.head
    operations = [CommitOperationAdd(name, files[name]) for name in changed]
    return api.create_commit(repo_id, operations, commit_message=message, parent_commit=there.head).oid


def tag_commit(api: HfApi, repo_id: str, tag: str, commit: str, overwrite: bool = False) -> None:
    """Make a tag name a commit; one of an earlier run is moved.

    Raises:
        WouldOverwrite: if the tag names a commit that is not one of ours.
    """
    retried(lambda: _tag(api, repo_id, tag, commit, overwrite))


def _tag(api: HfApi, repo_id: str, tag: str, commit: str, overwrite: bool) -> None:
    tags = {ref.name: ref.target_commit for ref in api.list_repo_refs(repo_id).tags}
    if tags.get(tag) == commit:
        return
    if tag in tags:
        if not overwrite and not _is_ours(api, repo_id, tags[tag]):
            raise WouldOverwrite(f"the tag {tag} of {repo_id} names a commit that timm_multimix did not make")
        api.delete_tag(repo_id, tag=tag)
    api.create_tag(repo_id, tag=tag, revision=commit, exist_ok=True)


def _is_ours(api: HfApi, repo_id: str, commit: str) -> bool:
    names = {sibling.rfilename for sibling in api.model_info(repo_id, revision=commit).siblings or ()}
    return RECORD in names and published_record(read_file(api, repo_id, RECORD, commit)) is not None
