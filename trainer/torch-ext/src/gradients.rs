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

/// The L2 norms of several lists of gradients that follow one another in `gradients`, as a vector on their device: first the
/// norm over all of them together, then that of each list, of which `lengths` says how many gradients it has.
///
/// # Errors
/// An empty list; lengths that do not add up; what libtorch says.
pub fn gradient_norms(gradients: &[Tensor], lengths: &[usize]) -> Result<Tensor, Error> {
    let (left, right) = (gradients.len(), lengths.iter().sum());
    if left != right || lengths.contains(&0) {
        return Err(Error::Lists { what: "gradient norms", left, right });
    }
    let list = pointers(gradients)?;
    let lengths: Vec<i64> = lengths.iter().map(|&length| length as i64).collect();
    // SAFETY: `list` holds as many valid tensor pointers as the lengths add up to, borrowed for the call.
    ffi::own(unsafe {
        ffi::tx_gradient_norms(list.as_ptr(), lengths.as_ptr(), lengths.len() as i64)
    })
}

/// Scales all gradients in place so that `norm`, which is their common L2 norm and a scalar on their device, becomes at most
/// `max_norm`; waits for nothing.
///
/// # Errors
/// As [`gradient_norm`].
pub fn limit_gradients(gradients: &[Tensor], norm: &Tensor, max_norm: f64) -> Result<(), Error> {
    let list = pointers(gradients)?;
    // SAFETY: as above; the gradients are changed in place, which tch's tensors allow through any handle.
    ffi::check(unsafe {
        ffi::tx_limit_gradients(
            list.as_ptr(),
            list.len() as i64,
            norm.as_ptr().cast_mut(),
            max_norm,
        )
    })
}

/// Moves every tensor of `averages` towards its counterpart: `average += weight * (value - average)`, all at once.
///
/// # Errors
/// Lists of different lengths, or what libtorch says.
pub fn average(averages: &[Tensor], values: &[Tensor], weight: f64) -> Result<(), Error> {
    let (left, right) = (averages.len(), values.len());
    if left != right {
        return Err(Error::Lists { what: "average", left, right });
    }
    let lists = [averages, values].map(ffi::pointers);
    // SAFETY: both lists hold `left` valid tensor pointers, borrowed for the call; libtorch checks their shapes.
    ffi::check(unsafe {
        ffi::tx_average(lists[0].as_ptr(), lists[1].as_ptr(), left as i64, weight)
    })
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
    fn every_list_has_its_norm() {
        let norms = gradient_norms(&gradients(), &[1, 1]).unwrap();
        let norms: Vec<f64> = norms.try_into().unwrap();
        assert_eq!(norms, [5.0, 3.0, 4.0]);
        assert!(gradient_norms(&gradients(), &[1]).is_err());
        assert!(gradient_norms(&gradients(), &[2, 0]).is_err());
    }

    #[test]
    fn clipping_scales_down_and_never_up() {
        let clipped = |max_norm| {
            let gradients = gradients();
            let norm = gradient_norm(&gradients).unwrap();
            limit_gradients(&gradients, &norm, max_norm).unwrap();
            gradient_norm(&gradients).unwrap().double_value(&[])
        };
        assert!((clipped(1.0) - 1.0).abs() < 1e-5);
        assert_eq!(clipped(10.0), 5.0);
    }

    #[test]
    fn an_average_moves_by_its_weight() {
        let averages = [Tensor::from_slice(&[1f32, 2.0]), Tensor::from_slice(&[4f32])];
        let values = [Tensor::from_slice(&[2f32, 2.0]), Tensor::from_slice(&[0f32])];
        average(&averages, &values, 0.25).unwrap();
        assert_eq!(Vec::<f32>::try_from(&averages[0]).unwrap(), [1.25, 2.0]);
        assert_eq!(Vec::<f32>::try_from(&averages[1]).unwrap(), [3.0]);
        assert!(average(&averages, &values[..1], 0.25).is_err());
    }
}
