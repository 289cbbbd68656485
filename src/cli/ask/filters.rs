//! What every film of an answer must be like, as arguments.

use clap::Args;
use serde_json::{Map, Value, json};

#[derive(Debug, Args)]
#[command(next_help_heading = "What every film must be like")]
pub(in crate::cli) struct Filters {
    /// Of this genre; given several times, of any of them.
    #[arg(long = "genre", value_name = "GENRE")]
    genres: Vec<String>,
    /// Of all genres given so.
    #[arg(long = "all-genre", value_name = "GENRE")]
    genres_all: Vec<String>,
    /// Not of this genre.
    #[arg(long = "not-genre", value_name = "GENRE")]
    genres_none: Vec<String>,
    /// From this year on.
    #[arg(long = "from-year", value_name = "YEAR")]
    year_from: Option<u16>,
    /// Up to this year.
    #[arg(long = "to-year", value_name = "YEAR")]
    year_to: Option<u16>,
    /// In this original language, such as en; given several times, in any of them.
    #[arg(long = "language", value_name = "CODE")]
    languages: Vec<String>,
    /// So many minutes long, or longer.
    #[arg(long = "min-runtime", value_name = "MINUTES")]
    runtime_from: Option<u16>,
    /// So many minutes long, or shorter.
    #[arg(long = "max-runtime", value_name = "MINUTES")]
    runtime_to: Option<u16>,
    /// Rated by so many people.
    #[arg(long, value_name = "N")]
    min_votes: Option<u32>,
    /// With this average vote (0 to 10), or a better one.
    #[arg(long, value_name = "VOTE")]
    min_vote_average: Option<f32>,
}

impl Filters {
    /// The member `filters` of a question.
    pub(super) fn json(&self) -> Value {
        let mut members = Map::new();
        let lists = [("genres", &self.genres), ("genres_all", &self.genres_all), ("genres_none", &self.genres_none)];
        for (name, list) in lists.into_iter().chain([("languages", &self.languages)]) {
            if !list.is_empty() {
                members.insert(name.to_owned(), json!(list));
            }
        }
        let numbers = [
            ("year_from", self.year_from.map(u32::from)),
            ("year_to", self.year_to.map(u32::from)),
            ("runtime_from", self.runtime_from.map(u32::from)),
            ("runtime_to", self.runtime_to.map(u32::from)),
            ("min_votes", self.min_votes),
        ];
        for (name, number) in numbers {
            members.extend(number.map(|number| (name.to_owned(), json!(number))));
        }
        members.extend(self.min_vote_average.map(|vote| ("min_vote_average".to_owned(), json!(vote))));
        Value::Object(members)
    }

    /// The same as parameters of a query.
    pub(super) fn add_to(&self, query: &mut Parameters) {
        for (name, value) in self.json().as_object().into_iter().flatten() {
            match value {
                Value::Array(entries) => {
                    let entries: Vec<&str> = entries.iter().filter_map(Value::as_str).collect();
                    query.add(name, &entries.join(","));
                }
                number => query.add(name, number),
            }
        }
    }
}

/// The query of an address.
pub(super) struct Parameters(form_urlencoded::Serializer<'static, String>);

impl Default for Parameters {
    fn default() -> Self {
        Self(form_urlencoded::Serializer::new(String::new()))
    }
}

impl Parameters {
    pub(super) fn add(&mut self, name: &str, value: &(impl ToString + ?Sized)) {
        self.0.append_pair(name, &value.to_string());
    }

    /// Adds what is there.
    pub(super) fn add_some(&mut self, name: &str, value: Option<&(impl ToString + ?Sized)>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    /// The address of `path` with this query.
    pub(super) fn to(mut self, path: &str) -> String {
        let query = self.0.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}
