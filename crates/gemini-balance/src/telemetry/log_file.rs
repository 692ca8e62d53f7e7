//! Log files that replace each other: `gemini-balance.log` is written, `.1` is the one before it,
//! and so on; the oldest goes. A directory that was taken away is made again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use crate::config::LogFiles;

/// The file being written. Every write is whole lines.
pub(super) struct LogFile {
    files: LogFiles,
    file: Option<File>,
    bytes: u64,
}

impl LogFile {
    /// Goes on with the file that is there.
    ///
    /// # Errors
    ///
    /// When the directory cannot be made or the file not be opened.
    pub(super) fn open(files: LogFiles) -> io::Result<Self> {
        let mut log_file = Self { files, file: None, bytes: 0 };
        log_file.reopen()?;
        Ok(log_file)
    }

    fn reopen(&mut self) -> io::Result<()> {
        fs::create_dir_all(&self.files.dir)?;
        let file = OpenOptions::new().create(true).append(true).open(self.path(0))?;
        self.bytes = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }

    /// Moves every file one number up; the last one is written over.
    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        for number in (1..self.files.count_max).rev() {
            match fs::rename(self.path(number - 1), self.path(number)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                moved => moved?,
            }
        }
        if self.files.count_max == 1 {
            fs::remove_file(self.path(0))?;
        }
        self.reopen()
    }

    /// The whole lines at the beginning of `lines` for which the file has room; an empty file has
    /// room for one of any length.
    fn fitting<'a>(&self, lines: &'a [u8]) -> &'a [u8] {
        let room = usize::try_from(self.files.bytes_max.saturating_sub(self.bytes));
        let room = room.unwrap_or(usize::MAX).min(lines.len());
        let within = lines.get(..room).unwrap_or(lines);
        let end = match memchr::memrchr(b'\n', within) {
            Some(last) => last + 1,
            None if self.bytes > 0 => 0,
            None => memchr::memchr(b'\n', lines).map_or(lines.len(), |first| first + 1),
        };
        lines.get(..end).unwrap_or_default()
    }

    fn path(&self, number: usize) -> PathBuf {
        let name = match number {
            0 => "gemini-balance.log".to_owned(),
            number => format!("gemini-balance.log.{number}"),
        };
        self.files.dir.join(name)
    }
}

impl Write for LogFile {
    fn write(&mut self, all: &[u8]) -> io::Result<usize> {
        // A removed file would swallow lines silently; asking costs little beside writing.
        if self.file.is_none() || !self.path(0).exists() {
            self.reopen()?;
        }
        let mut lines = self.fitting(all);
        if lines.is_empty() {
            self.rotate()?;
            lines = self.fitting(all);
        }
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(lines)
        {
            // Half a line would run into the next one. Where not even this works, so be it.
            let _ = file.set_len(self.bytes);
            self.file = None;
            return Err(error);
        }
        self.bytes += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_full_file_makes_room_and_the_oldest_goes() {
        let dir = TempDir::new().unwrap();
        let mut log_file = open(&dir, 3);

        for line in ["one\n", "two\n", "three\n", "four\n", "five\n"] {
            log_file.write_all(line.as_bytes()).unwrap();
        }

        check(&dir, &[("", "five\n"), (".1", "four\n"), (".2", "three\n")]);
    }

    #[test]
    fn lines_share_a_file_until_it_is_full_also_after_a_restart() {
        let dir = TempDir::new().unwrap();

        for line in ["a\n", "b\n", "c\n", "d\n"] {
            open(&dir, 2).write_all(line.as_bytes()).unwrap();
        }

        check(&dir, &[("", "d\n"), (".1", "a\nb\nc\n")]);
    }

    #[test]
    fn lines_that_come_together_are_parted_where_a_file_is_full() {
        let dir = TempDir::new().unwrap();
        let mut log_file = open(&dir, 3);

        log_file.write_all(b"a\nb\nc\nd\nvery long\ne\n").unwrap();

        check(&dir, &[("", "e\n"), (".1", "very long\n"), (".2", "d\n")]);
    }

    #[test]
    fn a_single_file_starts_over() {
        let dir = TempDir::new().unwrap();
        let mut log_file = open(&dir, 1);

        log_file.write_all(b"12345\n").unwrap();
        log_file.write_all(b"67890\n").unwrap();

        check(&dir, &[("", "67890\n")]);
    }

    #[test]
    fn a_directory_that_was_taken_away_is_made_again() {
        let dir = TempDir::new().unwrap();
        let mut log_file = open(&dir, 2);
        log_file.write_all(b"one\n").unwrap();
        fs::remove_dir_all(dir.path().join("log")).unwrap();

        log_file.write_all(b"two\n").unwrap();

        check(&dir, &[("", "two\n")]);
    }

    fn open(dir: &TempDir, count_max: usize) -> LogFile {
        let dir = dir.path().join("log");
        LogFile::open(LogFiles { dir, bytes_max: 6, count_max }).unwrap()
    }

    fn check(dir: &TempDir, expected: &[(&str, &str)]) {
        let dir = dir.path().join("log");
        for (number, text) in expected {
            let path = dir.join(format!("gemini-balance.log{number}"));
            assert_eq!(fs::read_to_string(path).unwrap(), *text, "{number}");
        }
        assert_eq!(fs::read_dir(dir).unwrap().count(), expected.len());
    }
}
