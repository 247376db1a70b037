# SPDX-License-Identifier: Apache-2.0
"""A real file system of a few MiB, to be filled."""

import errno
import os
import subprocess


def mount_small_disk(test, disk, root):
    """Mounts 4 MiB at `disk` until the test ends. Returns a command that runs others where the disk is seen, in `root`,
    and the disk's path as the test itself sees it.
    """
    os.mkdir(disk)
    if os.geteuid() == 0:  # root mounts it for all to see; in a chroot there are no name spaces to be had
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=True)
        test.addCleanup(subprocess.run, ["umount", "--lazy", disk], check=True)
        return [], disk
    holder = subprocess.Popen(["unshare", "--map-root-user", "--mount", "sh", "-c",
                               'mount -t tmpfs -o size=4m tmpfs "$1" && echo ready && exec sleep 3600', "sh", disk],
                              stdout=subprocess.PIPE)
    test.addCleanup(holder.stdout.close)
    test.addCleanup(holder.wait)
    test.addCleanup(holder.kill)
    test.assertEqual(holder.stdout.readline(), b"ready\n", "unshare and mount must work here: they make a full disk")
    # --wd would be a directory of the outer name space, from which relative paths don't lead onto the disk.
    inside = ["nsenter", f"--target={holder.pid}", "--user", "--mount", "--preserve-credentials",
              "sh", "-c", 'cd "$0" && exec "$@"', root]
    return inside, f"/proc/{holder.pid}/root{disk}"


def fill(path):
    """Writes until not a byte more goes in."""
    with open(path, "wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
