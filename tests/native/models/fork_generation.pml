/* A task that forks while its region holds the gate and perhaps the team, as seen in the child:
 * the generations of handle.c (notice_fork, forget_parent, tpi_gate_leave, tpi_pool_close) and
 * of fork_join.c (parallel_for, run_share, take_part, run_on_team).
 *
 * In the task the child uses the pool, for a region of two tasks or to close it, and another
 * thread of the child does so at the same time; then the frames of the parent's region are
 * left, and the pool is used once more and closed. At the fork another region of the parent may
 * have been inside, and a closer waiting. The team has one worker; taking_back.pml has its
 * mailbox. Checked: no task of the parent's region begins in the child; the child's regions run
 * each task once, one region at a time on the team; the gate counts the child's regions only;
 * each close returns, when the threads have ended.
 *
 * Planted: LEAVE_ANYWAY (the old frames leave the child's gate), CLAIM_ON (they claim what is
 * the child's), JOIN_ANYWAY (they wait for the child's worker), UNLOCK_ANYWAY (they give the
 * child's team back), RUN_ON (they go on with tasks and try the team), NO_MUTEX (two threads
 * forget the parent at once), NO_SECOND_LOOK (one after the other), GENERATION_FIRST (the pool
 * is the child's before it is clean), ENDED_LEFT (the parent's closer is waited for).
 */
#define CLOSED 128
#define OLD 0            /* the parent's region; the child's are those of its users */
#define END 9            /* work: the worker is to end */

mtype = { NOTHING, REGION, CLOSE };
byte generation, pool_generation;
byte gate;
bool ended, team, mutex, started;
byte next, on_team;
byte posted, joined, done, work; /* the worker's mailbox */
byte workers;            /* of the child */
byte ran[8], returned;

#define forked_meanwhile (generation != mine)

inline forget_parent() {
#ifndef NO_MUTEX
    atomic { !mutex -> mutex = true };
#endif
    if
#ifdef NO_SECOND_LOOK
    :: true ->
#else
    :: pool_generation != generation ->
#endif
#ifdef GENERATION_FIRST
        pool_generation = generation;
#endif
        closed = (gate & CLOSED);
        gate = closed;
#ifndef ENDED_LEFT
        ended = (closed != 0);
#endif
        started = false;
        team = false;
        pool_generation = generation
#ifndef NO_SECOND_LOOK
    :: else
#endif
    fi;
    mutex = false
}

inline notice_fork() {
    if :: pool_generation != generation -> forget_parent() :: else fi
}

inline leave() {
    if
#ifndef LEAVE_ANYWAY
    :: forked_meanwhile
#endif
    :: else -> atomic { assert((gate & ~CLOSED) > 0); gate-- }
    fi
}

inline enter(refused) {
    notice_fork();
    atomic { refused = (gate >= CLOSED); gate++ };
    if :: refused -> leave() :: else fi
}

inline run_task(region, i) {
    if
    :: region == OLD ->
        assert(generation == 0);
        generation = 1;
        run user(1);
        run user(2);
        returned & 2 /* the thread itself; Promela has no calls */
    :: else ->
        ran[region * 2 + i]++;
        assert(ran[region * 2 + i] == 1)
    fi
}

inline run_share(region, begin, tasks) {
    do
#ifndef CLAIM_ON
    :: forked_meanwhile -> break
#endif
    :: else ->
        atomic { i = begin + next; next++ };
        if
        :: i >= tasks -> break
        :: else -> run_task(region, i)
        fi
    od
}

proctype worker() {
    byte seen = 0, region, i, mine;
    mine = generation;
    do
    :: posted != seen ->
        seen = posted;
        region = work;
        if :: region == END -> break :: else fi;
        run_share(region, 0, 2);
        done = seen
    od;
    workers--
}

inline run_on_team(region, begin, tasks) {
    if
    :: started
    :: else ->
        posted = 0; joined = 0; done = 0;
        workers++;
        run worker();
        started = true
    fi;
    next = 0;
    if :: region != OLD -> on_team++; assert(on_team == 1) :: else fi;
    work = region;
    posted++;
    run_share(region, begin, tasks);
    if
#ifndef JOIN_ANYWAY
    :: forked_meanwhile
#endif
    :: else -> done != joined; joined = done
    fi;
    if
#ifndef UNLOCK_ANYWAY
    :: forked_meanwhile
#endif
    :: else ->
        if :: region != OLD -> on_team-- :: else fi;
        team = false
    fi
}

inline parallel_for(region, tasks) {
    begin = 0;
    do
#ifndef RUN_ON
    :: begin == tasks || forked_meanwhile -> break
#else
    :: begin == tasks -> break
#endif
    :: else ->
        won = false;
        if
        :: tasks - begin > 1 -> atomic { if :: !team -> team = true; won = true :: else fi }
        :: else
        fi;
        if
        :: won -> run_on_team(region, begin, tasks); break
        :: else -> run_task(region, begin); begin++
        fi
    od
}

inline close() {
    notice_fork();
    atomic { closed = (gate & CLOSED); gate = gate | CLOSED };
    gate == CLOSED;
    if
    :: closed -> ended
    :: else ->
        if :: started -> work = END; posted++; workers == 0; started = false :: else fi;
        ended = true
    fi;
    assert(workers == 0)
}

/* A thread of the child. */
proctype user(byte me) {
    byte begin, i, closed, mine;
    bool refused, won;
    mtype does;
    mine = generation;
    if :: does = NOTHING :: does = REGION :: does = CLOSE fi;
    if
    :: does == REGION ->
        enter(refused);
        if
        :: refused
        :: else ->
            parallel_for(me, 2);
            assert(ran[me * 2] == 1 && ran[me * 2 + 1] == 1);
            leave()
        fi
    :: does == CLOSE -> close()
    :: else
    fi;
    returned = returned | (1 << me)
}

/* The thread that forks, from the parent's region on. */
proctype forker() {
    byte begin, i, closed, mine = 0;
    bool won;
    parallel_for(OLD, 3);
    leave();
    run user(3);
    returned & 8;
    close();
    returned & 4;
    assert(gate == CLOSED && ended)
}

init {
    atomic {
        gate = 1;
        if :: gate++ :: skip fi;
        if :: gate = gate | CLOSED :: skip fi;
        started = true;
        if :: team = true :: skip fi;
        run forker()
    }
}
