/* A parent and a child of fork_join.c: signal_child, take_back and begin, with the futex beneath.
 *
 * The parent posts a region in each round. It takes the region back if the child has not begun, or
 * waits for it. Checked: each region runs once, by the child with the work that was posted for it;
 * everybody ends, so no wake-up is lost.
 *
 * Planted: BLIND_TAKE_BACK (look, then store), BLIND_BEGIN (the same for the child), WAKE_NOBODY.
 */
#define ROUNDS 3

mtype = { CLOSED, OPEN, TAKEN_BACK };
byte number;                 /* of the ticket */
mtype is = CLOSED;           /* what became of it */
bool asleep;                 /* its lowest bit */
bool sleeping;
byte work;                   /* what is to be done: the round; 0: end */
byte done;                   /* the number whose region the child has ended */
byte ran[ROUNDS + 1];

#define same(n, b) (number == n && is == b)

proctype child() {
    byte seen = 0, mine;
    mtype seen_is = CLOSED;
wait:
    do
    :: !same(seen, seen_is) -> break
    :: else ->
        /* compare-and-swap seen -> seen | ASLEEP */
        atomic { if :: same(seen, seen_is) -> asleep = true :: else fi }
        /* futex wait: the kernel compares and sleeps in one step */
        atomic { if :: same(seen, seen_is) && asleep -> sleeping = true :: else fi }
        !sleeping
    od;
    atomic { seen = number; seen_is = is }
    if
    :: seen_is == TAKEN_BACK -> goto wait
    :: else
    fi;
    if
    :: seen_is == CLOSED
#ifdef BLIND_BEGIN
    :: seen_is == OPEN && same(seen, OPEN) -> is = CLOSED
#else
    :: atomic { seen_is == OPEN && same(seen, OPEN) -> is = CLOSED }
#endif
    :: seen_is == OPEN && !same(seen, OPEN) -> seen_is = CLOSED; goto wait
    fi;
    seen_is = CLOSED;
    mine = work;
    if
    :: mine == 0 -> goto end
    :: else
    fi;
    assert(mine == work);
    ran[mine]++;
    done = seen;
    goto wait;
end: skip
}

byte posted, joined;         /* the parent's */

inline post(what, how) {
    work = what;
    posted++;
    atomic { was_asleep = asleep; number = posted; is = how; asleep = false };
    if
#ifndef WAKE_NOBODY
    :: was_asleep -> sleeping = false
#endif
    :: else
    fi
}

proctype parent() {
    byte round = 0;
    bool was_asleep;
    do
    :: round < ROUNDS ->
        round++;
        post(round, OPEN);
        if
#ifdef BLIND_TAKE_BACK
        :: is == OPEN -> is = TAKEN_BACK; ran[round]++
#else
        :: atomic { is == OPEN -> is = TAKEN_BACK }; ran[round]++
#endif
        :: done != joined -> joined = done
        fi;
        assert(ran[round] == 1)
    :: else -> break
    od;
    post(0, CLOSED)
}

init { atomic { run child(); run parent() } }
