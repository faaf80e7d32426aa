"""The Hugging Face Hub: a folder that was written goes there as a data set (extra `export`)."""

import os
import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kdos.errors import KdosError, UsageError

TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105
ENDPOINT_VARIABLE = "HF_ENDPOINT"
COMMIT_MESSAGE = "Export of kdos"
SHOWN_CHARS = 240
EXPORTED = (
    *("README.md", "train-*.parquet", "test-*.parquet", "train.parquet", "test.parquet", "train.jsonl", "test.jsonl"),
    *("kdos_alpaca*.json", "kdos_sharegpt*.json", "dataset_info.json", "train.yaml"),
    *("prompt_completion/*", "conversational/*"),
)
"""What exports are made of: of an earlier one nothing stays beside the new one, whose rows it would repeat."""
_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class HubDataset:
    """A data set on the Hub, ``owner/name``, and the token that may write it; private unless it `is_public`."""

    name: str
    is_public: bool
    token: str = field(repr=False)


def check_hub_dataset(name: str, *, is_public: bool) -> HubDataset:
    """The data set of a name, before any work is done: nothing is asked of the Hub yet.

    Raises:
        UsageError: The name is none of the Hub's, or no token is in the environment.
        KdosError: The library is not installed.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"--push must be OWNER/NAME on the Hub. Got {name!r:.100}.")
    if find_spec("huggingface_hub") is None:
        raise KdosError("--push needs the library huggingface_hub. It is not installed. pip install 'kdos[export]'")
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise UsageError(f"--push must be OWNER/NAME on the Hub. {error}") from error
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not _TOKEN.fullmatch(token):
        got = "none" if not token else "one with spaces or signs that are not ASCII"
        raise UsageError(
            f"--push must have a token that may write, in the environment variable {TOKEN_VARIABLE}. Got {got}."
        )
    return HubDataset(name, is_public, token)


def push_folder(folder: Path, dataset: HubDataset) -> dict[str, Any]:
    """Put a folder's files into a data set, which is made where there is none; its address, and whether it is private.

    Files of an earlier export go, others stay; the Hub keeps what was there as an earlier version.

    Raises:
        UsageError: The data set is there and public, which was not asked for.
        KdosError: The Hub did not take it.
    """
    from huggingface_hub import HfApi

    name, kind = dataset.name, "dataset"
    api = HfApi(endpoint=os.environ.get(ENDPOINT_VARIABLE) or None, token=dataset.token)
    try:
        address = api.create_repo(name, repo_type=kind, private=not dataset.is_public, exist_ok=True)
        is_private = bool(api.repo_info(name, repo_type=kind).private)
        if is_private or dataset.is_public:
            api.upload_folder(
                repo_id=name,
                repo_type=kind,
                folder_path=folder,
                commit_message=COMMIT_MESSAGE,
                delete_patterns=list(EXPORTED),
            )
    except Exception as error:  # the library's, its transports' and its storage's errors have no common root
        reason = " ".join(str(error).split()) or type(error).__name__
        shown = reason.replace(dataset.token, "the token")[:SHOWN_CHARS]
        raise KdosError(
            f"the Hub must take {name}. Got: {shown}. {folder} is whole: mend that and push it by "
            f"`hf upload {name} {folder} --repo-type dataset`."
        ) from error
    if not (is_private or dataset.is_public):
        raise UsageError(
            f"--push must name a data set that is private, or be given with --public. {name} is public; nothing was "
            f"sent. {folder} is whole."
        )
    return {"address": str(address), "private": is_private}
