//! How many samples there will be: counted in the inputs that are open, by size in the others.

/// Bytes of a LAION sample in its tar (407,332,084 in 10 TB), until an input of this run was opened.
const TYPICAL_SAMPLE_BYTES: f64 = 25_000.0;

/// Estimate of the samples that a run will meet, ever more exact.
#[derive(Debug)]
pub struct SampleTotal {
    samples: u64,
    bytes: u64,
    unopened_bytes: u64,
}

impl SampleTotal {
    /// Inputs of so many bytes, none of them open.
    pub fn new(bytes: u64) -> SampleTotal {
        SampleTotal { samples: 0, bytes: 0, unopened_bytes: bytes }
    }

    /// Notes that an input of so many bytes holds so many samples.
    pub fn opened(&mut self, bytes: u64, samples: u64) {
        self.bytes += bytes;
        self.samples += samples;
        self.unopened_bytes = self.unopened_bytes.saturating_sub(bytes);
    }

    /// Notes that an input of so many bytes cannot be opened.
    pub fn failed(&mut self, bytes: u64) {
        self.unopened_bytes = self.unopened_bytes.saturating_sub(bytes);
    }

    /// Samples of all inputs; exact when all are open.
    pub fn samples(&self) -> u64 {
        let sample_bytes = match self.samples {
            0 => TYPICAL_SAMPLE_BYTES,
            samples => self.bytes as f64 / samples as f64,
        };
        self.samples + (self.unopened_bytes as f64 / sample_bytes).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_tells_of_what_is_not() {
        let mut total = SampleTotal::new(400_000);
        assert_eq!(total.samples(), 16);
        total.opened(100_000, 10);
        assert_eq!(total.samples(), 10 + 30);
        total.failed(100_000);
        assert_eq!(total.samples(), 10 + 20);
        total.opened(200_000, 7);
        assert_eq!(total.samples(), 17, "all are open");
    }

    #[test]
    fn an_empty_input_tells_nothing() {
        let mut total = SampleTotal::new(50_000);
        total.opened(0, 0);
        assert_eq!(total.samples(), 2);
        assert_eq!(SampleTotal::new(0).samples(), 0);
    }
}
