//! A stream and how it was cut, both out of one input.

/// What a fuzzer's input stands for: the first four bytes are the lengths of the pieces, from 0 to 15
/// and over and over; the rest is the stream.
pub(super) struct Pieces<'i> {
    pub(super) stream: &'i [u8],
    lengths: &'i [u8],
}

impl<'i> Pieces<'i> {
    pub(super) fn of(input: &'i [u8]) -> Self {
        let (lengths, stream) = input.split_at(input.len().min(4));
        Self { stream, lengths }
    }

    /// The stream in one, in the pieces of the input, and byte by byte.
    pub(super) fn cuts(&self) -> [Vec<&'i [u8]>; 3] {
        [vec![self.stream], self.cut(), self.stream.chunks(1).collect()]
    }

    fn cut(&self) -> Vec<&'i [u8]> {
        let mut pieces = Vec::new();
        let mut rest = self.stream;
        // Lengths may be zero, all of them even, so there is an end to them.
        for length in self.lengths.iter().cycle().take(self.stream.len()) {
            let (piece, tail) = rest.split_at(usize::from(length % 16).min(rest.len()));
            pieces.push(piece);
            rest = tail;
        }
        pieces.push(rest);
        pieces
    }
}
