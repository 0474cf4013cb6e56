/* Pools in PyCapsules; part of the extension, not of the core. */
#ifndef TPI_CAPSULE_H
#define TPI_CAPSULE_H

#include <Python.h>

#include "threadpool_iface.h"

static const char *tpi_capsule_name(void) { return TPI_CAPSULE_NAME; }

/* A capsule holds one reference. */
static void release_capsule(PyObject *capsule) {
    tpi_pool *pool = PyCapsule_GetPointer(capsule, TPI_CAPSULE_NAME);
    if (!pool) return;
    Py_BEGIN_ALLOW_THREADS /* the last release waits for the pool's threads */
    tpi_pool_release(pool);
    Py_END_ALLOW_THREADS
}

/* A capsule with a reference of its own; called with the GIL. */
static PyObject *new_capsule(tpi_pool *pool) {
    PyObject *capsule = PyCapsule_New(pool, TPI_CAPSULE_NAME, release_capsule);
    if (capsule) tpi_pool_retain(pool);
    return capsule;
}

static uintptr_t tpi_capsule_maker(void) { return (uintptr_t)new_capsule; }

#endif
