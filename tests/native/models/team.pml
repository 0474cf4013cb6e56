/* Who has the team of fork_join.c: parallel_for, run_together, run_together_soon and
 * run_on_team, over the futex mutex of lock.h.
 *
 * A caller of a loop of three tasks that finds the team busy runs them one by one, and tries to
 * get the team after each. Beside it a gang waits for the team, and so does a second one,
 * perhaps for a while only, or there is a second loop. The team has one worker; taking_back.pml
 * has its mailbox. Left out: that a sleeper looks again by itself after 50 ms, which nobody may
 * need, and a gang that stops waiting because its region failed. Checked: each task runs once,
 * a gang's two at the same time; one that gave up ran none; two regions are never on the team;
 * nobody sleeps for ever.
 *
 * Planted: BLIND_TRY (look, then store), UNLOCK_BLINDLY (nobody is woken), ONE_AFTER_WAKING
 * (who was woken takes the lock as if nobody else slept), GIVE_UP_FIRST (who was woken does not
 * look again when its time is over), FROM_ZERO (the team claims tasks that ran before),
 * UNLOCK_EARLY (before the worker is done).
 */
#define TASKS 3          /* of a loop; a gang has two */

byte lock;               /* 0: free; 1: held; 2: held, and somebody may be asleep */
bool sleeping[3];
byte on_team;            /* regions */
byte next;
byte posted, done;       /* the worker's mailbox */
byte work, work_begin;
bool work_together;
byte ran[9], met[3];

inline run_task(who, i, together) {
    ran[who * TASKS + i]++;
    assert(ran[who * TASKS + i] == 1);
    if :: together -> met[who]++; met[who] == 2 :: else fi
}

inline run_share(who, begin, together, member) {
    if
    :: together -> run_task(who, member, true)
    :: else ->
        do
        :: atomic { i = begin + next; next++ };
           if
           :: i >= TASKS -> break
           :: else -> run_task(who, i, false)
           fi
        od
    fi
}

proctype worker() {
    byte seen = 0, who, begin, i;
    bool together;
end_idle:
    do
    :: atomic { posted != seen -> seen = posted };
       atomic { who = work; begin = work_begin; together = work_together };
       run_share(who, begin, together, 1);
       done = seen
    od
}

inline try_lock(won) {
#ifdef BLIND_TRY
    won = (lock == 0);
    if :: won -> lock = 1 :: else fi
#else
    atomic { won = (lock == 0); if :: won -> lock = 1 :: else fi }
#endif
}

/* Only a caller with a limit stops waiting without the lock. */
inline wait_for_lock(limited, won) {
    try_lock(won);
    do
    :: won -> break
    :: else ->
#ifdef ONE_AFTER_WAKING
        atomic { won = (lock == 0); lock = (won -> 1 : 2) };
#else
        atomic { won = (lock == 0); lock = 2 };
#endif
        if
        :: won -> break
        :: !won && limited -> break
        :: !won -> atomic { if :: lock == 2 -> sleeping[me] = true :: else fi }
        fi;
#ifdef GIVE_UP_FIRST
        if
        :: !sleeping[me]
        :: limited -> sleeping[me] = false; break
        fi
#else
        if
        :: !sleeping[me]
        :: limited -> sleeping[me] = false
        fi
#endif
    od
}

/* The kernel wakes whichever sleeper it likes. */
inline unlock() {
    atomic { before = lock; lock = 0 };
#ifndef UNLOCK_BLINDLY
    atomic {
        if
        :: before == 2 && sleeping[1] -> sleeping[1] = false
        :: before == 2 && sleeping[2] -> sleeping[2] = false
        :: else
        fi
    }
#endif
}

inline run_on_team(begin, together) {
    on_team++;
    assert(on_team == 1);
    next = 0;
#ifdef FROM_ZERO
    atomic { work = me; work_begin = 0; work_together = together };
#else
    atomic { work = me; work_begin = begin; work_together = together };
#endif
    posted++;
    run_share(me, begin, together, 0);
#ifdef UNLOCK_EARLY
    on_team--;
    unlock();
    done == posted
#else
    done == posted;
    on_team--;
    unlock()
#endif
}

inline count(tasks) {
    i = 0;
    do
    :: i < tasks -> assert(ran[me * TASKS + i] == 1); i++
    :: else -> break
    od
}

proctype loop(byte me) {
    byte begin = 0, i, before;
    bool won;
    do
    :: begin < TASKS ->
        if
        :: TASKS - begin > 1 -> try_lock(won)
        :: else -> won = false
        fi;
        if
        :: won -> run_on_team(begin, false); break
        :: else -> run_task(me, begin, false); begin++
        fi
    :: else -> break
    od;
    count(TASKS)
}

proctype gang(byte me; bool limited) {
    byte i, before;
    bool won;
    wait_for_lock(limited, won);
    if
    :: won -> run_on_team(0, true); count(2)
    :: else -> assert(limited && ran[me * TASKS] == 0)
    fi
}

init {
    atomic {
        run worker();
        run loop(0);
        run gang(1, false);
        if :: run gang(2, false) :: run gang(2, true) :: run loop(2) fi
    }
}
