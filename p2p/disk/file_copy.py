"""One file on its way to another place, by a copy in steps that a crash may end anywhere.

The rule: it is copied beside its new place under a name of ours, synced, given the time of change of its source, and
only then its name; so what has its name is whole. Every function blocks, and raises StorageError or a subclass of it.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from p2p.disk.paths import folder_below, make_folders, open_file, stat_file, sync_folder
from p2p.disk.refusals import refusal
from p2p.disk.trash import remove_file, rename_below

if TYPE_CHECKING:
    from p2p.disk.places import Parts, Place

STEP: Final = 8 << 20
"""Bytes copied in one job, so that pieces of other torrents wait no longer than for this."""

PARTIAL: Final = ".starling-move"
"""What the name of a file ends in while it is copied."""

_NO_OFFLOAD: Final = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF)
"""How a kernel says that it does not copy between these two files itself."""


def partial(parts: Parts) -> Parts:
    """The name that a file has while it is copied."""
    return (*parts[:-1], parts[-1] + PARTIAL)


@dataclass(frozen=True, slots=True)
class FileCopy:
    """See the module's head: `begin`, `step` until it copies nothing, then `end` or `end_over`."""

    source: Place
    target: Place

    def is_done(self) -> bool:
        """Whether the file at the new place is as the one at the old place, by size and time of change."""
        try:
            old = stat_file(self.source.folder, self.source.parts)
            new = stat_file(self.target.folder, self.target.parts)
        except OSError as error:
            raise refusal(error, self.target.path) from error
        return old is not None and new is not None and _same(old, new)

    def begin(self) -> None:
        """Make the folders of the new place, and remove what an earlier try left there."""
        folder, parts = self.target
        try:
            for changed in make_folders(folder, parts[:-1]):
                sync_folder(folder, changed)
            remove_file(folder, partial(parts))
        except OSError as error:
            raise refusal(error, self.target.path) from error

    def step(self, offset: int) -> int:
        """Copy up to `STEP` bytes from `offset` on; how many there were, 0 at the end of the file."""
        try:
            source = open_file(*self.source, os.O_RDONLY)
            try:
                folder, parts = self.target
                target = open_file(folder, partial(parts), os.O_WRONLY | os.O_CREAT)
                try:
                    return _copy(source, target, offset)
                finally:
                    os.close(target)
            finally:
                os.close(source)
        except OSError as error:
            raise refusal(error, self.target.path) from error

    def end(self) -> None:
        """Sync the copy and give it its name, which nothing may have."""
        folder, parts = self.target
        try:
            self._sync()
            rename_below(folder, partial(parts), folder, parts)
        except OSError as error:
            raise refusal(error, self.target.path) from error

    def end_over(self) -> None:
        """Sync the copy and put it in the place of what is there, at once and as a whole."""
        folder, parts = self.target
        try:
            self._sync()
            with folder_below(folder, parts[:-1]) as above:
                os.replace(partial(parts)[-1], parts[-1], src_dir_fd=above, dst_dir_fd=above)
            sync_folder(folder, parts[:-1])
        except OSError as error:
            raise refusal(error, self.target.path) from error

    def give_up(self) -> None:
        """Remove what was copied."""
        folder, parts = self.target
        try:
            remove_file(folder, partial(parts))
        except OSError as error:
            raise refusal(error, self.target.path) from error

    def _sync(self) -> None:
        folder, parts = self.target
        found = stat_file(*self.source)
        fd = open_file(folder, partial(parts), os.O_WRONLY)
        try:
            if found is not None:
                os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))
            os.fsync(fd)
        finally:
            os.close(fd)


def _same(old: os.stat_result, new: os.stat_result) -> bool:
    return (old.st_size, old.st_mtime_ns) == (new.st_size, new.st_mtime_ns)


def _copy(source: int, target: int, offset: int) -> int:
    if hasattr(os, "copy_file_range"):  # shares the blocks where the filesystem can
        try:
            taken = os.copy_file_range(source, target, STEP, offset, offset)
        except OSError as error:
            if error.errno not in _NO_OFFLOAD:
                raise
        else:
            if taken:
                return taken
    content = os.pread(source, STEP, offset)
    view, at = memoryview(content), offset
    while view:
        taken = os.pwrite(target, view, at)
        view, at = view[taken:], at + taken
    return len(content)
