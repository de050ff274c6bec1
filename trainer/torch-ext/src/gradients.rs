//! Norm and clipping of a list of gradients, without a synchronisation a tensor.
#![allow(unsafe_code, reason = "passes lists of tensors to C++")]

use tch::Tensor;

use crate::{Error, ffi};

/// The L2 norm over all gradients together, as a scalar tensor on their device.
///
/// # Errors
/// An empty list, or what libtorch says (tensors on different devices).
pub fn gradient_norm(gradients: &[Tensor]) -> Result<Tensor, Error> {
    let list = pointers(gradients)?;
    // SAFETY: `list` holds `list.len()` valid tensor pointers, borrowed from `gradients` for the call.
    ffi::own(unsafe { ffi::tx_gradient_norm(list.as_ptr(), list.len() as i64) })
}

/// Scales all gradients in place so that their common L2 norm is at most `max_norm`; returns the norm before.
///
/// # Errors
/// As [`gradient_norm`].
pub fn clip_gradients(gradients: &[Tensor], max_norm: f64) -> Result<Tensor, Error> {
    let list = pointers(gradients)?;
    // SAFETY: as above; the gradients are changed in place, which tch's tensors allow through any handle.
    ffi::own(unsafe { ffi::tx_clip_gradients(list.as_ptr(), list.len() as i64, max_norm) })
}

/// Forgets the gradients of all parameters and frees their memory; [`Tensor::zero_grad`] keeps it, full of zeros.
///
/// # Errors
/// What libtorch says.
pub fn clear_gradients(parameters: &[Tensor]) -> Result<(), Error> {
    let list = ffi::pointers(parameters);
    // SAFETY: `list` holds `list.len()` valid tensor pointers, borrowed from `parameters` for the call; a handle to a
    // gradient that somebody else holds stays valid.
    ffi::check(unsafe { ffi::tx_clear_gradients(list.as_ptr(), list.len() as i64) })
}

fn pointers(gradients: &[Tensor]) -> Result<Vec<*mut torch_sys::C_tensor>, Error> {
    if gradients.is_empty() {
        return Err(Error::Lists { what: "gradient norm", left: 0, right: 0 });
    }
    Ok(ffi::pointers(gradients))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradients() -> Vec<Tensor> {
        vec![Tensor::from_slice(&[3f32, 0.0]), Tensor::from_slice(&[4f32])]
    }

    #[test]
    fn the_norm_is_over_all_of_them() {
        assert_eq!(gradient_norm(&gradients()).unwrap().double_value(&[]), 5.0);
        assert!(gradient_norm(&[]).is_err());
    }

    #[test]
    fn cleared_gradients_are_gone_and_begin_anew() {
        let weight = Tensor::from_slice(&[2f32]).set_requires_grad(true);
        (&weight * 3.0).sum(tch::Kind::Float).backward();
        let held = weight.grad();
        clear_gradients(&[weight.shallow_clone()]).unwrap();
        assert!(!weight.grad().defined());
        assert_eq!(held.double_value(&[0]), 3.0);
        (&weight * 5.0).sum(tch::Kind::Float).backward();
        assert_eq!(weight.grad().double_value(&[0]), 5.0);
    }

    #[test]
    fn clipping_scales_down_and_never_up() {
        let long = gradients();
        assert_eq!(clip_gradients(&long, 1.0).unwrap().double_value(&[]), 5.0);
        assert!((gradient_norm(&long).unwrap().double_value(&[]) - 1.0).abs() < 1e-5);
        let short = gradients();
        assert_eq!(clip_gradients(&short, 10.0).unwrap().double_value(&[]), 5.0);
        assert_eq!(gradient_norm(&short).unwrap().double_value(&[]), 5.0);
    }
}
