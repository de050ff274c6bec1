//! Autocast with a dtype, for CPU and CUDA.
#![allow(unsafe_code, reason = "sets libtorch's thread-local autocast state")]

use std::{ffi::c_int, marker::PhantomData};

use tch::{Device, Kind};

use crate::{Error, ffi};

/// While it lives, libtorch runs matrix products of this thread in the given dtype: master weights stay f32
/// and are cast on the way in. Dropping it restores what was before, also while a panic unwinds.
///
/// Enter it around the forward pass only; the backward pass needs none.
///
/// ```
/// use tch::{Device, Kind, Tensor};
/// let a = Tensor::ones([8, 8], (Kind::Float, Device::Cpu));
/// {
///     let _autocast = torch_ext::Autocast::enter(Device::Cpu, Kind::BFloat16).unwrap();
///     assert_eq!(a.matmul(&a).kind(), Kind::BFloat16);
/// }
/// assert_eq!(a.matmul(&a).kind(), Kind::Float);
/// ```
#[must_use = "autocast ends when this is dropped"]
pub struct Autocast {
    device: c_int,
    enabled_before: c_int,
    dtype_before: c_int,
    /// The state is thread-local: the guard must be dropped on the thread that made it.
    not_send: PhantomData<*const ()>,
}

impl Autocast {
    /// Switches autocast on for this thread.
    ///
    /// # Errors
    /// A dtype or device that autocast does not know.
    pub fn enter(device: Device, kind: Kind) -> Result<Autocast, Error> {
        // Numbers of c10::ScalarType and c10::DeviceType.
        let dtype = match kind {
            Kind::Half => 5,
            Kind::BFloat16 => 15,
            other => return Err(Error::AutocastKind(other)),
        };
        let device = match device {
            Device::Cpu => 0,
            Device::Cuda(_) => 1,
            other => return Err(Error::AutocastDevice(other)),
        };
        let (mut enabled_before, mut dtype_before) = (0, 0);
        // SAFETY: both out-pointers are valid for the call; the functions only touch thread-local state.
        unsafe {
            ffi::check(ffi::tx_autocast_get(device, &mut enabled_before, &mut dtype_before))?;
            ffi::check(ffi::tx_autocast_set(device, 1, dtype))?;
        }
        let guard = Autocast { device, enabled_before, dtype_before, not_send: PhantomData };
        // SAFETY: as above; the guard already exists, so the matching leave always follows.
        ffi::check(unsafe { ffi::tx_autocast_enter() })?;
        Ok(guard)
    }
}

impl Drop for Autocast {
    fn drop(&mut self) {
        // SAFETY: undoes exactly what `enter` did, on the same thread (the guard is not Send). A failure here
        // would leave autocast on, which changes precision but no memory; there is nobody to tell.
        unsafe {
            ffi::tx_autocast_leave();
            ffi::tx_autocast_set(self.device, self.enabled_before, self.dtype_before);
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Tensor;

    use super::*;

    fn product_kind() -> Kind {
        let a = Tensor::ones([4, 4], (Kind::Float, Device::Cpu));
        a.matmul(&a).kind()
    }

    #[test]
    fn a_panic_inside_switches_it_off() {
        let outcome = std::panic::catch_unwind(|| {
            let _autocast = Autocast::enter(Device::Cpu, Kind::BFloat16).unwrap();
            assert_eq!(product_kind(), Kind::BFloat16);
            panic!("on purpose");
        });
        assert!(outcome.is_err());
        assert_eq!(product_kind(), Kind::Float);
    }

    #[test]
    fn nested_guards_restore_the_outer_dtype() {
        let _outer = Autocast::enter(Device::Cpu, Kind::BFloat16).unwrap();
        {
            let _inner = Autocast::enter(Device::Cpu, Kind::Half).unwrap();
            assert_eq!(product_kind(), Kind::Half);
        }
        assert_eq!(product_kind(), Kind::BFloat16);
    }

    #[test]
    fn gradients_of_f32_weights_are_f32() {
        let weight = Tensor::ones([4, 4], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let output = {
            let _autocast = Autocast::enter(Device::Cpu, Kind::BFloat16).unwrap();
            weight.matmul(&weight)
        };
        output.to_kind(Kind::Float).sum(Kind::Float).backward();
        assert_eq!(weight.grad().kind(), Kind::Float);
        assert_eq!(weight.grad().double_value(&[0, 0]), 8.0);
    }

    #[test]
    fn other_dtypes_are_refused() {
        assert!(matches!(
            Autocast::enter(Device::Cpu, Kind::Int64),
            Err(Error::AutocastKind(Kind::Int64))
        ));
    }
}
