// oneDNN's streams on a pool of threadpool_iface, for builds of oneDNN with the THREADPOOL runtime:
//     c++ -std=c++11 -I"$(python -c 'import threadpool_iface as t; print(t.get_include())')" ...
#include <oneapi/dnnl/dnnl.hpp>
#include <oneapi/dnnl/dnnl_threadpool.hpp>

#include "threadpool_iface_dnnl.hpp"

// `handle` is a pool's tpi_pool *, `core` the functions that the adapter calls.
void relu(tpi_pool *handle, const tpi::core_functions &core, float *data, dnnl::memory::dim size) {
    dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    tpi::dnnl_threadpool pool(handle, core);
    dnnl::stream stream = dnnl::threadpool_interop::make_stream(engine, &pool);
    dnnl::memory::desc desc({size}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a);
    dnnl::memory memory(desc, engine, data);
#if DNNL_VERSION_MAJOR >= 3
    dnnl::eltwise_forward::primitive_desc primitive(
        engine, dnnl::prop_kind::forward_inference, dnnl::algorithm::eltwise_relu, desc, desc, 0.f);
#else
    dnnl::eltwise_forward::primitive_desc primitive(
        {dnnl::prop_kind::forward_inference, dnnl::algorithm::eltwise_relu, desc, 0.f}, engine);
#endif
    dnnl::eltwise_forward(primitive).execute(stream, {{DNNL_ARG_SRC, memory}, {DNNL_ARG_DST, memory}});
    stream.wait();
}
