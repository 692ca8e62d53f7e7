//! Files that are sealed under a passphrase, to be kept where others can read them.
//!
//! A head says how the key is made of the passphrase; behind it come pieces, each sealed for this
//! head, its own place and whether it is the last. So nothing can be changed, moved, mixed or cut off
//! without being noticed, and a file of any size needs the memory of two pieces.

use std::io::{self, ErrorKind, Read, Write};

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::random::{self, RandomError};
use crate::secret::Secret;

/// What such a file begins with; the last byte is the version.
pub const MAGIC: &[u8; 8] = b"GBseal\0\x01";

/// The cost of a guess, after the second of the recommendations in RFC 9106 section 4.
const COST: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 4 };
/// A file that asks for more is not one of ours: it would only keep the machine busy.
const COST_MAX: Cost = Cost { memory_kib: 1024 * 1024, passes: 16, lanes: 16 };

const SALT_BYTES: usize = 16;
/// Of a nonce's 24 bytes the last five are the place of the piece and whether it is the last.
const PREFIX_BYTES: usize = 19;
const HEAD_BYTES: usize = MAGIC.len() + 12 + SALT_BYTES + PREFIX_BYTES;
/// Bytes of one piece before it is sealed.
const PIECE_BYTES: usize = 64 * 1024;
/// What sealing adds to a piece.
const TAG_BYTES: usize = 16;

#[derive(Clone, Copy)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Why a sealed file was not made or does not open.
#[derive(Debug, thiserror::Error)]
pub enum SealedFileError {
    /// The file system's word.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no sealed file, or one of a later version.
    #[error("is no file that this program has sealed")]
    Foreign,
    /// The passphrase is another one, or the beginning of the file was changed.
    #[error("does not open: the passphrase is another one, or the file is damaged")]
    Passphrase,
    /// The key could not be made of the passphrase.
    #[error("the key could not be made of the passphrase: {0}")]
    Derivation(argon2::Error),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// Seals what is written to it. Without [`SealedWriter::finish`] the file does not open.
pub struct SealedWriter<W> {
    inner: W,
    seal: Seal,
    piece: Zeroizing<Vec<u8>>,
}

impl<W: Write> SealedWriter<W> {
    /// Writes the head. Takes a good part of a second, as a guess of the passphrase does.
    ///
    /// # Errors
    ///
    /// When `inner` cannot be written or there are no random bytes.
    pub fn begin(mut inner: W, passphrase: &Secret) -> Result<Self, SealedFileError> {
        let salt: [u8; SALT_BYTES] = random::random_bytes()?;
        let prefix: [u8; PREFIX_BYTES] = random::random_bytes()?;
        let mut head = Vec::with_capacity(HEAD_BYTES);
        head.extend_from_slice(MAGIC);
        for number in [COST.memory_kib, COST.passes, COST.lanes] {
            head.extend_from_slice(&number.to_le_bytes());
        }
        head.extend_from_slice(&salt);
        head.extend_from_slice(&prefix);
        let seal = Seal::new(head, passphrase, COST, &salt, prefix)?;
        inner.write_all(&seal.head)?;
        Ok(Self { inner, seal, piece: Zeroizing::new(Vec::with_capacity(PIECE_BYTES)) })
    }

    /// Seals the last piece and answers what was written to.
    ///
    /// # Errors
    ///
    /// When `inner` cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        let sealed = self.seal.seal(&self.piece, true)?;
        self.inner.write_all(&sealed)?;
        self.inner.flush()?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for SealedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() == PIECE_BYTES {
            // Only now is it certain that it is not the last.
            let sealed = self.seal.seal(&self.piece, false)?;
            self.inner.write_all(&sealed)?;
            self.piece.clear();
        }
        let taken = bytes.len().min(PIECE_BYTES - self.piece.len());
        self.piece.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads what [`SealedWriter`] has sealed. What it gives is genuine as far as it goes; only at its end
/// is it known to be whole.
pub struct SealedReader<R> {
    inner: R,
    seal: Seal,
    /// The sealed piece that comes next; empty at the end of the file.
    next: Vec<u8>,
    piece: Zeroizing<Vec<u8>>,
    taken: usize,
    has_ended: bool,
}

impl<R: Read> SealedReader<R> {
    /// Reads the head and the first piece. Takes a good part of a second.
    ///
    /// # Errors
    ///
    /// [`SealedFileError::Passphrase`] for another passphrase.
    pub fn begin(mut inner: R, passphrase: &Secret) -> Result<Self, SealedFileError> {
        let mut head = vec![0; HEAD_BYTES];
        match inner.read_exact(&mut head) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(SealedFileError::Foreign);
            }
            other => other?,
        }
        let (cost, salt, prefix) = parse(&head).ok_or(SealedFileError::Foreign)?;
        let seal = Seal::new(head, passphrase, cost, &salt, prefix)?;
        let next = read_piece(&mut inner)?;
        let mut reader =
            Self { inner, seal, next, piece: Zeroizing::default(), taken: 0, has_ended: false };
        reader.advance().map_err(|error| {
            let is_sealed_otherwise = error.kind() == ErrorKind::InvalidData;
            if is_sealed_otherwise { SealedFileError::Passphrase } else { error.into() }
        })?;
        Ok(reader)
    }

    fn advance(&mut self) -> io::Result<()> {
        let sealed = std::mem::take(&mut self.next);
        self.next = read_piece(&mut self.inner)?;
        self.has_ended = self.next.is_empty();
        self.piece = self.seal.open(&sealed, self.has_ended)?;
        self.taken = 0;
        Ok(())
    }
}

impl<R: Read> Read for SealedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() && !self.has_ended {
            self.advance()?;
        }
        let rest = self.piece.get(self.taken..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(rest) {
            *place = *byte;
        }
        self.taken += count;
        Ok(count)
    }
}

