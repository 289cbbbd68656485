//! Judged inputs for `marquee evaluate`: what people type, and which movies answer it. The layouts are described in
//! `tests/fixtures/titles` and `tests/fixtures/prompts`.
//!
//! Unlike rows of a data set, a row that cannot be used is an error: a measurement must not leave out what it should count.

use std::path::Path;

use super::ImportError;
use super::rows::{Fault, Field, Rows};
use super::value::parse_year;
use crate::domain::MovieId;

/// Where judged inputs are read from.
#[derive(Clone, Copy, Debug)]
pub enum JudgedFile<'a> {
    /// A file.
    Path(&'a Path),
    /// A file that comes with the program.
    BuiltIn {
        /// Its name in messages.
        name: &'static str,
        /// Its text.
        text: &'static str,
    },
}

impl JudgedFile<'_> {
    /// Name for messages.
    pub fn name(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::BuiltIn { name, .. } => (*name).to_owned(),
        }
    }

    fn open(&self) -> Result<Rows, ImportError> {
        match self {
            Self::Path(path) => Rows::open_csv(path),
            Self::BuiltIn { name, text } => Ok(Rows::csv_in_memory(Path::new(name), text.as_bytes())),
        }
    }
}

/// An input and the movies it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledTitle {
    /// The text as typed.
    pub input: String,
    /// Why it is in the set.
    pub kind: String,
    /// Acceptable movies; none: the text is a prompt.
    pub movies: Vec<MovieId>,
}

/// A prompt and the movies that answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedPrompt {
    /// The text as typed.
    pub prompt: String,
    /// What kind of prompt it is; may be empty.
    pub kind: String,
    /// Which part of the set it belongs to; may be empty.
    pub split: String,
    /// What answers it.
    pub answers: Vec<JudgedAnswer>,
}

/// A movie and how well it answers, 1 to 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedAnswer {
    /// The movie.
    pub movie: NamedMovie,
    /// Its grade.
    pub grade: u8,
}

/// A movie by id, or by title and year in any data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedMovie {
    /// By id.
    Id(MovieId),
    /// By title and year.
    Titled(String, u16),
}

/// Reads labelled titles (`input,kind,movie_ids`).
pub fn labelled_titles(file: JudgedFile<'_>) -> Result<Vec<LabelledTitle>, ImportError> {
    let mut rows = file.open()?;
    let columns = rows.header()?;
    let (input, movies) = (columns.require(&["input"])?, columns.require(&["movie_ids"])?);
    let kind = columns.find("kind");
    let read = |rows: &Rows| {
        let ids = text(rows, movies)?;
        let movies = entries(&ids).map(|id| parse_id(id).ok_or_else(|| format!("{id:?} is no movie id")));
        let movies = movies.collect::<Result<_, _>>()?;
        Ok(LabelledTitle { input: text(rows, input)?, kind: optional(rows, kind)?, movies })
    };
    each_row(&mut rows, &file, read)
}

/// Reads judged prompts (`prompt,relevant` and, where there, `kind,split`).
pub fn judged_prompts(file: JudgedFile<'_>) -> Result<Vec<JudgedPrompt>, ImportError> {
    let mut rows = file.open()?;
    let columns = rows.header()?;
    let (prompt, relevant) = (columns.require(&["prompt"])?, columns.require(&["relevant"])?);
    let (kind, split) = (columns.find("kind"), columns.find("split"));
    let read = |rows: &Rows| {
        let relevant = text(rows, relevant)?;
        let answers = entries(&relevant).map(|entry| {
            parse_answer(entry).ok_or_else(|| format!("{entry:?} is neither a movie id nor \"Title (Year):grade\""))
        });
        Ok(JudgedPrompt {
            prompt: text(rows, prompt)?,
            kind: optional(rows, kind)?,
            split: optional(rows, split)?,
            answers: answers.collect::<Result<_, _>>()?,
        })
    };
    each_row(&mut rows, &file, read)
}

fn each_row<T>(
    rows: &mut Rows,
    file: &JudgedFile<'_>,
    read: impl Fn(&Rows) -> Result<T, String>,
) -> Result<Vec<T>, ImportError> {
    let mut all = Vec::new();
    while rows.advance()? {
        let problem = |problem| ImportError::Judged { file: file.name(), line: rows.line(), problem };
        all.push(read(rows).map_err(problem)?);
    }
    Ok(all)
}

fn text(rows: &Rows, field: Field) -> Result<String, String> {
    let text = rows.text(field).map_err(|Fault { field, .. }| format!("the column {} cannot be read", field.name))?;
    Ok(text.into_owned())
}

fn optional(rows: &Rows, field: Option<Field>) -> Result<String, String> {
    field.map_or(Ok(String::new()), |field| text(rows, field))
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split('|').map(str::trim).filter(|entry| !entry.is_empty())
}

fn parse_id(text: &str) -> Option<MovieId> {
    text.parse().ok().map(MovieId)
}

/// An id alone is a perfect answer.
fn parse_answer(entry: &str) -> Option<JudgedAnswer> {
    if let Some(id) = parse_id(entry) {
        return Some(JudgedAnswer { movie: NamedMovie::Id(id), grade: 3 });
    }
    let (named, grade) = entry.rsplit_once(':')?;
    let (title, year) = named.strip_suffix(')')?.rsplit_once(" (")?;
    let grade = grade.parse().ok().filter(|grade| (1..=3).contains(grade))?;
    Some(JudgedAnswer { movie: NamedMovie::Titled(title.to_owned(), parse_year(year)?), grade })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in(text: &'static str) -> JudgedFile<'static> {
        JudgedFile::BuiltIn { name: "set.csv", text }
    }

    #[test]
    fn titles_and_prompts_are_read() {
        let titles = labelled_titles(built_in("input,kind,movie_ids\nthe heat,typo,7|9\nspace,prompt,\n")).unwrap();
        assert_eq!(titles[0].movies, [MovieId(7), MovieId(9)]);
        assert!(titles[1].movies.is_empty());
        let prompts = judged_prompts(built_in("prompt,relevant\n\"a, b\",12|Se7en (It) (1995):2\n")).unwrap();
        let answers = &prompts[0].answers;
        assert_eq!(answers[0], JudgedAnswer { movie: NamedMovie::Id(MovieId(12)), grade: 3 });
        assert_eq!(answers[1].movie, NamedMovie::Titled("Se7en (It)".to_owned(), 1995));
        assert_eq!((answers[1].grade, prompts[0].split.as_str()), (2, ""));
    }

    #[test]
    fn a_row_that_cannot_be_used_is_an_error_with_its_line() {
        for text in ["prompt,relevant\nx,1\ny,Heat (1995):4\n", "prompt,relevant\nx,1\ny,Heat\n"] {
            let error = judged_prompts(built_in(text)).unwrap_err().to_string();
            assert!(error.contains("line 3 of set.csv"), "{error}");
        }
        assert!(labelled_titles(built_in("input,movie_ids\nx,one\n")).is_err());
        assert!(labelled_titles(built_in("text\nx\n")).is_err());
    }
}
