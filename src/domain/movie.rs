//! A movie as the catalogue knows it.

use super::MovieId;

/// A movie's votes, from metadata or derived from ratings (see [`Popularity`](super::Popularity)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Votes {
    /// Mean vote on the scale 0 to 10.
    pub average: f32,
    /// Number of votes.
    pub count: u32,
}

/// A number of IMDb as IMDb writes it.
pub fn imdb_text(number: u32) -> String {
    format!("tt{number:07}")
}

/// A movie. What the sources do not know is `None` or empty, never a made-up value.
#[derive(Clone, Debug, PartialEq)]
pub struct Movie {
    /// Identifier in the data set.
    pub id: MovieId,
    /// Title in reading order ("The Godfather").
    pub title: String,
    /// Other titles, such as the original one.
    pub alternative_titles: Vec<String>,
    /// Year of release.
    pub year: Option<u16>,
    /// Genre names in the order of the source.
    pub genres: Vec<String>,
    /// What the film is about, in a few sentences.
    pub overview: Option<String>,
    /// The same told by somebody else: searched beside the overview, which is what is shown.
    pub synopsis: Option<String>,
    /// Number in IMDb's `tt…` identifier.
    pub imdb_id: Option<u32>,
    /// TMDB identifier.
    pub tmdb_id: Option<u32>,
    /// Original language as ISO 639-1 code.
    pub language: Option<String>,
    /// Length in minutes.
    pub runtime_minutes: Option<u16>,
    /// Path of the poster at TMDB.
    pub poster_path: Option<String>,
    /// Votes known from metadata.
    pub votes: Option<Votes>,
    /// Popularity known from metadata (TMDB's own unit, at least 0).
    pub popularity: Option<f32>,
}

impl Movie {
    /// Whether the figures are within their bounds; the name of one that is not.
    pub fn check_figures(&self) -> Result<(), &'static str> {
        if self.votes.is_some_and(|votes| !(0.0..=10.0).contains(&votes.average)) {
            return Err("vote average");
        }
        // NaN is neither within the bounds above nor here.
        if self.popularity.is_some_and(|popularity| !(0.0..=f32::MAX).contains(&popularity)) {
            return Err("popularity");
        }
        Ok(())
    }

    /// What is told of its content, joined by a space; may be empty.
    pub fn description(&self) -> String {
        let texts = [&self.overview, &self.synopsis].into_iter().flatten().map(|text| text.trim());
        texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// A movie of which only id and title are known.
    pub fn new(id: MovieId, title: impl Into<String>) -> Self {
        Self {
            id,
            title: title.into(),
            alternative_titles: Vec::new(),
            year: None,
            genres: Vec::new(),
            overview: None,
            synopsis: None,
            imdb_id: None,
            tmdb_id: None,
            language: None,
            runtime_minutes: None,
            poster_path: None,
            votes: None,
            popularity: None,
        }
    }
}
