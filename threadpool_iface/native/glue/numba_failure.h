/* The way of a failure from numba's generated code, which cannot fail, to Python; part of the
 * extension, not of the core.
 *
 * The exception is set as an asynchronous one of the calling thread: it is raised when compiled code
 * has returned to the interpreter. Nothing of Python may run here after it is set, or it would be
 * raised inside that; hence C. An exception that was simply set would be found beside a result, and
 * turned into a SystemError. */
#ifndef TPI_NUMBA_FAILURE_H
#define TPI_NUMBA_FAILURE_H

#include <Python.h>

/* What to raise; NULL with an exception set. */
static PyObject *tpi_numba_carrier(PyObject *module, int code) {
    PyObject *carrier = PyObject_CallMethod(module, "carrier_for", "i", code);
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

static void tpi_numba_failed(int32_t code) {
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *module = PyImport_ImportModule("threadpool_iface.numba_layer.failure");
    PyObject *carrier = module ? tpi_numba_carrier(module, code) : NULL;
    if (!carrier)
        PyErr_WriteUnraisable(module);
    else if (carrier != Py_None)
        PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), carrier);
    Py_XDECREF(carrier);
    Py_XDECREF(module);
    PyGILState_Release(gil);
}

#endif
