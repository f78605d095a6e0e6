#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Makes ./configure from configure.ac and Makefile.am. Needed once after a clone.
set -eu
cd "$(dirname "$0")"
for tool in autoconf automake aclocal; do
  if ! command -v "$tool" >/dev/null 2>&1; then
    echo "autogen.sh: $tool is missing: apt-get install autoconf automake" >&2
    exit 1
  fi
done
exec autoreconf --install --force "$@"
