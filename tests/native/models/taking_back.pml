/* A parent and a child of fork_join.c: signal_child, take_back and begin, with the futex beneath.
 *
 * The parent posts a region in each round. It takes the region back if the child has not begun, or
 * waits for it. Checked: each region runs once, by the child with the work that was posted for it;
 * everybody ends, so no wake-up is lost when a word goes back to the value a sleeper knows.
 *
 * Planted: BLIND_TAKE_BACK (look, then store), BLIND_BEGIN (the same for the child), EARLY_READ (of
 * the work, before the ticket is closed), WAKE_NOBODY.
 */
#define ROUNDS 3

byte number;         /* of the ticket */
bool open, asleep;   /* its bits */
bool sleeping;
byte work;           /* what is to be done: the round; 0: end */
byte done;           /* the number whose region the child has ended */
byte ran[ROUNDS + 1];

proctype child() {
    byte seen = 0, mine, value;
    bool was_open;
wait:
    do
    :: number != seen -> break
    :: else ->
        /* compare-and-swap seen -> seen | ASLEEP */
        atomic { if :: number == seen -> asleep = true :: else fi }
        /* futex wait: the kernel compares and sleeps in one step */
        atomic { if :: number == seen && asleep -> sleeping = true :: else fi }
        !sleeping
    od;
    atomic { value = number; was_open = open }
    if
    :: value == seen -> goto wait
    :: else
    fi;
#ifdef EARLY_READ
    mine = work;
#endif
    if
    :: !was_open
#ifdef BLIND_BEGIN
    :: was_open && number == value && open -> open = false
#else
    :: atomic { was_open && number == value && open -> open = false }
#endif
    :: was_open && !(number == value && open) -> goto wait
    fi;
#ifndef EARLY_READ
    mine = work;
#endif
    if
    :: mine == 0 -> goto end
    :: else
    fi;
    assert(mine == work);
    ran[mine]++;
    seen = value;
    done = value;
    goto wait;
end: skip
}

byte joined;         /* the parent's */

inline post(what, may_take_back) {
    work = what;
    atomic { was_asleep = asleep; number = joined + 1; open = may_take_back; asleep = false };
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
        post(round, true);
        if
#ifdef BLIND_TAKE_BACK
        :: open -> atomic { number = joined; open = false }; ran[round]++
#else
        :: atomic { open -> number = joined; open = false }; ran[round]++
#endif
        :: done == joined + 1 -> joined++
        fi;
        assert(ran[round] == 1)
    :: else -> break
    od;
    post(0, false)
}

init { atomic { run child(); run parent() } }
