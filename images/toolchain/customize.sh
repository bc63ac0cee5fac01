#!/bin/sh
# Runs on the host as a hook of mmdebstrap when all packages are installed. $1 = the image's root folder;
# STAGE = a folder whose content is laid over it (root-files/, Node and its packages, put together by build.ts).
set -eu
root=$1

cp -R --preserve=mode,links --no-target-directory "$STAGE" "$root"
# The one place that both `require` and `import` reach from any folder.
ln -s usr/local/lib/node_modules "$root/node_modules"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
ln -s ../lib/node_modules/typescript/bin/tsc "$root/usr/local/bin/tsc"

chroot "$root" groupadd --gid 1000 runner
chroot "$root" useradd --uid 1000 --gid 1000 --home-dir /home/runner --create-home --skel /nonexistent --shell /bin/bash runner

# Nothing of the machine that built the image, and nothing that only an installation needs.
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/cache/debconf/*-old "$root"/var/log/* \
	"$root"/var/lib/dpkg/*-old "$root"/tmp/* "$root"/root/.[!.]* \
	"$root"/etc/apt/apt.conf.d/99mmdebstrap "$root"/etc/dpkg/dpkg.cfg.d/99mmdebstrap \
	"$root"/etc/apt/sources.list.d/* "$root"/usr/share/man/*
: >"$root/etc/apt/sources.list"
: >"$root/etc/machine-id"
: >"$root/etc/resolv.conf"
echo project >"$root/etc/hostname"
rm -f "$root/var/lib/dbus/machine-id"

# The packages' own tests are large. (dpkg cannot leave them out: what it then compiles for Python would be missing.)
rm -rf "$root"/usr/lib/python3/dist-packages/pandas/tests "$root"/usr/lib/python3/dist-packages/numpy/tests \
	"$root"/usr/lib/python3/dist-packages/numpy/*/tests

# No program may give its caller other rights than the caller has.
find "$root" -xdev -type f -perm /6000 -exec chmod ug-s {} +
find "$root" -xdev -type d -perm /6000 -exec chmod ug-s {} +
