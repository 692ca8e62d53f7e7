//! Whether a program needs a dynamic loader, and with it the libraries of the machine.

/// Returns whether a 64-bit, little-endian ELF program names a loader; `None` if it is no such program.
pub(super) fn is_named_in(program: &[u8]) -> Option<bool> {
    const INTERPRETER: u32 = 3;
    if program.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let table = usize::try_from(u64::from_le_bytes(bytes(program, 0x20)?)).ok()?;
    let size = usize::from(u16::from_le_bytes(bytes(program, 0x36)?));
    let count = usize::from(u16::from_le_bytes(bytes(program, 0x38)?));
    let mut kinds = (0..count).map(|index| bytes(program, table.checked_add(index * size)?));
    kinds.try_fold(false, |found, kind| Some(found | (u32::from_le_bytes(kind?) == INTERPRETER)))
}

fn bytes<const N: usize>(program: &[u8], at: usize) -> Option<[u8; N]> {
    program.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_names_a_loader_is_known() {
        check(&[1, 3, 2], Some(true));
        check(&[1, 1, 2], Some(false));
        check(&[], Some(false));
    }

    #[test]
    fn what_is_no_program_or_cut_short_is_known() {
        assert_eq!(is_named_in(b"#!/bin/sh\n"), None);
        assert_eq!(is_named_in(b""), None);
        let mut program = elf(&[1, 3]);
        program.truncate(0x60);
        assert_eq!(is_named_in(&program), None);
    }

    fn check(kinds: &[u32], expected: Option<bool>) {
        assert_eq!(is_named_in(&elf(kinds)), expected, "{kinds:?}");
    }

    /// A head and a table of segments of these kinds behind it.
    fn elf(kinds: &[u32]) -> Vec<u8> {
        let mut program = vec![0; 0x40 + kinds.len() * 0x38];
        program[..6].copy_from_slice(b"\x7fELF\x02\x01");
        program[0x20] = 0x40;
        program[0x36] = 0x38;
        program[0x38] = u8::try_from(kinds.len()).unwrap();
        for (index, kind) in kinds.iter().enumerate() {
            program[0x40 + index * 0x38..][..4].copy_from_slice(&kind.to_le_bytes());
        }
        program
    }
}
