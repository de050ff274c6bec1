//! The stack machine: reads a pickle's instructions, protocols 2 to 5.

use std::collections::HashMap;

use super::{
    callable,
    error::PickleError,
    known::Callable,
    value::{Id, Pickled, Value},
};

/// Longest pickle that is read, in bytes. That of CLIPA's largest checkpoint with its optimizer, 2,500 tensors and 5,000 moments, has
/// about 1 MB.
pub(in crate::exchange) const MAX_BYTES: u64 = 32 << 20;
/// Most values of a pickle.
pub(super) const MAX_VALUES: usize = 4 << 20;
/// Most values that are begun and not ended.
pub(super) const MAX_DEPTH: usize = 1000;

/// Reads a whole pickle.
///
/// # Errors
/// [`PickleError`]; nothing was called.
pub(in crate::exchange) fn load(bytes: &[u8]) -> Result<Pickled, PickleError> {
    if bytes.len() as u64 > MAX_BYTES {
        return PickleError::damaged(format!("a pickle of more than {MAX_BYTES} bytes"));
    }
    let mut machine = Machine { bytes, ..Machine::default() };
    while !machine.step()? {}
    let [root] = machine.stack[..] else {
        return PickleError::damaged("a pickle that ends with more or less than one value");
    };
    if !machine.marks.is_empty() {
        return PickleError::damaged("a pickle that ends within a value");
    }
    Ok(Pickled { values: machine.values, root })
}

#[derive(Default)]
struct Machine<'p> {
    bytes: &'p [u8],
    stack: Vec<Id>,
    /// Heights of the stack at which values were begun.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    values: Vec<Value>,
    /// Items of dictionaries that were made of lists.
    copied: usize,
}

