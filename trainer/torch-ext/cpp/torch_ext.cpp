// What tch 0.24 lacks, as plain C functions over the same libtorch.
//
// Conventions: a `Tensor*` that comes in is borrowed and belongs to the caller; one that goes out is new and
// belongs to the caller (tch deletes it). No exception leaves this file: a function that fails returns -1 or
// nullptr, and tx_last_error() of the same thread says why.

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>
#include <dlfcn.h>

#include <cstdint>
#include <exception>
#include <string>
#include <vector>

using at::Tensor;

namespace {

thread_local std::string last_error;

// Runs `body`; any exception becomes `failed` and a message.
template <typename Result, typename Body>
Result guarded(Result failed, Body body) {
  try {
    return body();
  } catch (const c10::Error& error) {
    last_error = error.what_without_backtrace();
  } catch (const std::exception& error) {
    last_error = error.what();
  } catch (...) {
    last_error = "unknown C++ exception";
  }
  return failed;
}

std::vector<Tensor> list(Tensor* const* tensors, int64_t count) {
  std::vector<Tensor> result;
  result.reserve(count);
  for (int64_t i = 0; i < count; i++) result.push_back(*tensors[i]);
  return result;
}

Tensor norm(const std::vector<Tensor>& gradients) {
  return at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients, 2)), 2);
}

}  // namespace

extern "C" {

const char* tx_last_error() { return last_error.c_str(); }

// ---- CUDA at run time: the binary does not need libtorch_cuda, so that it also runs where there is none.

int tx_load_cuda() {
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL)) return 0;
  const char* why = dlerror();
  last_error = why ? why : "dlopen failed";
  return -1;
}

// ---- autocast for one device type, with a dtype

int tx_autocast_get(int device, int* enabled, int* dtype) {
  return guarded(-1, [&] {
    auto type = static_cast<at::DeviceType>(device);
    *enabled = at::autocast::is_autocast_enabled(type);
    *dtype = static_cast<int>(at::autocast::get_autocast_dtype(type));
    return 0;
  });
}

int tx_autocast_set(int device, int enabled, int dtype) {
  return guarded(-1, [&] {
    auto type = static_cast<at::DeviceType>(device);
    at::autocast::set_autocast_enabled(type, enabled != 0);
    at::autocast::set_autocast_dtype(type, static_cast<at::ScalarType>(dtype));
    return 0;
  });
}

int tx_autocast_enter() {
  return guarded(-1, [&] {
    at::autocast::increment_nesting();
    return 0;
  });
}

// The outermost leave drops the cache of cast weights: the optimizer is about to change them.
int tx_autocast_leave() {
  return guarded(-1, [&] {
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    return 0;
  });
}

// ---- lists of tensors at once

int tx_fused_adamw(Tensor* const* parameters, Tensor* const* gradients, Tensor* const* first_moments,
                   Tensor* const* second_moments, Tensor* const* steps, int64_t count, double lr, double beta1,
                   double beta2, double weight_decay, double eps) {
  return guarded(-1, [&] {
    c10::NoGradGuard no_grad;
    auto step_list = list(steps, count);
    at::_foreach_add_(step_list, 1);
    at::_fused_adamw_(list(parameters, count), list(gradients, count), list(first_moments, count),
                      list(second_moments, count), {}, step_list, lr, beta1, beta2, weight_decay, eps,
                      /*amsgrad=*/false, /*maximize=*/false);
    return 0;
  });
}

Tensor* tx_gradient_norm(Tensor* const* gradients, int64_t count) {
  return guarded<Tensor*>(nullptr, [&] {
    c10::NoGradGuard no_grad;
    return new Tensor(norm(list(gradients, count)));
  });
}

// The norm over all, then that of each of `parts` consecutive runs of the list, as one vector.
Tensor* tx_gradient_norms(Tensor* const* gradients, const int64_t* lengths, int64_t parts) {
  return guarded<Tensor*>(nullptr, [&] {
    c10::NoGradGuard no_grad;
    int64_t count = 0;
    for (int64_t i = 0; i < parts; i++) count += lengths[i];
    auto each = at::stack(at::_foreach_norm(list(gradients, count), 2));
    std::vector<Tensor> norms{at::linalg_vector_norm(each, 2)};
    int64_t start = 0;
    for (int64_t i = 0; i < parts; i++) {
      norms.push_back(at::linalg_vector_norm(each.narrow(0, start, lengths[i]), 2));
      start += lengths[i];
    }
    return new Tensor(at::stack(norms));
  });
}

int tx_limit_gradients(Tensor* const* gradients, int64_t count, Tensor* norm, double max_norm) {
  return guarded(-1, [&] {
    c10::NoGradGuard no_grad;
    at::_foreach_mul_(list(gradients, count), at::clamp_max(max_norm / (*norm + 1e-6), 1.0));
    return 0;
  });
}

// averages += weight * (values - averages)
int tx_average(Tensor* const* averages, Tensor* const* values, int64_t count, double weight) {
  return guarded(-1, [&] {
    c10::NoGradGuard no_grad;
    at::_foreach_lerp_(list(averages, count), list(values, count), weight);
    return 0;
  });
}

int tx_clear_gradients(Tensor* const* parameters, int64_t count) {
  return guarded(-1, [&] {
    for (int64_t i = 0; i < count; i++) parameters[i]->mutable_grad().reset();
    return 0;
  });
}

// ---- a GPU's memory

int tx_gpu_memory(int index, int64_t* free, int64_t* total, int64_t* peak) {
  return guarded(-1, [&] {
    auto* allocator = c10::getDeviceAllocator(at::kCUDA);
    auto info = allocator->getMemoryInfo(static_cast<c10::DeviceIndex>(index));
    auto stats = allocator->getDeviceStats(static_cast<c10::DeviceIndex>(index));
    *free = static_cast<int64_t>(info.first);
    *total = static_cast<int64_t>(info.second);
    *peak = stats.allocated_bytes[0].peak;
    return 0;
  });
}

int tx_gpu_release(int index) {
  return guarded(-1, [&] {
    auto* allocator = c10::getDeviceAllocator(at::kCUDA);
    allocator->emptyCache();
    allocator->resetPeakStats(static_cast<c10::DeviceIndex>(index));
    return 0;
  });
}

// The name of a GPU, as its driver says it. libtorch asks through libtorch_cuda, which the binary does not link.
int tx_gpu_name(int index, char* name, int length) {
  return guarded(-1, [&] {
    void* driver = dlopen("libcuda.so.1", RTLD_NOW);
    TORCH_CHECK(driver, "libcuda.so.1 is not there");
    auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
    auto device = reinterpret_cast<int (*)(int*, int)>(dlsym(driver, "cuDeviceGet"));
    auto get_name = reinterpret_cast<int (*)(char*, int, int)>(dlsym(driver, "cuDeviceGetName"));
    TORCH_CHECK(init && device && get_name, "libcuda.so.1 has not the functions that it should");
    int handle = 0;
    TORCH_CHECK(init(0) == 0 && device(&handle, index) == 0 && get_name(name, length, handle) == 0,
                "the driver has no GPU ", index);
    return 0;
  });
}

// ---- a tensor over memory of Rust, given back through `drop` when libtorch frees the storage

Tensor* tx_from_owned(void* data, const int64_t* sizes, int64_t dimensions, int dtype, void (*drop)(void*),
                      void* owner) {
  return guarded<Tensor*>(nullptr, [&] {
    return new Tensor(at::from_blob(
        data, at::IntArrayRef(sizes, dimensions), [drop, owner](void*) { drop(owner); },
        at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype))));
  });
}
}
