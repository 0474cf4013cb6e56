#include "run_queue.h"

#define MASK (TPI_QUEUE_SIZE - 1u)

void tpi_queue_init(tpi_run_queue *q) {
    atomic_store_explicit(&q->front, 0, memory_order_relaxed);
    atomic_store_explicit(&q->back, 0, memory_order_relaxed);
    pthread_mutex_init(&q->mutex, NULL);
    for (uint32_t i = 0; i < TPI_QUEUE_SIZE; ++i)
        atomic_store_explicit(&q->slots[i].state, TPI_SLOT_EMPTY, memory_order_relaxed);
}

void tpi_queue_destroy(tpi_run_queue *q) { pthread_mutex_destroy(&q->mutex); }

/* acquire: the item was written before its slot became ready, and was read before it became
 * empty; both are released by `publish`. */
static bool claim(tpi_slot *slot, uint8_t from) {
    uint8_t state = from;
    return atomic_load_explicit(&slot->state, memory_order_relaxed) == from &&
           atomic_compare_exchange_strong_explicit(&slot->state, &state, TPI_SLOT_BUSY,
                                                   memory_order_acquire, memory_order_relaxed);
}

static void publish(tpi_slot *slot, uint8_t state) {
    atomic_store_explicit(&slot->state, state, memory_order_release);
}

bool tpi_queue_push_front(tpi_run_queue *q, tpi_item item) {
    uint32_t front = atomic_load_explicit(&q->front, memory_order_relaxed);
    tpi_slot *slot = &q->slots[front & MASK];
    if (!claim(slot, TPI_SLOT_EMPTY)) return false;
    atomic_store_explicit(&q->front, front + 1u, memory_order_relaxed);
    slot->item = item;
    publish(slot, TPI_SLOT_READY);
    return true;
}

bool tpi_queue_push_back(tpi_run_queue *q, tpi_item item) {
    pthread_mutex_lock(&q->mutex);
    uint32_t back = atomic_load_explicit(&q->back, memory_order_relaxed) - 1u;
    tpi_slot *slot = &q->slots[back & MASK];
    bool room = claim(slot, TPI_SLOT_EMPTY);
    if (room) {
        atomic_store_explicit(&q->back, back, memory_order_relaxed);
        slot->item = item;
        publish(slot, TPI_SLOT_READY);
    }
    pthread_mutex_unlock(&q->mutex);
    return room;
}

bool tpi_queue_pop_front(tpi_run_queue *q, tpi_item *item) {
    uint32_t front = atomic_load_explicit(&q->front, memory_order_relaxed) - 1u;
    tpi_slot *slot = &q->slots[front & MASK];
    if (!claim(slot, TPI_SLOT_READY)) return false;
    *item = slot->item;
    atomic_store_explicit(&q->front, front, memory_order_relaxed);
    publish(slot, TPI_SLOT_EMPTY);
    return true;
}

bool tpi_queue_has_back(tpi_run_queue *q) {
    uint32_t back = atomic_load_explicit(&q->back, memory_order_relaxed);
    return atomic_load_explicit(&q->slots[back & MASK].state, memory_order_relaxed) ==
           TPI_SLOT_READY;
}

bool tpi_queue_pop_back(tpi_run_queue *q, tpi_item *item) {
    /* A look without the lock keeps idle thieves off the owner's mutex. */
    if (!tpi_queue_has_back(q)) return false;
    pthread_mutex_lock(&q->mutex);
    uint32_t back = atomic_load_explicit(&q->back, memory_order_relaxed);
    tpi_slot *slot = &q->slots[back & MASK];
    bool taken = claim(slot, TPI_SLOT_READY);
    if (taken) {
        *item = slot->item;
        atomic_store_explicit(&q->back, back + 1u, memory_order_relaxed);
        publish(slot, TPI_SLOT_EMPTY);
    }
    pthread_mutex_unlock(&q->mutex);
    return taken;
}
