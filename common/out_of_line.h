/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * out_of_line.h - marks functions that the usual packet does not come by. Within the one that it does come by they would
 * cost it: registers that are saved, room in the cache.
 */
#ifndef COMMON_OUT_OF_LINE_H
#define COMMON_OUT_OF_LINE_H

#define OUT_OF_LINE __attribute__((noinline))
#endif
