/* A region's task as a pool written in Python holds it: tpi_lease_call, tpi_lease_end and the
 * references of lease.c, with python_pool_parallel_for around them.
 *
 * The pool hands an object with the lease to two threads, which may call late, and Ctrl-C
 * breaks its code off at any time: the region then ends without asking who still calls. Its
 * caller runs a task too, which may fork; in the child the two threads do not exist. Checked:
 * no task runs when the region has left its caller's stack; the region does end; the lease is
 * freed by the last one who holds it, and not before.
 *
 * Planted: LOOK_FIRST (a call looks whether the region has ended, and counts itself then),
 * TORN_END (the end reads the word, and stores it with the bit then), NOT_WOKEN (by the last
 * call), NO_END (the region trusts the pool), NO_KEEP (the object has no reference of its own),
 * RELEASE_FIRST (before the end), WAITS_IN_CHILD (for the parent's threads).
 */
#define ENDED 128

byte calls;              /* that are running, and ENDED */
byte references = 1;
bool freed;
byte users = 3;          /* of the object, counted by Python: the region and the threads */
bool region = true;      /* it is on its caller's stack */
bool asleep;             /* its caller, in tpi_lease_end */
bool forked;
byte gone;               /* processes below that are done with the lease */

inline touch() { assert(!freed) }

inline release() {
    atomic { touch(); references--; if :: references == 0 -> freed = true :: else fi }
}

/* The object is dropped by its last user, and its reference with it. */
inline drop(last) {
    atomic { users--; last = (users == 0) };
#ifndef NO_KEEP
    if :: last -> release() :: else fi
#endif
}

inline leave() {
    atomic { touch(); before = calls; calls-- };
#ifndef NOT_WOKEN
    if :: before == (ENDED | 1) -> asleep = false :: else fi
#endif
}

inline call(may_fork) {
#ifdef LOOK_FIRST
    touch();
    refused = (calls >= ENDED);
    calls++;
#else
    atomic { touch(); refused = (calls >= ENDED); calls++ };
#endif
    if
    :: refused
    :: else ->
        assert(region);
        if :: may_fork -> forked = true :: skip fi;
        assert(region)
    fi;
    leave()
}

proctype thread() {
    byte before;
    bool refused, last;
    {
        call(false);
        drop(last);
        gone++
    } unless { forked }
}

proctype caller() {
    byte before, now;
    bool refused, last;
#ifndef NO_KEEP
    references++;
#endif
    run thread();
    run thread();
    call(true);
    drop(last);
#ifdef RELEASE_FIRST
    release();
#endif
#ifndef NO_END
#ifdef TORN_END
    now = calls;
    calls = now | ENDED;
#else
    atomic { touch(); calls = calls | ENDED; now = calls };
#endif
    do
#ifndef WAITS_IN_CHILD
    :: now == ENDED || forked -> break
    :: else ->
#else
    :: now == ENDED -> break
    :: else ->
#endif
        /* futex wait: the kernel compares and sleeps in one step */
        atomic { if :: calls == now -> asleep = true :: else fi };
        !asleep;
        touch();
        now = calls
    od;
#endif
    region = false;
#ifndef RELEASE_FIRST
    release();
#endif
    gone++
}

proctype last_look() {
    end_in_child: gone == 3;
    assert(freed)
}

init { atomic { run caller(); run last_look() } }
