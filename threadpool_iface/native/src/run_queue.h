/* A worker's bounded queue, after Eigen's RunQueue (unsupported/Eigen/CXX11/src/ThreadPool).
 *
 * The owner adds to and takes from the front without a lock; everybody else adds to and takes from
 * the back under a mutex. Each slot has a state of its own (empty, busy, ready), and whoever moves it out
 * of a state with a compare-and-swap owns the slot until it stores the next state; so front and
 * back need not be read together, and an owner and a thief that reach for the last item both see
 * one winner. */
#ifndef TPI_RUN_QUEUE_H
#define TPI_RUN_QUEUE_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Eigen's size: more than any burst of callers, small enough to scan a pool of them. */
#ifndef TPI_QUEUE_SIZE
#define TPI_QUEUE_SIZE 1024u
#endif

typedef struct {
    void (*run)(void *arg);
    void *arg;
} tpi_item;

enum { TPI_SLOT_EMPTY, TPI_SLOT_BUSY, TPI_SLOT_READY };

typedef struct {
    _Atomic uint8_t state;
    tpi_item item;
} tpi_slot;

typedef struct {
    alignas(64) _Atomic uint32_t front; /* next slot after the front item; written by the owner */
    alignas(64) _Atomic uint32_t back;  /* the back item's slot; written under the mutex */
    pthread_mutex_t mutex;
    tpi_slot slots[TPI_QUEUE_SIZE];
} tpi_run_queue;

void tpi_queue_init(tpi_run_queue *q);
void tpi_queue_destroy(tpi_run_queue *q);

/* The owner only; false when full. */
bool tpi_queue_push_front(tpi_run_queue *q, tpi_item item);
/* Any thread; false when full. */
bool tpi_queue_push_back(tpi_run_queue *q, tpi_item item);
/* The owner only; false when empty. */
bool tpi_queue_pop_front(tpi_run_queue *q, tpi_item *item);
/* Any thread; false when empty. */
bool tpi_queue_pop_back(tpi_run_queue *q, tpi_item *item);
/* Any thread: whether there was something to pop a moment ago. */
bool tpi_queue_has_back(tpi_run_queue *q);

#endif
