/* Methods that an exception from outside cannot leave half done; part of the extension, not of the core.
 *
 * Ctrl-C, and PyThreadState_SetAsyncExc, raise between any two bytecodes, also before the first line of a
 * function and after its last: no `try` in it covers those. `guarded(function, finish)` is a method that
 * calls `function(self, noted, *args)`, where `noted` is a new list in which it notes how far it has come.
 * If that raises, `finish(self, noted)` is called until it returns, and then the exception goes on. So
 * `finish` must be able to begin anew, and leaves things either done or undone. The calls are made from C,
 * where nothing is raised in between. */
#ifndef TPI_GUARDED_H
#define TPI_GUARDED_H

#include <Python.h>

/* A `finish` that fails by itself fails each time; one that was broken off does not. A guess. */
#define TPI_MOST_FINISHES 100

typedef struct {
    PyObject_HEAD
    PyObject *function, *finish;
} guarded;

static PyObject *guarded_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"function", "finish", NULL};
    PyObject *function, *finish;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO", names, &function, &finish)) return NULL;
    guarded *self = (guarded *)PyType_GenericAlloc(type, 0);
    if (!self) return NULL;
    Py_INCREF(function);
    Py_INCREF(finish);
    self->function = function;
    self->finish = finish;
    return (PyObject *)self;
}

static void guarded_dealloc(PyObject *object) {
    guarded *self = (guarded *)object;
    PyTypeObject *type = Py_TYPE(object);
    Py_XDECREF(self->function);
    Py_XDECREF(self->finish);
    PyObject_Free(object);
    Py_DECREF(type);
}

/* (instance, noted, further arguments). */
static PyObject *with_notes(PyObject *args, PyObject *noted) {
    Py_ssize_t count = PyTuple_Size(args);
    PyObject *all = PyTuple_New(count + 1);
    if (!all) return NULL;
    for (Py_ssize_t i = 0, to = 0; i < count; ++i) {
        PyObject *each = PyTuple_GetItem(args, i);
        Py_INCREF(each);
        PyTuple_SetItem(all, to++, each);
        if (i > 0) continue;
        Py_INCREF(noted);
        PyTuple_SetItem(all, to++, noted);
    }
    return all;
}

/* The exception that is set goes on, unless Ctrl-C comes on top of an ordinary one. */
static void call_finish(guarded *self, PyObject *instance, PyObject *noted) {
    PyObject *type, *error, *traceback, *other, *other_error, *other_traceback;
    PyErr_Fetch(&type, &error, &traceback);
    for (int i = 0; i < TPI_MOST_FINISHES; ++i) {
        PyObject *done = PyObject_CallFunctionObjArgs(self->finish, instance, noted, NULL);
        Py_XDECREF(done);
        if (done) break;
        PyErr_Fetch(&other, &other_error, &other_traceback);
        int outranks = PyErr_GivenExceptionMatches(type, PyExc_Exception) &&
                       !PyErr_GivenExceptionMatches(other, PyExc_Exception);
        Py_XDECREF(outranks ? type : other);
        Py_XDECREF(outranks ? error : other_error);
        Py_XDECREF(outranks ? traceback : other_traceback);
        if (!outranks) continue;
        type = other;
        error = other_error;
        traceback = other_traceback;
    }
    PyErr_Restore(type, error, traceback);
}

static PyObject *guarded_call(PyObject *object, PyObject *args, PyObject *kwargs) {
    guarded *self = (guarded *)object;
    if (PyTuple_Size(args) < 1) {
        PyErr_SetString(PyExc_TypeError, "a guarded method needs its instance");
        return NULL;
    }
    PyObject *noted = PyList_New(0), *all = noted ? with_notes(args, noted) : NULL;
    PyObject *result = all ? PyObject_Call(self->function, all, kwargs) : NULL;
    if (!result && all) call_finish(self, PyTuple_GetItem(args, 0), noted);
    Py_XDECREF(all);
    Py_XDECREF(noted);
    return result;
}

static PyObject *guarded_get(PyObject *self, PyObject *instance, PyObject *type) {
    static PyObject *bind; /* types.MethodType; the stable ABI has no PyMethod_New */
    (void)type;
    if (!instance) {
        Py_INCREF(self);
        return self;
    }
    if (!bind) {
        PyObject *types = PyImport_ImportModule("types");
        bind = types ? PyObject_GetAttrString(types, "MethodType") : NULL;
        Py_XDECREF(types);
        if (!bind) return NULL;
    }
    return PyObject_CallFunctionObjArgs(bind, self, instance, NULL);
}

static PyObject *guarded_doc(PyObject *self, void *closure) {
    (void)closure;
    return PyObject_GetAttrString(((guarded *)self)->function, "__doc__");
}

static PyObject *guarded_wrapped(PyObject *self, void *closure) {
    (void)closure;
    PyObject *function = ((guarded *)self)->function;
    Py_INCREF(function);
    return function;
}

/* What it does not have itself, a name or a signature, is the function's. */
static PyObject *guarded_attribute(PyObject *self, PyObject *name) {
    PyObject *own = PyObject_GenericGetAttr(self, name);
    if (own || !PyErr_ExceptionMatches(PyExc_AttributeError)) return own;
    PyErr_Clear();
    return PyObject_GetAttr(((guarded *)self)->function, name);
}

static PyObject *guarded_repr(PyObject *self) { return PyObject_Repr(((guarded *)self)->function); }

/* Have the extension module offer the type as `guarded`; -1 with the reason on stderr. */
static int32_t tpi_add_guarded(void) {
    static PyGetSetDef attributes[] = {
        {"__doc__", guarded_doc, NULL, NULL, NULL},
        {"__wrapped__", guarded_wrapped, NULL, NULL, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_new, guarded_new}, {Py_tp_dealloc, guarded_dealloc}, {Py_tp_call, guarded_call},
        {Py_tp_descr_get, guarded_get}, {Py_tp_getattro, guarded_attribute},
        {Py_tp_repr, guarded_repr}, {Py_tp_getset, attributes}, {0, NULL},
    };
    static PyType_Spec spec = {.name = "threadpool_iface.native.guarded",
                               .basicsize = sizeof(guarded), .flags = Py_TPFLAGS_DEFAULT,
                               .slots = slots};
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *module = PyImport_ImportModule("threadpool_iface.native._core");
    PyObject *type = module ? PyType_FromSpec(&spec) : NULL;
    int32_t code = type ? PyObject_SetAttrString(module, "guarded", type) : -1;
    if (code) PyErr_Print();
    Py_XDECREF(type);
    Py_XDECREF(module);
    PyGILState_Release(gil);
    return code;
}

#endif
