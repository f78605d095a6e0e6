/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks_core.c - the cores' doors: whoever enters by one of them may be refused memory (alloc.h). The linker
 * leads the calls through here (--wrap in Makefile.am).
 */
#include "intercept/response.h"
#include "tcpcopy/replay.h"
#include "tests/sim/alloc.h"

void __real_replay_on_frame(struct replay *r, int link_type, const uint8_t *frame,
			    size_t captured_len_bytes, size_t wire_len_bytes, uint64_t now_us);
void __wrap_replay_on_frame(struct replay *r, int link_type, const uint8_t *frame,
			    size_t captured_len_bytes, size_t wire_len_bytes, uint64_t now_us);
void __real_replay_on_record(struct replay *r, const struct wire_record *record, uint64_t now_us);
void __wrap_replay_on_record(struct replay *r, const struct wire_record *record, uint64_t now_us);
void __real_replay_on_register_refused(struct replay *r, uint32_t session_id, uint64_t now_us);
void __wrap_replay_on_register_refused(struct replay *r, uint32_t session_id, uint64_t now_us);
void __real_replay_on_links(struct replay *r, unsigned up, uint64_t now_us);
void __wrap_replay_on_links(struct replay *r, unsigned up, uint64_t now_us);
void __real_replay_on_time(struct replay *r, uint64_t now_us);
void __wrap_replay_on_time(struct replay *r, uint64_t now_us);
void __real_replay_end_batch(struct replay *r, uint64_t now_us);
void __wrap_replay_end_batch(struct replay *r, uint64_t now_us);
void __real_response_on_frame(struct response *r, int link_type, const uint8_t *frame,
			      size_t captured_len_bytes, size_t wire_len_bytes, uint64_t now_us);
void __wrap_response_on_frame(struct response *r, int link_type, const uint8_t *frame,
			      size_t captured_len_bytes, size_t wire_len_bytes, uint64_t now_us);
int __real_response_on_peer_connected(struct response *r, uint64_t now_us);
int __wrap_response_on_peer_connected(struct response *r, uint64_t now_us);
void __real_response_on_peer_bytes(struct response *r, unsigned peer, const uint8_t *data,
				   size_t len_bytes, uint64_t now_us);
void __wrap_response_on_peer_bytes(struct response *r, unsigned peer, const uint8_t *data,
				   size_t len_bytes, uint64_t now_us);
void __real_response_flush(struct response *r, uint64_t now_us);
void __wrap_response_flush(struct response *r, uint64_t now_us);
void __real_response_on_time(struct response *r, uint64_t now_us);
void __wrap_response_on_time(struct response *r, uint64_t now_us);

void __wrap_replay_on_frame(struct replay *r, int link_type, const uint8_t *frame,
			    size_t captured_len_bytes, size_t wire_len_bytes, uint64_t now_us)
{
	bool was_inside = alloc_enter_core(true);

	__real_replay_on_frame(r, link_type, frame, captured_len_bytes, wire_len_bytes, now_us);
	alloc_enter_core(was_inside);
}

void __wrap_replay_on_record(struct replay *r, const struct wire_record *record, uint64_t now_us)
{
	bool was_inside = alloc_enter_core(true);

	__real_replay_on_record(r, record, now_us);
	alloc_enter_core(was_inside);
}

void __wrap_replay_on_register_refused(struct replay *r, uint32_t session_id, uint64_t now_us)
{
	bool was_inside = alloc_enter_core(true);

	__real_replay_on_register_refused(r, session_id, now_us);
	alloc_enter_core(was_inside);
}

void __wrap_replay_on_links(struct replay *r, unsigned up, uint64_t now_us)
{
	bool was_inside = alloc_enter_core(true);

	__real_replay_on_links(r, up, now_us);
	alloc_enter_core(was_inside);
}

void __wrap_replay_on_time(struct replay *r, uint64_t now_us)
{
	bool was_inside = alloc_enter_core(true);

	__real_replay_on_time(r, now_us);
	alloc_enter_core(was_inside);
}

void __wrap_replay_end_batch(struct replay *r, uint64_t now_us)
{
	bool was_inside = alloc_enter_core(true);

	__real_replay_end_batch(r, now_us);
	alloc_enter_core(was_inside);
}

void __wrap_response_on_frame(struct response *r, int link_type, const uint8_t *frame,
			      size_t captured_len_bytes, size_t wire_len_bytes, uint64_t now_us)
{
	bool was_inside = alloc_enter_core(true);

	__real_response_on_frame(r, link_type, frame, captured_len_bytes, wire_len_bytes, now_us);
	alloc_enter_core(was_inside);
}

int __wrap_response_on_peer_connected(struct response *r, uint64_t now_us)
{
	bool was_inside = alloc_enter_core(true);
	int number = __real_response_on_peer_connected(r, now_us);

	alloc_enter_core(was_inside);
	return number;
}

void __wrap_response_on_peer_bytes(struct response *r, unsigned peer, const uint8_t *data,
				   size_t len_bytes, uint64_t now_us)
{
	bool was_inside = alloc_enter_core(true);

	__real_response_on_peer_bytes(r, peer, data, len_bytes, now_us);
	alloc_enter_core(was_inside);
}

void __wrap_response_flush(struct response *r, uint64_t now_us)
{
	bool was_inside = alloc_enter_core(true);

	__real_response_flush(r, now_us);
	alloc_enter_core(was_inside);
}

void __wrap_response_on_time(struct response *r, uint64_t now_us)
{
	bool was_inside = alloc_enter_core(true);

	__real_response_on_time(r, now_us);
	alloc_enter_core(was_inside);
}
