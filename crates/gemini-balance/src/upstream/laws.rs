//! However the bytes of an answer are cut into pieces, the same answer is read, and no bytes make
//! the reading fall over.

use http::Method;

use super::framing::{BadFraming, Framing};
use super::head;

/// Input: an answer as it comes from an upstream, head and body. The first byte says how it is cut.
pub fn holds(input: &[u8]) {
    let Some((&cut, bytes)) = input.split_first() else { return };
    let Ok(Some(head)) = head::parse(bytes, &Method::POST) else { return };
    assert!(head.length <= bytes.len(), "a head is a part of what came");
    let body = bytes.get(head.length..).unwrap_or_default();
    let whole = read(head.framing, body, body.len());
    let in_pieces = read(head.framing, body, usize::from(cut));
    assert_eq!(whole, in_pieces, "cut into pieces of {cut}");
}

/// What a reader makes of a body: its content, whether it is whole, and how much was not its own.
type Read = (Vec<u8>, bool, usize);

fn read(mut framing: Framing, body: &[u8], piece_bytes: usize) -> Result<Read, BadFraming> {
    let (mut content, mut consumed) = (Vec::new(), 0);
    for piece in body.chunks(piece_bytes.max(1)) {
        let mut piece = piece.to_vec();
        let found = framing.unframe(&mut piece)?;
        content.extend_from_slice(piece.get(found.content).unwrap_or_default());
        consumed += found.consumed;
        if framing.is_ended() {
            break;
        }
    }
    Ok((content, framing.is_ended(), body.len() - consumed))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kept_answers_break_no_law() {
        crate::laws::check("answer", super::holds);
    }
}