/// Seals and opens the pieces of one file, in their order.
struct Seal {
    head: Vec<u8>,
    cipher: XChaCha20Poly1305,
    prefix: [u8; PREFIX_BYTES],
    place: u32,
}

impl Seal {
    fn new(
        head: Vec<u8>,
        passphrase: &Secret,
        cost: Cost,
        salt: &[u8; SALT_BYTES],
        prefix: [u8; PREFIX_BYTES],
    ) -> Result<Self, SealedFileError> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
            .map_err(SealedFileError::Derivation)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose().as_bytes(), salt, &mut *key)
            .map_err(SealedFileError::Derivation)?;
        Ok(Self { head, cipher: XChaCha20Poly1305::new(&(*key).into()), prefix, place: 0 })
    }

    fn seal(&mut self, piece: &[u8], is_last: bool) -> io::Result<Vec<u8>> {
        let nonce = self.nonce(is_last)?;
        let payload = Payload { msg: piece, aad: &self.head };
        self.cipher.encrypt(&nonce, payload).map_err(|_| io::Error::other("a piece was not sealed"))
    }

    fn open(&mut self, sealed: &[u8], is_last: bool) -> io::Result<Zeroizing<Vec<u8>>> {
        let nonce = self.nonce(is_last)?;
        let payload = Payload { msg: sealed, aad: &self.head };
        let damaged = |_| io::Error::new(ErrorKind::InvalidData, "the file is damaged or cut off");
        self.cipher.decrypt(&nonce, payload).map(Zeroizing::new).map_err(damaged)
    }

    fn nonce(&mut self, is_last: bool) -> io::Result<XNonce> {
        let mut nonce = [0; 24];
        let place = self.place.to_be_bytes().into_iter().chain([u8::from(is_last)]);
        let bytes = self.prefix.into_iter().chain(place);
        nonce.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
        let too_long = || io::Error::other("the file is too long to be sealed");
        self.place = self.place.checked_add(1).ok_or_else(too_long)?;
        Ok(XNonce::from(nonce))
    }
}

fn parse(head: &[u8]) -> Option<(Cost, [u8; SALT_BYTES], [u8; PREFIX_BYTES])> {
    let rest = head.strip_prefix(MAGIC)?;
    let (memory_kib, rest) = rest.split_first_chunk::<4>()?;
    let (passes, rest) = rest.split_first_chunk::<4>()?;
    let (lanes, rest) = rest.split_first_chunk::<4>()?;
    let (salt, prefix) = rest.split_first_chunk::<SALT_BYTES>()?;
    let [memory_kib, passes, lanes] = [memory_kib, passes, lanes].map(|it| u32::from_le_bytes(*it));
    let is_bearable =
        memory_kib <= COST_MAX.memory_kib && passes <= COST_MAX.passes && lanes <= COST_MAX.lanes;
    is_bearable.then_some((Cost { memory_kib, passes, lanes }, *salt, *prefix.first_chunk()?))
}

/// The next sealed piece; shorter than others only at the end, empty behind it.
fn read_piece(inner: &mut impl Read) -> io::Result<Vec<u8>> {
    let limit = PIECE_BYTES + TAG_BYTES;
    let mut piece = Vec::with_capacity(limit);
    inner.by_ref().take(limit as u64).read_to_end(&mut piece)?;
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_with_the_passphrase_and_no_other() {
        for length in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES] {
            let text: Vec<u8> = (0..=250).cycle().take(length).collect();
            let sealed = seal(&text);

            assert_eq!(open(&sealed, "correct horse").unwrap(), text, "{length} bytes");
            assert!(matches!(open(&sealed, "correct horsf"), Err(SealedFileError::Passphrase)));
        }
    }

    #[test]
    fn a_file_that_was_changed_or_cut_off_does_not_open() {
        let sealed = seal(&vec![7; 2 * PIECE_BYTES + 10]);
        let piece = PIECE_BYTES + TAG_BYTES;
        let swapped = {
            let mut swapped = sealed.clone();
            let (one, two) = swapped[HEAD_BYTES..HEAD_BYTES + 2 * piece].split_at_mut(piece);
            one.swap_with_slice(two);
            swapped
        };

        for place in [0, 9, 25, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + piece, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(open(&changed, "correct horse").is_err(), "byte {place}");
        }
        for length in [0, HEAD_BYTES, HEAD_BYTES + piece, HEAD_BYTES + 2 * piece, sealed.len() - 1]
        {
            assert!(open(&sealed[..length], "correct horse").is_err(), "{length} bytes");
        }
        assert!(open(&swapped, "correct horse").is_err());
        assert!(open(&[sealed.as_slice(), b"x"].concat(), "correct horse").is_err());
    }

    #[test]
    fn a_file_that_asks_for_too_much_is_refused_at_once() {
        let mut sealed = seal(b"x");
        sealed[8..12].copy_from_slice(&u32::MAX.to_le_bytes());

        assert!(matches!(open(&sealed, "correct horse"), Err(SealedFileError::Foreign)));
    }

    fn seal(text: &[u8]) -> Vec<u8> {
        let passphrase = Secret::new("correct horse");
        let mut writer = SealedWriter::begin(Vec::new(), &passphrase).unwrap();
        writer.write_all(text).unwrap();
        writer.finish().unwrap()
    }

    fn open(sealed: &[u8], passphrase: &str) -> Result<Vec<u8>, SealedFileError> {
        let mut text = Vec::new();
        let mut reader = SealedReader::begin(sealed, &Secret::new(passphrase))?;
        reader.read_to_end(&mut text)?;
        Ok(text)
    }
}
