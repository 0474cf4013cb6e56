#define _GNU_SOURCE
#include "task_queue.h"

static void insert(tpi_task_list *list, int which, tpi_explicit *t) {
    tpi_explicit *before = list->last;
    while (before && before->priority < t->priority) before = before->links[which].before;
    tpi_explicit *after = before ? before->links[which].after : list->first;
    t->links[which].before = before;
    t->links[which].after = after;
    *(before ? &before->links[which].after : &list->first) = t;
    *(after ? &after->links[which].before : &list->last) = t;
    /* release: a member that sees the count looks under the lock, which orders the rest. */
    atomic_fetch_add_explicit(&list->count, 1, memory_order_release);
}

static void take_out(tpi_task_list *list, int which, tpi_explicit *t) {
    tpi_explicit *before = t->links[which].before, *after = t->links[which].after;
    *(before ? &before->links[which].after : &list->first) = after;
    *(after ? &after->links[which].before : &list->last) = before;
    atomic_fetch_sub_explicit(&list->count, 1, memory_order_relaxed);
}

void tpi_queue_insert(tpi_explicit *t) {
    insert(&t->team->queued, TPI_OF_TEAM, t);
    insert(&t->task.parent->queued, TPI_OF_PARENT, t);
    if (t->task.group) insert(&t->task.group->queued, TPI_OF_GROUP, t);
}

void tpi_queue_remove(tpi_explicit *t) {
    take_out(&t->team->queued, TPI_OF_TEAM, t);
    take_out(&t->task.parent->queued, TPI_OF_PARENT, t);
    if (t->task.group) take_out(&t->task.group->queued, TPI_OF_GROUP, t);
}
