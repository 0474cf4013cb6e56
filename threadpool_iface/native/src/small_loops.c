#include "small_loops.h"

#include <stdatomic.h>
#include <string.h>

#include "ticks.h"

/* 0.4 to 0.6 us. A region of two threads costs half of that where the pool is awake, and saves no
 * more; where it sleeps it costs ten times as much. */
#define SMALL_TICKS (TPI_POLL_TICKS / 100000)

/* A new cost is remembered if it differs by such a factor: the table is mostly read. */
static const float NEWS = 1.5F;

enum { ENTRIES = 256 };

/* Half of the code's hash, and the ticks of an item as a float: one word, so that no reader sees one
 * loop's hash and another's cost. Loops that fall on one entry take turns. */
static _Atomic uint64_t table[ENTRIES];

static uint64_t hash_of(const void *code) {
    uint64_t hash = (uint64_t)(uintptr_t)code * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

static bool look_up(uint64_t hash, float *each) {
    uint64_t word = atomic_load_explicit(&table[hash % ENTRIES], memory_order_relaxed);
    uint32_t bits = (uint32_t)word;
    memcpy(each, &bits, sizeof bits);
    return word != 0 && word >> 32 == hash >> 32;
}

bool tpi_is_small(const void *code, double n) {
    float each;
    return look_up(hash_of(code), &each) && n * (double)each < (double)SMALL_TICKS;
}

void tpi_learn_cost(const void *code, double items, uint64_t ticks) {
    uint64_t hash = hash_of(code);
    float known, each = (float)((double)(ticks + 1) / items);
    if (look_up(hash, &known) && each < known * NEWS && known < each * NEWS) return;
    uint32_t bits;
    memcpy(&bits, &each, sizeof bits);
    atomic_store_explicit(&table[hash % ENTRIES], hash >> 32 << 32 | bits, memory_order_relaxed);
}

bool tpi_stays_small(int64_t n, int64_t done, uint64_t ticks) {
    return (double)ticks * (double)n < (double)SMALL_TICKS * (double)done * 4;
}
