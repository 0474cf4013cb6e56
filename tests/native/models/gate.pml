/* The gate of handle.c: tpi_gate_enter and tpi_gate_leave against tpi_pool_close, by a first
 * closer and a second one that comes at any time.
 *
 * Two callers bring regions. Checked: no region runs once the threads are told to end; they are
 * told once; a close returns only when they have ended; nobody sleeps for ever, so each close
 * does return.
 *
 * Planted: LOOK_FIRST (a region looks whether the pool is closed, and counts itself then),
 * REFUSED_STAYS (a refused region stays counted), TORN_CLOSE (a closer reads the word, and
 * stores it with the bit then), WAKE_ONE (of two closers), ENDED_UNTOLD (the second closer is
 * not woken), SECOND_RETURNS (it waits for the regions only).
 */
#define REGIONS 2
#define CLOSERS 2
#define CLOSED 128

mtype = { AWAKE, ON_GATE, ON_ENDED };
byte gate;               /* regions inside, and CLOSED */
bool ended;
mtype sleeps[CLOSERS] = AWAKE;
byte running;            /* regions that use the threads */
bool threads = true;

/* The kernel wakes all who sleep on a word. */
inline wake(word) {
    atomic {
        if
        :: sleeps[0] == word -> sleeps[0] = AWAKE
        :: sleeps[1] == word -> sleeps[1] = AWAKE
        :: else
        fi;
#ifndef WAKE_ONE
        if :: sleeps[0] == word -> sleeps[0] = AWAKE :: else fi;
        if :: sleeps[1] == word -> sleeps[1] = AWAKE :: else fi
#endif
    }
}

inline leave() {
    atomic { before = gate; gate-- };
    if :: before == (CLOSED | 1) -> wake(ON_GATE) :: else fi
}

inline enter(refused) {
#ifdef LOOK_FIRST
    refused = (gate >= CLOSED);
    if :: refused :: else -> gate++ fi
#else
    atomic { refused = (gate >= CLOSED); gate++ };
#ifndef REFUSED_STAYS
    if :: refused -> leave() :: else fi
#endif
#endif
}

proctype caller() {
    byte before, region = 0;
    bool refused;
    do
    :: region < REGIONS ->
        enter(refused);
        if
        :: refused
        :: else ->
            running++;
            assert(threads);
            running--;
            leave()
        fi;
        region++
    :: else -> break
    od
}

inline await_value(word, wanted, sleep) {
    do
    :: now = word;
       if
       :: now == wanted -> break
       :: else
       fi;
       /* futex wait: the kernel compares and sleeps in one step */
       atomic { if :: word == now -> sleeps[me] = sleep :: else fi };
       sleeps[me] == AWAKE
    od
}

proctype closer(byte me) {
    byte before, now;
#ifdef TORN_CLOSE
    before = gate;
    gate = before | CLOSED;
#else
    atomic { before = gate; gate = gate | CLOSED };
#endif
    await_value(gate, CLOSED, ON_GATE);
    if
    :: before >= CLOSED ->
#ifndef SECOND_RETURNS
        await_value(ended, 1, ON_ENDED)
#else
        skip
#endif
    :: else ->
        assert(threads && running == 0);
        threads = false;
        ended = true;
#ifndef ENDED_UNTOLD
        wake(ON_ENDED)
#endif
    fi;
    assert(!threads)
}

init { atomic { run caller(); run caller(); run closer(0); run closer(1) } }
