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

static void tpi_numba_failed(int32_t code) {
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *module = PyImport_ImportModule("threadpool_iface.numba_layer.failure");
    PyObject *carrier = module ? PyObject_CallMethod(module, "carrier_for", "i", (int)code) : NULL;
    if (!carrier)
        PyErr_WriteUnraisable(module);
    else if (carrier != Py_None)
        PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), carrier);
    Py_XDECREF(carrier);
    Py_XDECREF(module);
    PyGILState_Release(gil);
}

#endif
