/* What compiled Python code calls: regions without the GIL, and exceptions across them; part of the
 * extension, not of the core.
 *
 * A caller compiled without nogil comes here holding the GIL. A pool written in Python, or a body that
 * goes back to the interpreter, would wait for it for ever, so it is released around the region. */
#ifndef TPI_NOPYTHON_H
#define TPI_NOPYTHON_H

#include <Python.h>

#include "ranges.h"
#include "threadpool_iface.h"

/* The current thread state under its name from CPython 3.13 on, and before; the stable ABI declares
 * neither. PyGILState_Check would do, but it says yes to everybody once there was a
 * subinterpreter. */
extern PyThreadState *PyThreadState_GetUnchecked(void) __attribute__((weak));
extern PyThreadState *_PyThreadState_UncheckedGet(void) __attribute__((weak));

static int holds_gil(void) {
    PyThreadState *current = PyThreadState_GetUnchecked ? PyThreadState_GetUnchecked()
                                                        : _PyThreadState_UncheckedGet();
    /* Before 3.12 it is that of whoever holds the GIL. */
    return current && current == PyGILState_GetThisThreadState();
}

static PyThreadState *release_gil(void) { return holds_gil() ? PyEval_SaveThread() : NULL; }

static void take_gil_back(PyThreadState *held) {
    if (held) PyEval_RestoreThread(held);
}

static int32_t tpi_nopython_parallel(int64_t nthr, tpi_task task, void *ctx) {
    if (nthr < 0 || nthr > INT32_MAX) return TPI_E_INVALID;
    PyThreadState *held = release_gil();
    int32_t code = tpi_parallel((int32_t)nthr, task, ctx);
    take_gil_back(held);
    return code;
}

static int32_t tpi_nopython_for(int64_t n, int64_t grain, int32_t schedule, int64_t max_num_threads,
                                double cost, tpi_range_task run, void *ctx) {
    PyThreadState *held = release_gil();
    int32_t code = tpi_for(n, grain, schedule, max_num_threads, cost, run, ctx);
    take_gil_back(held);
    return code;
}

/* Take the exception that is set in this thread, for the region's caller. NULL if there is none: a
 * worker's thread state, and what was set in it, ends with the Python code that it ran. */
static void *tpi_nopython_keep_error(void) {
    PyObject *kind, *error, *traceback;
    if (!PyGILState_GetThisThreadState()) return NULL;
    PyGILState_STATE state = PyGILState_Ensure();
    PyErr_Fetch(&kind, &error, &traceback);
    if (kind) PyErr_NormalizeException(&kind, &error, &traceback);
    if (error && traceback) PyException_SetTraceback(error, traceback);
    Py_XDECREF(kind);
    Py_XDECREF(traceback);
    PyGILState_Release(state);
    return error;
}

static void call_raiser(const char *name, const char *format, ...) {
    PyObject *module = PyImport_ImportModule("threadpool_iface.user_kernels.failures");
    PyObject *raiser = module ? PyObject_GetAttrString(module, name) : NULL;
    va_list values;
    va_start(values, format);
    PyObject *args = raiser ? Py_VaBuildValue(format, values) : NULL;
    va_end(values);
    PyObject *nothing = args ? PyObject_CallObject(raiser, args) : NULL;
    Py_XDECREF(nothing);
    Py_XDECREF(args);
    Py_XDECREF(raiser);
    Py_XDECREF(module);
}

/* Set in this thread what tpi_nopython_keep_error took in another. */
static void tpi_nopython_raise_kept(void *kept) {
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *error = kept;
    if (error)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    else
        call_raiser("raise_lost", "()");
    Py_XDECREF(error);
    PyGILState_Release(state);
}

/* Set in this thread the exception that a negative code of a region stands for. The numbers are what
 * tpi_nopython_for was called with; or tpi_nopython_parallel, if `is_loop` is 0. */
static void tpi_nopython_raise_code(int32_t code, int32_t is_loop, int64_t n, int64_t grain,
                                    int64_t max_num_threads) {
    PyGILState_STATE state = PyGILState_Ensure();
    call_raiser("raise_code", "(iiLLL)", (int)code, (int)is_loop, (long long)n, (long long)grain,
                (long long)max_num_threads);
    PyGILState_Release(state);
}

#endif
