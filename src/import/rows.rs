//! Rows of a delimited text file, field by field, without an allocation per row.
//!
//! Two readers behind one face: quoted CSV (the `csv` crate), and plain lines split at a separator of one or more
//! bytes, for files that know no quoting. A quote in a plain file is a character like any other, so a stray one cannot
//! swallow the rest of the file. In a quoted file it can, but not the memory: after [`MAX_HELD_BYTES`] of one row the file
//! counts as ended.

use std::borrow::Cow;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{ImportError, Reason};

/// No row of a real data set comes near it; a longer one is skipped, and plain lines are not even held in memory.
const MAX_ROW_BYTES: u64 = 1 << 20;
/// So much of a quoted row is read to find its end, which is far more than any row and fits into any memory.
const MAX_HELD_BYTES: u64 = 16 << 20;
/// Large enough that system calls do not show in a profile.
const BUFFER_BYTES: usize = 1 << 18;

/// What bytes beyond ASCII mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// UTF-8; anything else is a fault.
    Utf8,
    /// UTF-8 where a field is valid UTF-8, else Latin-1 (files of the 1990s, some converted since).
    Latin1,
}

/// A column: the name for messages, the position for access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) position: usize,
}

/// Why a row cannot be used. Small and free of text, because there may be millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) reason: Reason,
    pub(super) field: Field,
}

/// An open file and its current row.
pub(super) struct Rows {
    path: PathBuf,
    encoding: Encoding,
    source: Source,
}

enum Source {
    Quoted { reader: Box<csv::Reader<Rationed>>, record: csv::ByteRecord, ration: Rc<Cell<u64>> },
    Plain(Box<PlainLines>),
}

/// Ends when the ration of the current row is used up.
struct Rationed {
    bytes: Box<dyn Read>,
    ration: Rc<Cell<u64>>,
}

impl Read for Rationed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ration.get() == 0 {
            return Ok(0);
        }
        let n_bytes = self.bytes.read(buffer)?;
        self.ration.set(self.ration.get().saturating_sub(n_bytes as u64));
        Ok(n_bytes)
    }
}

struct PlainLines {
    reader: BufReader<File>,
    separator: &'static [u8],
    line: Vec<u8>,
    fields: Vec<Range<usize>>,
    line_number: u64,
    bytes_read: u64,
    too_long: bool,
}

impl Rows {
    /// Opens comma-separated values with quotes.
    pub(super) fn open_csv(path: &Path) -> Result<Self, ImportError> {
        let file = File::open(path).map_err(|source| ImportError::read(path, source))?;
        Ok(Self::csv(path, Box::new(file)))
    }

    /// Quoted CSV that is in memory already; `path` names it in messages.
    pub(super) fn csv_in_memory(path: &Path, bytes: &'static [u8]) -> Self {
        Self::csv(path, Box::new(bytes))
    }

    fn csv(path: &Path, bytes: Box<dyn Read>) -> Self {
        let ration = Rc::new(Cell::new(MAX_HELD_BYTES));
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            // With the default a row after \r\n begins at the \n, on the line before; fields are trimmed anyway.
            .terminator(csv::Terminator::Any(b'\n'))
            .buffer_capacity(BUFFER_BYTES)
            .from_reader(Rationed { bytes, ration: Rc::clone(&ration) });
        let source = Source::Quoted { reader: Box::new(reader), record: csv::ByteRecord::new(), ration };
        Self { path: path.to_owned(), encoding: Encoding::Utf8, source }
    }

    /// Opens lines split at a separator, without quoting.
    pub(super) fn open_plain(path: &Path, separator: &'static str, encoding: Encoding) -> Result<Self, ImportError> {
        let file = File::open(path).map_err(|source| ImportError::read(path, source))?;
        let lines = PlainLines {
            reader: BufReader::with_capacity(BUFFER_BYTES, file),
            separator: separator.as_bytes(),
            line: Vec::new(),
            fields: Vec::new(),
            line_number: 0,
            bytes_read: 0,
            too_long: false,
        };
        Ok(Self { path: path.to_owned(), encoding, source: Source::Plain(Box::new(lines)) })
    }

