/* The end of an asynchronous region: tpi_pool_submit, schedule, help, end, tpi_latch_wait and
 * tpi_latch_release of latch.c, over loop.[ch], with a tpi_pool_close that comes at any time
 * after the submitter has entered the gate.
 *
 * A region of two tasks asks two workers for help; there is room for all of the requests, for
 * one or for none. Its caller waits and then drops the latch, or drops it at once, or leaves
 * that to the region's first task; or the pool has no workers, all tasks run in the submit, and
 * another thread waits meanwhile. Checked: nobody uses the latch after it was freed, nor the
 * pool, and the latch is freed; closing waits for the region and its submitter; a waiter returns
 * when all tasks have ended, and one that had to be woken finds that the region has left the
 * gate.
 *
 * Planted: ONE_ENTRY (the submitter relies on the region's entry into the gate), TOLD_NOBODY (of
 * the end of tasks that ran in the submit), RESULT_LATE (the caller's latch is written when the region is scheduled),
 * NO_OWN_REFERENCE (of the submitter), DROP_FIRST (a helper drops its reference, and ends the
 * region then), LEAVE_EARLY (the submitter leaves the gate, not the region), WAKE_FIRST (the
 * waiter, before the gate is left), NO_END (a waiter that runs the last task tells nobody),
 * KEPT (references of helpers that will not come), NOT_DRAINED (requests are left in the queues
 * of a closed pool).
 */
#define TASKS 2
#define HELPERS 2
#define CLOSED 128

/* What the caller does with the latch; of IS_INLINE another thread waits for it. */
mtype = { WAITS, DROPS, LEAVES_IT, IS_INLINE };
mtype caller_does;
#if defined(LEAVE_EARLY) || defined(ONE_ENTRY)
byte gate = 1;
#else
byte gate = 2;           /* the submitter's entry, and the region's */
#endif
byte requests;           /* in the workers' queues */
byte references, next, left, ended;
bool over, written, waited;
bool freed, pool_freed;
bool stopping;
byte workers = HELPERS;

inline touch() { assert(!freed) }

inline drop(count) {
    atomic {
        touch();
        assert(references >= (count));
        references = references - (count);
        if :: references == 0 -> freed = true :: else fi
    }
}

inline leave_gate() { atomic { assert(!pool_freed && (gate & ~CLOSED) > 0); gate-- } }

/* The words wake who sleeps on them: signal_word.pml, gate.pml. */
inline end() {
#ifndef LEAVE_EARLY
#ifdef WAKE_FIRST
    touch();
    over = true;
    leave_gate()
#else
    leave_gate();
    touch();
    over = true
#endif
#else
    touch();
    over = true
#endif
}

inline run_loop(last) {
    ran = 0;
    do
    :: atomic { touch(); i = next; next++ };
       if
       :: i >= TASKS -> break
       :: else ->
           if
           :: i == 0 && caller_does == LEAVES_IT -> assert(written); drop(1)
           :: else
           fi;
           ended++;
           ran++;
           if :: i == TASKS - 1 -> break :: else fi
       fi
    od;
    last = false;
    if
    :: ran > 0 -> atomic { touch(); left = left - ran; last = (left == 0) }
    :: else
    fi
}

inline help() {
    run_loop(last);
#ifdef DROP_FIRST
    drop(1);
    if :: last -> end() :: else fi
#else
    if :: last -> end() :: else fi;
    drop(1)
#endif
}

inline run_now() {
    touch();
    drop(HELPERS); /* nobody was asked */
    next = TASKS;
    ended = TASKS;
    touch();
    left = 0;
#ifndef TOLD_NOBODY
    end()
#else
    leave_gate()
#endif
}

proctype worker() {
    byte i, ran;
    bool last;
    do
    :: atomic { requests > 0 -> requests-- };
       help()
    :: stopping -> workers--; break
    od
}

proctype caller() {
    byte queued = 0, i, ran;
    bool last;
    /* tpi_pool_submit: references are the helpers', the caller's and its own */
#ifdef NO_OWN_REFERENCE
    references = HELPERS + 1;
#else
    references = HELPERS + 2;
#endif
    left = TASKS;
#ifndef RESULT_LATE
    written = true;
#endif
    if
    :: caller_does == IS_INLINE -> run_now(); goto submitted
    :: else
    fi;
    do
    :: queued < HELPERS -> assert(!pool_freed); requests++; queued++
    :: break /* there is no room for more */
    od;
#ifndef KEPT
    if :: queued < HELPERS -> drop(HELPERS - queued) :: else fi;
#endif
    if
    :: queued == 0 -> run_loop(last); if :: last -> end() :: else fi
    :: else
    fi;
#ifdef RESULT_LATE
    written = true;
#endif
submitted:
#ifndef NO_OWN_REFERENCE
    drop(1);
#endif
#ifndef ONE_ENTRY
    leave_gate();
#endif
    /* tpi_latch_wait */
    if
    :: caller_does == WAITS ->
        run_loop(last);
#ifndef NO_END
        if :: last -> end() :: else fi;
#endif
        touch();
        if
        :: left == 0
        :: else -> over; assert((gate & ~CLOSED) == 0)
        fi;
        touch();
        assert(ended == TASKS)
    :: else
    fi;
    if :: caller_does == IS_INLINE -> waited :: else fi;
    if :: caller_does != LEAVES_IT -> drop(1) :: else fi
}

proctype other_waiter() {
    if
    :: caller_does == IS_INLINE ->
        written;
        touch();
        if
        :: left == 0
        :: else -> over
        fi;
        touch();
        assert(ended == TASKS);
        waited = true
    :: else
    fi
}

proctype closer() {
    byte i, ran;
    bool last;
    gate = gate | CLOSED;
    gate == CLOSED;
    assert(ended == TASKS);
    stopping = true;
    workers == 0;
#ifndef NOT_DRAINED
    do
    :: requests > 0 -> requests--; help()
    :: else -> break
    od;
#endif
    pool_freed = true
}

proctype last_look() {
    timeout -> assert(freed && pool_freed)
}

init {
    atomic {
        if
        :: caller_does = WAITS
        :: caller_does = DROPS
        :: caller_does = LEAVES_IT
        :: caller_does = IS_INLINE
        fi;
        run worker();
        run worker();
        run caller();
        run other_waiter();
        run closer();
        run last_look()
    }
}
