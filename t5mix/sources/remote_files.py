"""Files behind URLs, by way of fsspec, which is loaded where one is met."""

import contextlib
import glob
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from t5mix.errors import T5MixError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(://|::.*://)")


def is_url(name: Any) -> bool:
    """Says whether a name is a URL, such as s3://bucket/train.tsv, rather than a path."""
    return isinstance(name, str) and _URL.match(name) is not None


def matching_urls(url: str) -> list[str]:
    """Returns the URLs that one stands for: itself, or what its pattern matches, in the order of their names.

    Raises:
        T5MixError: nothing matches, or the file system cannot be reached.
    """
    if not glob.has_magic(url.partition("?")[0]):  # what follows a question mark is a query as a rule
        return [url]
    with _explained(url):
        system, path = _fsspec(url).core.url_to_fs(url)
        if system.exists(path):
            return [url]
        matches = sorted(system.unstrip_protocol(match) for match in system.glob(path))
    if not matches:
        raise T5MixError(f"No file matches {url}.")
    return matches


@contextlib.contextmanager
def open_url(url: str) -> Iterator[IO[bytes]]:
    """A context with a remote file, opened for reading bytes.

    Raises:
        T5MixError: there is no such file, or it cannot be reached.
    """
    with _explained(url), _fsspec(url).open(url, "rb") as file:
        yield file


def identity_of_url(url: str) -> list[Any]:
    """Returns what identifies a remote file's content, as far as its file system tells: size, time, checksum.

    Raises:
        T5MixError: there is no such file, or it cannot be reached.
    """
    with _explained(url):
        system, path = _fsspec(url).core.url_to_fs(url)
        info = system.info(path)
    told = ("size", "mtime", "LastModified", "last_modified", "updated", "created", "ETag", "etag", "md5Hash")
    return [url, *(str(info[key]) for key in told if info.get(key) is not None)]


def _fsspec(url: str) -> Any:
    try:
        import fsspec
    except ImportError as error:
        raise T5MixError(f"To read {url}, install fsspec: pip install 't5mix[remote]'.") from error
    return fsspec


@contextlib.contextmanager
def _explained(url: str) -> Iterator[None]:
    try:
        yield
    except T5MixError:
        raise
    except FileNotFoundError as error:
        raise T5MixError(f"There is no file {url}.") from error
    except ImportError as error:  # the package of a file system
        raise T5MixError(f"{url} cannot be read: {error}. Or copy the file here and give its path.") from error
    except Exception as error:  # each file system has its own
        raise T5MixError(
            f"{url} cannot be read ({type(error).__name__}: {error}). Check the address and the network, or copy the "
            f"file here and give its path (working directory: {Path.cwd()})."
        ) from error
