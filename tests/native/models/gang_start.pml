/* Starting gangs on a pool with queues: tpi_run_gang, tpi_run_gang_soon and what their workers
 * do, of queued_gang.c.
 *
 * One caller starts two gangs of three tasks that wait for each other, another one a third, on
 * two workers: a gang that waits for its workers, or a muster, which may be called off at any
 * time. Queues may be full of others' items whenever one is pushed, and are emptied in any
 * order, late too. team.pml has the lock behind `turn`, signal_word.pml the words. Checked: all
 * tasks of a gang run, or none, if it was called off; nobody waits for ever; nobody uses a gang
 * that has left its caller's stack, or a muster that was freed, and each muster is freed.
 *
 * Planted: NO_TURN (two gangs at once), TURN_EARLY (it is given up when the items are queued),
 * QUEUED_ONCE (items that found no room are not tried again), START_SHORT (a muster starts when
 * the first worker arrives), BLIND_CALL_OFF (also one that has started), LATE_JOINS (any verdict is taken for a start), NOT_COUNTED (a
 * muster is freed by its caller), KEPT (references of items that found no room).
 */
#define TASKS 3          /* of a gang: its caller's, and one for each worker */
#define GANGS 3

mtype = { NONE, START, CALLED_OFF };
bool soon[GANGS];        /* a muster */
bool gone[GANGS];        /* from the stack, or freed */
byte items[GANGS];       /* in the queues */
byte next[GANGS], left[GANGS], met[GANGS], arrived[GANGS], references[GANGS];
bool over[GANGS];
mtype verdict[GANGS] = NONE;
bool turn;
byte callers = 2;

inline touch() { assert(!gone[g]) }

inline release(count) {
    atomic {
        touch();
        assert(references[g] >= (count));
        references[g] = references[g] - (count);
        if :: references[g] == 0 -> gone[g] = true :: else fi
    }
}

/* A task waits for all the others. */
inline run_task(i) {
    atomic { touch(); assert(i < TASKS); met[g]++ };
    met[g] == TASKS
}

inline join_gang() {
    atomic { touch(); i = next[g]; next[g]++ };
    run_task(i);
    atomic { touch(); left[g]--; last = (left[g] == 0) };
    if :: last -> atomic { touch(); over[g] = true } :: else fi
}

inline answer_muster() {
    atomic {
        touch();
        arrived[g]++;
#ifdef START_SHORT
        last = true
#else
        last = (arrived[g] == TASKS - 1)
#endif
    };
    if
    :: last -> atomic { touch(); if :: verdict[g] == NONE -> verdict[g] = START :: else fi }
    :: else
    fi;
    atomic { verdict[g] != NONE -> touch() };
    if
#ifndef LATE_JOINS
    :: verdict[g] != START
#endif
    :: else -> join_gang()
    fi;
#ifndef NOT_COUNTED
    release(1)
#endif
}

inline take(n) { atomic { items[n] > 0 -> items[n]--; g = n } }

proctype worker() {
    byte g, i;
    bool last;
    do
    :: if :: take(0) :: take(1) :: take(2) fi;
       if :: soon[g] -> answer_muster() :: else -> join_gang() fi
    :: callers == 0 && items[0] + items[1] + items[2] == 0 -> break
    od
}

inline take_turn() {
#ifndef NO_TURN
    atomic { !turn -> turn = true }
#else
    skip
#endif
}

inline lead_gang() {
    run_task(0);
    over[g]
}

inline run_gang() {
    take_turn();
    do
    :: queued == TASKS - 1 -> break
    :: queued < TASKS - 1 -> atomic { items[g]++; queued++ }
#ifdef QUEUED_ONCE
    :: break
#endif
    od;
#ifdef TURN_EARLY
    turn = false;
#endif
    lead_gang();
    gone[g] = true;
#ifndef TURN_EARLY
    turn = false;
#endif
    assert(met[g] == TASKS)
}

inline run_gang_soon() {
    if
    :: take_turn();
       references[g] = TASKS;
       do
       :: queued < TASKS - 1 -> atomic { items[g]++; queued++ }
       :: break
       od;
       if
       :: atomic { verdict[g] == START -> start = true }
#ifdef BLIND_CALL_OFF
       :: verdict[g] = CALLED_OFF; start = false
#else
       :: atomic { verdict[g] == NONE -> verdict[g] = CALLED_OFF; start = false }
#endif
       fi;
       if :: start -> lead_gang() :: else fi;
#ifdef NOT_COUNTED
       gone[g] = true;
#else
#ifdef KEPT
       release(1);
#else
       release(TASKS - queued);
#endif
#endif
       turn = false;
       assert(met[g] == (start -> TASKS : 0))
    :: gone[g] = true /* the turn did not come in time: there is no muster */
    fi
}

proctype caller(byte g, end) {
    byte queued, i;
    bool start;
    do
    :: g < end ->
        atomic { queued = 0; left[g] = TASKS - 1; next[g] = 1 };
        if
        :: run_gang()
        :: soon[g] = true; run_gang_soon()
        fi;
        g++
    :: else -> break
    od;
    callers--
}

proctype last_look() {
    byte g = 0;
    timeout;
    assert(callers == 0);
    do
    :: g < GANGS -> assert(gone[g] && (met[g] == 0 || met[g] == TASKS)); g++
    :: else -> break
    od
}

init { atomic { run worker(); run worker(); run caller(0, 2); run caller(2, 3); run last_look() } }
