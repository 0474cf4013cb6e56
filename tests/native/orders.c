/* orders NAME: two threads in one particular order, which a stress hardly ever meets. Exits with 0 if
 * all is well; a hang is ended by SIGALRM. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pools.h"

#define CHECK(what) \
    do { \
        if (!(what)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
            exit(1); \
        } \
    } while (0)

static tpi_pool *pool;
static tpi_latch *latch;
static atomic_int ran, step;

static void reach(int number) { step = number; }
static void await_step(int number) {
    while (step < number) usleep(100);
}

static tpi_pool *new_pool(bool stealing, int32_t size, int64_t blocktime_us) {
    tpi_pool_options options = {.num_threads = size, .blocktime_us = blocktime_us};
    tpi_set_machine_threads(2);
    return stealing ? tpi_work_stealing_new(&options, 0) : tpi_fork_join_new(&options, 0);
}

static int32_t count(void *ctx, int32_t ithr, int32_t nthr) {
    (void)ctx, (void)ithr, (void)nthr;
    ++ran;
    return 0;
}

/* -- a thread waits for a latch whose tasks run inside tpi_pool_submit ------------------------ */

static void *wait_for_latch(void *arg) {
    (void)arg;
    await_step(1);
    CHECK(tpi_latch_wait(latch) == TPI_OK);
    return NULL;
}

static int32_t hand_on(void *ctx, int32_t ithr, int32_t nthr) {
    (void)ctx, (void)ithr, (void)nthr;
    reach(1);
    usleep(50000); /* until the other one sleeps */
    return 0;
}

static void wait_while_submitting(void) {
    pthread_t waiter;
    pool = new_pool(false, 2, 0);
    pthread_create(&waiter, NULL, wait_for_latch, NULL);
    CHECK(tpi_pool_submit(pool, 2, hand_on, NULL, &latch) == TPI_OK);
    pthread_join(waiter, NULL);
    tpi_latch_release(latch);
    tpi_pool_release(pool);
}

/* -- a pool is closed while a submitter whose tasks have ended still pushes requests ---------- */

static _Thread_local int locks_before_delay;

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex) {
    /* As if preempted here, for as long as `close` would need. */
    if (locks_before_delay && --locks_before_delay == 0) usleep(200000);
    return __real_pthread_mutex_lock(mutex);
}

static void *close_when_run(void *arg) {
    (void)arg;
    while (ran < 2) usleep(100);
    CHECK(tpi_pool_close(pool) == TPI_OK);
    return NULL;
}

static void close_while_submitting(void) {
    pthread_t closer;
    pool = new_pool(true, 3, 2000);
    tpi_pool_parallel(pool, 2, count, NULL);
    ran = 0;
    pthread_create(&closer, NULL, close_when_run, NULL);
    locks_before_delay = 2;
    CHECK(tpi_pool_submit(pool, 2, count, NULL, &latch) == TPI_OK);
    pthread_join(closer, NULL);
    CHECK(tpi_latch_wait(latch) == TPI_OK && ran == 2);
    tpi_latch_release(latch);
    latch = NULL; /* or it would still be reachable, and no leak */
    tpi_pool_release(pool);
}

/* -- an interrupt check forks, as a signal handler may, while its thread waits ---------------- */

static pid_t child = -1;

static int32_t fork_at_third(void) {
    static int calls;
    if (++calls == 3) child = fork();
    return 0;
}

static int32_t slow(void *ctx, int32_t ithr, int32_t nthr) {
    (void)ctx, (void)nthr;
    usleep(ithr ? 600000 : 50000);
    return 0;
}

static void *hold_the_turn(void *arg) {
    (void)arg;
    return (void *)(intptr_t)tpi_pool_run_together(pool, 2, slow, NULL);
}

static void end_of_child(void) {
    CHECK(tpi_pool_parallel(pool, 3, count, NULL) == TPI_OK);
    CHECK(tpi_pool_run_together(pool, 2, count, NULL) == TPI_OK);
    CHECK(ran == 5 && tpi_pool_close(pool) == TPI_OK);
    _exit(0);
}

static void fork_while_waiting(bool stealing, bool for_turn) {
    pthread_t holder;
    pool = new_pool(stealing, 2, 0);
    tpi_pool_parallel(pool, 2, count, NULL);
    ran = 0;
    if (for_turn) pthread_create(&holder, NULL, hold_the_turn, NULL);
    if (for_turn) usleep(50000);
    tpi_set_interrupt_check(fork_at_third);
    int32_t code = for_turn ? tpi_pool_run_together(pool, 2, count, NULL)
                            : tpi_pool_parallel(pool, 2, slow, NULL);
    tpi_set_interrupt_check(NULL);
    CHECK(child >= 0 && code == (child ? TPI_OK : TPI_E_FORKED));
    if (!child) end_of_child();
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    if (for_turn) pthread_join(holder, NULL);
    tpi_pool_release(pool);
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    alarm(20); /* of its child, the parent's ends first */
    if (!strcmp(name, "wait while submitting")) wait_while_submitting();
    else if (!strcmp(name, "close while submitting")) close_while_submitting();
    else if (!strncmp(name, "fork while waiting", 18))
        fork_while_waiting(strstr(name, "stealing"), strstr(name, "turn"));
    else return 2;
    return 0;
}
