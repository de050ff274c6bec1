//! Records of a PAX extended header: `LENGTH KEY=VALUE\n`, one after the other.

/// Longest path of a member that is read, in bytes: what Linux allows. A longer one cannot have been a file's.
pub const MAX_NAME_BYTES: usize = 4096;

/// A path as far as it is kept: one that is too long by a byte, so that it can be told.
pub(super) fn capped(path: &[u8]) -> Vec<u8> {
    path[..path.len().min(MAX_NAME_BYTES + 1)].to_vec()
}

/// What PAX (or a GNU long name) says about members, instead of their own header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Overrides {
    /// The true path, raw bytes.
    pub(super) path: Option<Vec<u8>>,
    /// The true link target.
    pub(super) link: Option<Vec<u8>>,
    /// The true size in bytes.
    pub(super) size: Option<u64>,
    /// The member is stored sparsely (any `GNU.sparse.*` record).
    pub(super) sparse: bool,
}

impl Overrides {
    /// Takes over the records in `bytes`; false where a record could not be read (those before it count).
    pub(super) fn read_records(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() {
            // Some writers pad the records with NULs to the block.
            if rest.iter().all(|&byte| byte == 0) {
                return true;
            }
            let Some((key, value, after)) = split_record(rest) else {
                return false;
            };
            if !self.take(key, value) {
                return false;
            }
            rest = after;
        }
        true
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> bool {
        match key {
            // An empty value deletes an earlier (global) one.
            b"path" => self.path = (!value.is_empty()).then(|| capped(value)),
            b"linkpath" => self.link = (!value.is_empty()).then(|| capped(value)),
            b"size" if value.is_empty() => self.size = None,
            b"size" => {
                let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                let Some(size) = size else { return false };
                self.size = Some(size);
            }
            _ if key.starts_with(b"GNU.sparse.") => {
                self.sparse = true;
                // Version 1.0 keeps the true name here and a made-up one in the header.
                if key == b"GNU.sparse.name" {
                    self.path = Some(capped(value));
                }
            }
            _ => {}
        }
        true
    }

    /// These, and those of `globals` where these say nothing.
    pub(super) fn over(self, globals: &Overrides) -> Overrides {
        Overrides {
            path: self.path.or_else(|| globals.path.clone()),
            link: self.link.or_else(|| globals.link.clone()),
            size: self.size.or(globals.size),
            sparse: self.sparse || globals.sparse,
        }
    }
}

/// Key, value and what follows the first record.
fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|&byte| byte == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    let record = bytes.get(space + 1..length)?;
    let (&newline, record) = record.split_last()?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    (newline == b'\n').then_some((&record[..equals], &record[equals + 1..], &bytes[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_taken_by_length_so_values_may_hold_anything() {
        let mut overrides = Overrides::default();
        assert!(
            overrides.read_records(b"16 path=a=b\nc d\n12 size=077\n20 comment=whatever\n\0\0")
        );
        assert_eq!(overrides.path.as_deref(), Some(&b"a=b\nc d"[..]));
        assert_eq!(overrides.size, Some(77));
    }

    #[test]
    fn broken_records_are_reported_and_the_good_ones_before_kept() {
        for broken in [
            &b"9 path=a"[..],
            b"99 path=a\n",
            b"x path=a\n",
            b"2 a",
            b"0 path=a\n",
            b"14 size=-1234\n",
        ] {
            let mut overrides = Overrides::default();
            let mut bytes = b"10 path=b\n".to_vec();
            bytes.extend_from_slice(broken);
            assert!(!overrides.read_records(&bytes), "{}", broken.escape_ascii());
            assert_eq!(overrides.path.as_deref(), Some(&b"b"[..]));
        }
    }

    #[test]
    fn a_local_record_wins_over_a_global_one() {
        let globals =
            Overrides { path: Some(b"g".to_vec()), size: Some(1), ..Overrides::default() };
        let local = Overrides { size: Some(2), ..Overrides::default() };
        let both = local.over(&globals);
        assert_eq!((both.path.as_deref(), both.size), (Some(&b"g"[..]), Some(2)));
    }
}