    /// Goes to the next row; false at the end. Blank lines are passed over.
    pub(super) fn advance(&mut self) -> Result<bool, ImportError> {
        let outcome = match &mut self.source {
            Source::Quoted { reader, record, ration } => advance_quoted(reader, record, ration),
            Source::Plain(lines) => lines.advance(),
        };
        outcome.map_err(|source| ImportError::read(&self.path, source))
    }

    /// File name without its folder.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Line on which the current row begins.
    pub(super) fn line(&self) -> u64 {
        match &self.source {
            Source::Quoted { reader, record, .. } => {
                // The one is early after blank lines, the other in a last row without line end.
                let from_start = record.position().map_or(0, csv::Position::line);
                let n_lines = record.as_slice().split(|&byte| byte == b'\n').count() as u64;
                from_start.max(reader.position().line().saturating_sub(n_lines))
            }
            Source::Plain(lines) => lines.line_number,
        }
    }

    /// How far the file has been read.
    pub(super) fn bytes_read(&self) -> u64 {
        match &self.source {
            Source::Quoted { reader, .. } => reader.position().byte(),
            Source::Plain(lines) => lines.bytes_read,
        }
    }

    /// Whether the current row is over the limit.
    pub(super) fn is_too_long(&self) -> bool {
        match &self.source {
            Source::Quoted { record, .. } => record.as_slice().len() as u64 > MAX_ROW_BYTES,
            Source::Plain(lines) => lines.too_long,
        }
    }

    /// Number of fields of the current row.
    pub(super) fn n_fields(&self) -> usize {
        match &self.source {
            Source::Quoted { record, .. } => record.len(),
            Source::Plain(lines) => lines.fields.len(),
        }
    }

    /// A field's bytes, trimmed; absent when the row is shorter.
    pub(super) fn get(&self, field: Field) -> Option<&[u8]> {
        let bytes = match &self.source {
            Source::Quoted { record, .. } => record.get(field.position)?,
            Source::Plain(lines) => &lines.line[lines.fields.get(field.position)?.clone()],
        };
        Some(bytes.trim_ascii())
    }

    /// A needed field's bytes, trimmed.
    pub(super) fn bytes(&self, field: Field) -> Result<&[u8], Fault> {
        self.get(field).ok_or(Fault { reason: Reason::TooFewFields, field })
    }

    /// A needed field's text, trimmed.
    pub(super) fn text(&self, field: Field) -> Result<Cow<'_, str>, Fault> {
        let bytes = self.bytes(field)?;
        match (std::str::from_utf8(bytes), self.encoding) {
            (Ok(text), _) => Ok(Cow::Borrowed(text.trim())),
            (Err(_), Encoding::Latin1) => Ok(Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect())),
            (Err(_), Encoding::Utf8) => Err(Fault { reason: Reason::BrokenText, field }),
        }
    }

    /// Reads the first row as column names.
    pub(super) fn header(&mut self) -> Result<Columns, ImportError> {
        let mut names = Vec::new();
        if self.advance()? && !self.is_too_long() {
            for position in 0..self.n_fields() {
                let name = self.get(Field { name: "", position }).unwrap_or_default();
                let name = String::from_utf8_lossy(name);
                // RecBole writes `name:type`.
                let name = name.split(':').next().unwrap_or_default();
                names.push(name.trim_matches(['"', ' ']).to_ascii_lowercase());
            }
        }
        Ok(Columns { path: self.path.clone(), names })
    }
}

