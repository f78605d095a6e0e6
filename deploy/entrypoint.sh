#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Entry point of the image: tcpcopy, unless the first word names a program. By exec, so that the program
# is process 1 itself: it gets the signals of "docker stop" and "docker kill", and its exit status is the
# container's.
case ${1-} in
intercept | tcpcopy) exec "$@" ;;
*) exec tcpcopy "$@" ;;
esac
