/* Where the members of an OpenMP region run: run_with_pool of team.c, with extras.c.
 *
 * Two callers start a region each, of two and of three members, on a pool of two threads; so one
 * has a member more than the pool. Members wait for each other, or none does, and they want a lock of
 * their library that one caller holds around its whole region, as an OpenBLAS does that was built for
 * OpenMP. A caller takes the pool when it is free, and may be done waiting for it at any time; then
 * threads are borrowed for all members. team.pml and gang_start.pml have the pool's own steps. Checked: every region gets all
 * its members at the same time, and ends, whoever holds what; nobody uses a team that has left its
 * caller's stack.
 *
 * Planted: WAIT_FOR_EVER (for the pool: its members want the lock that the waiting caller holds),
 * SMALLER (the team is its caller alone when the pool was not to be had), FROM_ZERO (borrowed
 * threads are counted from zero, so that the first to end seems to be the last), NOT_AWAITED.
 */
#define CALLERS 2

bool meet;               /* members wait for each other */
bool turn;               /* a caller has the pool */
bool lock;               /* the library's */
byte posted = CALLERS;   /* whose region the pool's worker is to join; CALLERS: nobody's */
byte size[CALLERS], met[CALLERS], ran[CALLERS], left[CALLERS];
bool over[CALLERS], gone[CALLERS], holds[CALLERS];

inline touch() { assert(!gone[c]) }

inline run_member() {
    atomic { touch(); met[c]++ };
    if
    :: holds[c]
    :: else -> atomic { !lock -> lock = true }; lock = false
    fi;
    (!meet || met[c] == size[c]);
    atomic { touch(); ran[c]++ }
}

proctype worker() {
    byte c;
end_idle:
    do
    :: atomic { posted < CALLERS -> c = posted };
       run_member();
       posted = CALLERS
    od
}

proctype extra(byte c) {
    run_member();
    atomic {
        touch();
        left[c]--;
        if :: left[c] == 0 -> over[c] = true :: else fi
    }
}

inline borrow() { left[c]++; run extra(c) }

inline await_extras() {
#ifdef NOT_AWAITED
    skip
#else
#ifdef FROM_ZERO
    if :: borrowed -> over[c] :: else fi
#else
    atomic { left[c]--; last = (left[c] == 0) };
    if :: last :: else -> over[c] fi
#endif
#endif
}

proctype caller(byte c) {
    bool last, borrowed;
    if :: holds[c] -> atomic { !lock -> lock = true } :: else fi;
#ifndef FROM_ZERO
    left[c] = 1;
#endif
    if :: size[c] == 3 -> borrow(); borrowed = true :: else fi;
    if
    :: atomic { !turn -> turn = true };
       posted = c;
       run_member();
       posted == CALLERS;
       turn = false
#ifndef WAIT_FOR_EVER
    :: true ->
#ifndef SMALLER
       borrow();
       borrowed = true;
#endif
       run_member()
#endif
    fi;
    await_extras();
    gone[c] = true;
#ifndef NOT_AWAITED
    assert(ran[c] == size[c]);
#endif
    if :: holds[c] -> lock = false :: else fi
}

init {
    atomic {
        size[0] = 2; size[1] = 3;
        if :: holds[0] = true :: holds[1] = true fi;
        if :: meet = true :: skip fi;
        run worker(); run caller(0); run caller(1)
    }
}