fn advance_quoted(
    reader: &mut csv::Reader<Rationed>,
    record: &mut csv::ByteRecord,
    ration: &Cell<u64>,
) -> io::Result<bool> {
    loop {
        // Used up once, the file has ended: what follows would be read from the middle of a row.
        if ration.get() > 0 {
            ration.set(MAX_HELD_BYTES);
        }
        if !reader.read_byte_record(record)? {
            return Ok(false);
        }
        if !record.as_slice().trim_ascii().is_empty() || record.len() > 1 {
            return Ok(true);
        }
    }
}

impl PlainLines {
    fn advance(&mut self) -> io::Result<bool> {
        loop {
            self.line.clear();
            let read = self.reader.by_ref().take(MAX_ROW_BYTES).read_until(b'\n', &mut self.line)? as u64;
            if read == 0 {
                return Ok(false);
            }
            self.line_number += 1;
            self.bytes_read += read;
            self.too_long = read == MAX_ROW_BYTES && !self.line.ends_with(b"\n");
            if self.too_long {
                self.bytes_read += self.reader.skip_until(b'\n')? as u64;
            }
            if self.line_number == 1 && self.line.starts_with(b"\xEF\xBB\xBF") {
                self.line.drain(..3);
            }
            while self.line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                self.line.pop();
            }
            if !self.line.trim_ascii().is_empty() {
                self.split();
                return Ok(true);
            }
        }
    }

    fn split(&mut self) {
        self.fields.clear();
        let mut start = 0;
        if let [separator] = self.separator {
            for (position, byte) in self.line.iter().enumerate() {
                if byte == separator {
                    self.fields.push(start..position);
                    start = position + 1;
                }
            }
        } else {
            let width = self.separator.len();
            while let Some(offset) = self.line[start..].windows(width).position(|window| window == self.separator) {
                self.fields.push(start..start + offset);
                start += offset + width;
            }
        }
        self.fields.push(start..self.line.len());
    }
}

/// The names in a header row, in lower case and without type suffix.
pub(super) struct Columns {
    path: PathBuf,
    names: Vec<String>,
}

impl Columns {
    /// A column that may be missing; the case of its name does not matter.
    pub(super) fn find(&self, name: &'static str) -> Option<Field> {
        let position = self.names.iter().position(|column| column.eq_ignore_ascii_case(name))?;
        Some(Field { name, position })
    }

    /// The first of several names there is.
    pub(super) fn find_any(&self, names: &[&'static str]) -> Option<Field> {
        names.iter().find_map(|name| self.find(name))
    }

    /// A column that must be there under one of these names.
    pub(super) fn require(&self, names: &[&'static str]) -> Result<Field, ImportError> {
        self.find_any(names).ok_or_else(|| ImportError::Header {
            path: self.path.clone(),
            missing: names.join(" or "),
            found: if self.names.is_empty() { "nothing".to_owned() } else { self.names.join(", ") },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_that_is_never_closed_swallows_the_file_but_not_the_memory() {
        let endless = io::Cursor::new(b"a,b\n1,\"".to_vec()).chain(io::repeat(b'x'));
        let mut rows = Rows::csv(Path::new("endless.csv"), Box::new(endless));
        assert!(rows.advance().unwrap());
        assert!(rows.advance().unwrap());
        assert!(rows.is_too_long());
        assert!(rows.bytes_read() <= MAX_HELD_BYTES + 2 * BUFFER_BYTES as u64, "{}", rows.bytes_read());
        assert!(!rows.advance().unwrap());
    }

    #[test]
    fn rows_after_a_long_one_are_read() {
        let bytes = [b"1,\"".as_slice(), &vec![b'x'; 3 << 20], b"\"\n2,y\n"].concat();
        let mut rows = Rows::csv(Path::new("long.csv"), Box::new(io::Cursor::new(bytes)));
        assert!(rows.advance().unwrap() && rows.is_too_long());
        assert!(rows.advance().unwrap() && !rows.is_too_long());
        assert_eq!(rows.get(Field { name: "id", position: 0 }), Some(b"2".as_slice()));
    }
}
