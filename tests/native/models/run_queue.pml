/* The bounded queue of run_queue.[ch]: an owner at the front without a lock, two others at the back
 * under the mutex, on a ring so short that it fills up and wraps.
 *
 * Checked: every item that was queued is taken exactly once, nothing else is, and nobody touches a
 * slot's item while another does; a queue that refuses (full) keeps the item with who brought it.
 *
 * Planted: NO_CLAIM (the state is tested and set in two steps), NO_MUTEX (two thieves at once read
 * the same back).
 */
#define SIZE 2
#define ITEMS 4 /* two of the owner, one of each of the others */

#define EMPTY 0
#define BUSY 1
#define READY 2

byte state[SIZE], item[SIZE], users[SIZE];
byte front, back; /* modulo 256, which SIZE divides, as it does 2^32 in the source */
bool locked;
byte taken[ITEMS + 1];
bool queued[ITEMS + 1];

inline claim(slot, from, won) {
#ifdef NO_CLAIM
    won = (state[slot] == from);
    if :: won -> state[slot] = BUSY :: else fi
#else
    atomic { won = (state[slot] == from); if :: won -> state[slot] = BUSY :: else fi }
#endif
}

inline use(slot) { users[slot]++; assert(users[slot] == 1) }
inline leave(slot) { users[slot]-- }

inline lock() {
#ifndef NO_MUTEX
    atomic { !locked -> locked = true }
#else
    skip
#endif
}
inline unlock() { locked = false }

inline push_front(value) {
    f = front;
    claim(f % SIZE, EMPTY, won);
    if
    :: won -> front = f + 1; use(f % SIZE); item[f % SIZE] = value; queued[value] = true;
              leave(f % SIZE); state[f % SIZE] = READY
    :: else
    fi
}

inline pop_front() {
    f = front - 1;
    claim(f % SIZE, READY, won);
    if
    :: won -> use(f % SIZE); taken[item[f % SIZE]]++; leave(f % SIZE); front = f;
              state[f % SIZE] = EMPTY
    :: else
    fi
}

inline push_back(value) {
    lock();
    b = back - 1;
    claim(b % SIZE, EMPTY, won);
    if
    :: won -> back = b; use(b % SIZE); item[b % SIZE] = value; queued[value] = true;
              leave(b % SIZE); state[b % SIZE] = READY
    :: else
    fi;
    unlock()
}

inline pop_back() {
    b = back;
    if
    :: state[b % SIZE] == READY ->
        lock();
        b = back;
        claim(b % SIZE, READY, won);
        if
        :: won -> use(b % SIZE); taken[item[b % SIZE]]++; leave(b % SIZE); back = b + 1;
                  state[b % SIZE] = EMPTY
        :: else
        fi;
        unlock()
    :: else
    fi
}

byte ended;

proctype owner() {
    byte f;
    bool won;
    push_front(1);
    push_front(2);
    pop_front();
    pop_front();
    ended++
}

proctype other(byte value) {
    byte b;
    bool won;
    push_back(value);
    pop_back();
    pop_back();
    ended++
}

/* What is left when everybody has gone is taken by the owner, as `drain` and a worker's next look
 * do, and then every item has been taken as often as it was queued. */
proctype last_look() {
    byte f, i = 0;
    bool won;
    ended == 3;
    do
    :: i < SIZE -> pop_front(); i++
    :: else -> break
    od;
    i = 1;
    do
    :: i <= ITEMS -> assert(taken[i] == queued[i]); i++
    :: else -> break
    od
}

init { atomic { run owner(); run other(3); run other(4); run last_look() } }
