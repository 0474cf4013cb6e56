/* Whether any library of the process makes OpenMP tasks. If none can, members need not meet at the end of
 * a region, which would cost every one of them. */
#ifndef TPI_GOMP_TASK_USERS_H
#define TPI_GOMP_TASK_USERS_H

/* Look through the libraries that have been loaded since the last look; sets tpi_tasks_are_used. */
void tpi_look_for_task_users(void);

#endif