impl Machine<'_> {
    /// One instruction; true after the last.
    fn step(&mut self) -> Result<bool, PickleError> {
        let [instruction] = self.take()?;
        match instruction {
            b'.' => return Ok(true),
            // Protocol and frame say nothing that is not seen.
            0x80 => {
                let [_] = self.take()?;
            }
            0x95 => {
                let _: [u8; 8] = self.take()?;
            }
            b'(' => {
                if self.marks.len() >= MAX_DEPTH {
                    return PickleError::damaged(format!(
                        "values nested more than {MAX_DEPTH} deep"
                    ));
                }
                self.marks.push(self.stack.len());
            }
            b'0' => {
                let _ = self.pop()?;
            }
            b'1' => drop(self.since_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'K' | b'M' | b'J' | 0x8a | 0x8b | b'G' | b'I' | b'L' | b'F' => {
                self.number(instruction)?;
            }
            0x8c | b'X' | 0x8d => {
                let length = self.length(if instruction == 0x8c {
                    1
                } else if instruction == b'X' {
                    4
                } else {
                    8
                })?;
                let text = self.text(length)?;
                self.push(Value::Text(text))?;
            }
            b']' | b')' | b'}' | b'l' | b't' | b'd' | 0x85 | 0x86 | 0x87 => {
                self.container(instruction)?;
            }
            b'a' | b'e' | b's' | b'u' => self.fill(instruction)?,
            b'q' | b'r' | b'h' | b'j' | 0x94 => self.memory(instruction)?,
            b'c' | 0x93 => self.global(instruction)?,
            b'R' | b'b' | b'Q' => self.call(instruction)?,
            b'i' | b'o' | 0x81 | 0x92 | b'P' | 0x82 | 0x83 | 0x84 => {
                return self.refused(instruction);
            }
            other => {
                return PickleError::damaged(format!("instruction 0x{other:02x} in its pickle"));
            }
        }
        Ok(false)
    }

    fn number(&mut self, instruction: u8) -> Result<(), PickleError> {
        let value = match instruction {
            b'K' => Value::Int(i64::from(u8::from_le_bytes(self.take()?))),
            b'M' => Value::Int(i64::from(u16::from_le_bytes(self.take()?))),
            b'J' => Value::Int(i64::from(i32::from_le_bytes(self.take()?))),
            b'G' => Value::Float(f64::from_be_bytes(self.take()?)),
            0x8a | 0x8b => {
                let length = self.length(if instruction == 0x8a { 1 } else { 4 })?;
                let bytes = self.some(length)?;
                if bytes.len() > 8 {
                    return PickleError::damaged(format!("a number of {} bytes", bytes.len()));
                }
                let is_negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
                let mut whole = [if is_negative { 0xff } else { 0 }; 8];
                whole[..bytes.len()].copy_from_slice(bytes);
                Value::Int(i64::from_le_bytes(whole))
            }
            _ => {
                let line = self.line()?;
                let not = || PickleError::Damaged("a number that is none".to_owned());
                match (instruction, line.as_str()) {
                    (b'I', "00") => Value::Bool(false),
                    (b'I', "01") => Value::Bool(true),
                    (b'F', line) => Value::Float(line.parse().map_err(|_| not())?),
                    (_, line) => Value::Int(line.trim_end_matches('L').parse().map_err(|_| not())?),
                }
            }
        };
        self.push(value)
    }

    fn container(&mut self, instruction: u8) -> Result<(), PickleError> {
        let value = match instruction {
            b']' => Value::List(Vec::new()),
            b')' => Value::Tuple(Vec::new()),
            b'}' => Value::Dict { items: Vec::new(), is_ordered: false },
            b'l' => Value::List(self.since_mark()?),
            b't' => Value::Tuple(self.since_mark()?),
            b'd' => Value::Dict { items: pairs(&self.since_mark()?)?, is_ordered: false },
            _ => {
                let count = usize::from(instruction - 0x84);
                let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<Id>, _>>()?;
                items.reverse();
                Value::Tuple(items)
            }
        };
        self.push(value)
    }

    /// Puts what stands on the stack into the container below it.
    fn fill(&mut self, instruction: u8) -> Result<(), PickleError> {
        let new = match instruction {
            b'a' => vec![self.pop()?],
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                vec![key, value]
            }
            _ => self.since_mark()?,
        };
        let top = self.top()?.0 as usize;
        match (&mut self.values[top], instruction) {
            (Value::List(items), b'a' | b'e') => items.extend(new),
            (Value::Dict { items, .. }, b's' | b'u') => items.extend(pairs(&new)?),
            (other, _) => {
                return PickleError::damaged(format!(
                    "{} that is filled like another",
                    other.kind()
                ));
            }
        }
        Ok(())
    }

    fn memory(&mut self, instruction: u8) -> Result<(), PickleError> {
        let place = match instruction {
            b'q' | b'h' => self.length(1)?,
            b'r' | b'j' => self.length(4)?,
            _ => self.memo.len() as u64,
        };
        if matches!(instruction, b'h' | b'j') {
            let Some(&id) = self.memo.get(&place) else {
                return PickleError::damaged(format!("value {place} is used before it is there"));
            };
            self.stack.push(id);
            return self.bounded();
        }
        let top = self.top()?;
        self.memo.insert(place, top);
        Ok(())
    }

    fn global(&mut self, instruction: u8) -> Result<(), PickleError> {
        let callable = if instruction == b'c' {
            let (module, name) = (self.line()?, self.line()?);
            Callable::named(&module, &name)?
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            match (self.value(module), self.value(name)) {
                (Value::Text(module), Value::Text(name)) => Callable::named(module, name)?,
                _ => return PickleError::damaged("a function whose name is no text"),
            }
        };
        self.push(Value::Callable(callable))
    }

    fn call(&mut self, instruction: u8) -> Result<(), PickleError> {
        if instruction == b'Q' {
            let id = self.pop()?;
            let storage = callable::storage(&self.values, id)?;
            return self.push(Value::Storage(storage));
        }
        let argument = self.pop()?;
        if instruction == b'b' {
            // PyTorch's state dicts carry `_metadata`, which says nothing of their numbers.
            return match self.value(self.top()?) {
                Value::Dict { is_ordered: true, .. } => Ok(()),
                other => PickleError::foreign(format!("a state (BUILD) for {}", other.kind())),
            };
        }
        let function = self.pop()?;
        let (Value::Callable(callable), Value::Tuple(arguments)) =
            (self.value(function), self.value(argument))
        else {
            let what = self.value(function).kind();
            return PickleError::foreign(format!("a call (REDUCE) of {what}"));
        };
        let value = callable.called(&self.values, arguments)?;
        if let Value::Dict { items, .. } = &value {
            // The only copies that cost no bytes of the pickle.
            self.copied += items.len();
        }
        self.push(value)
    }

    /// The instructions that make objects of classes, by the name of the class where it stands there.
    fn refused(&mut self, instruction: u8) -> Result<bool, PickleError> {
        match instruction {
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                PickleError::foreign(format!("{module}.{name} (INST)"))
            }
            b'o' => PickleError::foreign("an object (OBJ)"),
            0x81 | 0x92 => PickleError::foreign("an object (NEWOBJ)"),
            b'P' => PickleError::foreign("a persistent id in text (PERSID)"),
            _ => PickleError::foreign("an extension (EXT)"),
        }
    }

    fn value(&self, id: Id) -> &Value {
        &self.values[id.0 as usize]
    }

    fn push(&mut self, value: Value) -> Result<(), PickleError> {
        self.stack.push(Id(self.values.len() as u32));
        self.values.push(value);
        self.bounded()
    }

    fn bounded(&self) -> Result<(), PickleError> {
        if self.values.len().max(self.stack.len()).max(self.copied) > MAX_VALUES {
            return PickleError::damaged(format!("a pickle of more than {MAX_VALUES} values"));
        }
        Ok(())
    }

    /// What was begun with the last mark ends above it.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or_default()
    }

    fn top(&self) -> Result<Id, PickleError> {
        match self.stack.last() {
            Some(&id) if self.stack.len() > self.floor() => Ok(id),
            _ => PickleError::damaged("an instruction without its value"),
        }
    }

    fn pop(&mut self) -> Result<Id, PickleError> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let Some(mark) = self.marks.pop() else {
            return PickleError::damaged("the end of a value that was not begun");
        };
        Ok(self.stack.split_off(mark))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let Some((first, rest)) = self.bytes.split_first_chunk::<N>() else {
            return PickleError::damaged("its pickle ends early");
        };
        self.bytes = rest;
        Ok(*first)
    }

    /// A length or place of so many bytes.
    fn length(&mut self, bytes: usize) -> Result<u64, PickleError> {
        let mut whole = [0; 8];
        whole[..bytes].copy_from_slice(self.some(bytes as u64)?);
        Ok(u64::from_le_bytes(whole))
    }

    fn some(&mut self, length: u64) -> Result<&[u8], PickleError> {
        let bytes = self.bytes;
        let Some((first, rest)) =
            usize::try_from(length).ok().and_then(|n| bytes.split_at_checked(n))
        else {
            return PickleError::damaged("its pickle ends early");
        };
        self.bytes = rest;
        Ok(first)
    }

    fn text(&mut self, length: u64) -> Result<String, PickleError> {
        match std::str::from_utf8(self.some(length)?) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => PickleError::damaged("a string that is not UTF-8"),
        }
    }

    fn line(&mut self) -> Result<String, PickleError> {
        let Some(end) = self.bytes.iter().position(|&byte| byte == b'\n') else {
            return PickleError::damaged("its pickle ends early");
        };
        let line = self.text(end as u64)?;
        let [_] = self.take()?;
        Ok(line)
    }
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, PickleError> {
    let chunks = items.chunks_exact(2);
    if !chunks.remainder().is_empty() {
        return PickleError::damaged("a dictionary's key without its value");
    }
    Ok(chunks.map(|pair| (pair[0], pair[1])).collect())
}
