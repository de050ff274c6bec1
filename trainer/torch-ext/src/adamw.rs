//! One AdamW step over a list of parameters.
#![allow(unsafe_code, reason = "passes lists of tensors to C++")]

use tch::Tensor;

use crate::{Error, ffi};

/// The numbers of one AdamW step (decoupled weight decay, Loshchilov and Hutter 2019).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWStep {
    /// Learning rate of this step.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Each parameter is first multiplied by `1 - lr * weight_decay`.
    pub weight_decay: f64,
}

/// Updates `parameters` and both moments in place, and adds one to every step counter.
///
/// All five lists are of the same length and order; `steps` are f32 scalars on the parameters' device. The
/// parameters' shapes, dtypes and devices may differ from tensor to tensor.
///
/// # Errors
/// Lists of different lengths, an undefined gradient, or what libtorch says.
pub fn fused_adamw(
    parameters: &[Tensor],
    gradients: &[Tensor],
    first_moments: &[Tensor],
    second_moments: &[Tensor],
    steps: &[Tensor],
    numbers: AdamWStep,
) -> Result<(), Error> {
    for list in [gradients, first_moments, second_moments, steps] {
        if list.len() != parameters.len() {
            let (left, right) = (parameters.len(), list.len());
            return Err(Error::Lists { what: "fused AdamW", left, right });
        }
    }
    if let Some(index) = gradients.iter().position(|gradient| !gradient.defined()) {
        return Err(Error::Torch(format!("parameter {index} has no gradient")));
    }
    let lists = [parameters, gradients, first_moments, second_moments, steps].map(ffi::pointers);
    let AdamWStep { lr, beta1, beta2, eps, weight_decay } = numbers;
    // SAFETY: all five lists hold `parameters.len()` valid tensor pointers, borrowed for the call; libtorch
    // checks shapes and devices itself.
    ffi::check(unsafe {
        ffi::tx_fused_adamw(
            lists[0].as_ptr(),
            lists[1].as_ptr(),
            lists[2].as_ptr(),
            lists[3].as_ptr(),
            lists[4].as_ptr(),
            parameters.len() as i64,
            lr,
            beta1,
            beta2,
            weight_decay,
            eps,
        )
    })
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    /// The textbook formula in f64, against three fused steps.
    #[test]
    fn three_steps_follow_the_formula() {
        let numbers = AdamWStep { lr: 0.01, beta1: 0.9, beta2: 0.95, eps: 1e-6, weight_decay: 0.2 };
        let (mut weight, mut m, mut v) = (0.5f64, 0.0f64, 0.0f64);
        let gradients = [0.3, -0.1, 0.7];

        let tensor = |value: f64| Tensor::from_slice(&[value as f32]);
        let parameter = [tensor(weight)];
        let (first, second) = ([tensor(0.0)], [tensor(0.0)]);
        let steps = [Tensor::zeros([0i64; 0], (Kind::Float, Device::Cpu))];
        for (index, g) in gradients.into_iter().enumerate() {
            fused_adamw(&parameter, &[tensor(g)], &first, &second, &steps, numbers).unwrap();
            let t = index as i32 + 1;
            weight *= 1.0 - numbers.lr * numbers.weight_decay;
            m = numbers.beta1 * m + (1.0 - numbers.beta1) * g;
            v = numbers.beta2 * v + (1.0 - numbers.beta2) * g * g;
            let (m_hat, v_hat) =
                (m / (1.0 - numbers.beta1.powi(t)), v / (1.0 - numbers.beta2.powi(t)));
            weight -= numbers.lr * m_hat / (v_hat.sqrt() + numbers.eps);
        }
        assert_eq!(steps[0].double_value(&[]), 3.0);
        assert!((parameter[0].double_value(&[0]) - weight).abs() < 1e-6);
    }

    #[test]
    fn lists_must_go_together() {
        let one = || vec![Tensor::from_slice(&[1f32])];
        let numbers = AdamWStep { lr: 0.1, beta1: 0.9, beta2: 0.9, eps: 1e-8, weight_decay: 0.0 };
        let outcome = fused_adamw(&one(), &one(), &one(), &[], &one(), numbers);
        assert!(matches!(outcome, Err(Error::Lists { left: 1, right: 0, .. })));
        let no_gradient = [Tensor::new()];
        let outcome = fused_adamw(&one(), &no_gradient, &one(), &one(), &one(), numbers);
        assert!(matches!(outcome, Err(Error::Torch(_))));
    }
}
