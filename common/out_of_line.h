/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * out_of_line.h - marks functions that the usual packet does not come by. Within the one that it does come by they would
 * cost it: registers that are saved, room in the cache. And those that it always comes by, which others call as well.
 */
#ifndef COMMON_OUT_OF_LINE_H
#define COMMON_OUT_OF_LINE_H

#define OUT_OF_LINE __attribute__((noinline))
#define IN_LINE     inline __attribute__((always_inline))
/* For a function of another file's: a hint to the link-time optimiser, which otherwise inlines only what is tiny. */
#define LINK_IN_LINE inline
#endif
