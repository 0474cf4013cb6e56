/* The way of a failure from numba's generated code, which cannot fail, to Python; part of the
 * extension, not of the core.
 *
 * An exception of a loop's body is left by numba on the thread that ran it, whose Python state ends
 * with numba's release of the GIL. So that state is held until the task has ended.
 *
 * The exception is set as an asynchronous one of the calling thread: it is raised when compiled code
 * has returned to the interpreter. Nothing of Python may run here after it is set, or it would be
 * raised inside that; hence C. An exception that was simply set would be found beside a result, and
 * turned into a SystemError. */
#ifndef TPI_NUMBA_FAILURE_H
#define TPI_NUMBA_FAILURE_H

#include <Python.h>

#include "numba_layer.h"

/* numba's own function, which sets the exception that `packed` describes; called with the GIL. */
static int (*tpi_numba_stock_do_raise)(PyObject *packed);

static void tpi_numba_set_do_raise(uintptr_t stock) {
    tpi_numba_stock_do_raise = (int (*)(PyObject *))stock;
}

static int tpi_numba_raise_in_body(PyObject *packed) {
    if (tpi_numba_raising()) PyGILState_Ensure(); /* until tpi_numba_take_exception */
    return tpi_numba_stock_do_raise(packed);
}

static uintptr_t tpi_numba_do_raise(void) { return (uintptr_t)tpi_numba_raise_in_body; }

static void *tpi_numba_take_exception(void) {
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    if (type) PyErr_NormalizeException(&type, &error, &traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    PyGILState_Release(PyGILState_LOCKED); /* the one of tpi_numba_raise_in_body */
    PyGILState_Release(gil);
    return error;
}

static void tpi_numba_discard(void *exception) {
    PyGILState_STATE gil = PyGILState_Ensure();
    Py_DECREF((PyObject *)exception);
    PyGILState_Release(gil);
}

/* `method(argument)` of the module that says what to raise; NULL with an exception set. */
static PyObject *tpi_numba_carrier(PyObject *module, const char *method, PyObject *argument) {
    PyObject *carrier = PyObject_CallMethod(module, method, "O", argument);
    if (carrier) return carrier;
    /* An exception that was on its way to this thread, of an earlier loop or Ctrl-C, was raised in
     * there: it came first, and goes on. */
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    carrier = PyObject_CallMethod(module, "carrier_of", "O", error);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
    return carrier;
}

/* Takes over the reference of `argument`. */
static void tpi_numba_raise_later(const char *method, PyObject *argument) {
    PyObject *module = PyImport_ImportModule("threadpool_iface.numba_layer.failure");
    PyObject *carrier = module && argument ? tpi_numba_carrier(module, method, argument) : NULL;
    if (!carrier)
        PyErr_WriteUnraisable(module);
    else if (carrier != Py_None)
        PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), carrier);
    Py_XDECREF(carrier);
    Py_XDECREF(argument);
    Py_XDECREF(module);
}

static void tpi_numba_failed(int32_t code) {
    PyGILState_STATE gil = PyGILState_Ensure();
    tpi_numba_raise_later("carrier_for", PyLong_FromLong(code));
    PyGILState_Release(gil);
}

static void tpi_numba_raise(void *exception) {
    PyGILState_STATE gil = PyGILState_Ensure();
    tpi_numba_raise_later("carrier_of", (PyObject *)exception);
    PyGILState_Release(gil);
}

#endif
