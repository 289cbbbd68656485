//! What was understood of a prompt as a list of wishes that can be shown, and taken away, one by one.

use super::Understood;
use crate::domain::Catalogue;

/// A part of what was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What to name it by to take it away: `years`, `runtime`, `genre:…`, `without-genre:…`, `without:…`, `language:…`,
    /// `like:…`.
    pub key: String,
    /// The part of the key before the colon.
    pub kind: &'static str,
    /// Words for people.
    pub label: String,
}

impl Understood {
    /// Everything that can be taken away; the text that is searched for is not among it.
    pub fn wishes(&self, catalogue: &Catalogue) -> Vec<Wish> {
        let named = |kind: &'static str, value: &str, label: String| Wish { key: key(kind, value), kind, label };
        let mut wishes: Vec<Wish> = Vec::new();
        for &anchor in &self.anchors {
            let title = catalogue.item_idx(anchor).map(|item| catalogue.movie(item).title.as_str());
            wishes.push(named("like", &anchor.to_string(), format!("like {}", title.unwrap_or("a movie"))));
        }
        wishes.extend(self.genres.iter().map(|genre| named("genre", genre, genre.clone())));
        wishes.extend(self.without_genres.iter().map(|genre| named("without-genre", genre, format!("not {genre}"))));
        wishes.extend(self.without.iter().map(|topic| named("without", topic, format!("without {topic}"))));
        if let Some(years) = self.years {
            wishes.push(Wish { key: "years".to_owned(), kind: "years", label: years_label(years) });
        }
        wishes.extend(self.languages.iter().map(|code| named("language", code, format!("language {code}"))));
        if let Some((shortest, longest)) = self.runtime_minutes {
            let label = match (shortest, longest) {
                (0, longest) => format!("at most {longest} minutes"),
                (shortest, u16::MAX) => format!("at least {shortest} minutes"),
                (shortest, longest) => format!("{shortest} to {longest} minutes"),
            };
            wishes.push(Wish { key: "runtime".to_owned(), kind: "runtime", label });
        }
        wishes
    }

    /// Takes the wish of a key away; a key that names none changes nothing.
    pub fn forget(&mut self, forgotten: &str) {
        let stays = |kind: &str, value: &str| key(kind, value) != forgotten;
        self.anchors.retain(|anchor| stays("like", &anchor.to_string()));
        self.genres.retain(|genre| stays("genre", genre));
        self.without_genres.retain(|genre| stays("without-genre", genre));
        self.without.retain(|topic| stays("without", topic));
        self.languages.retain(|code| stays("language", code));
        match forgotten {
            "years" => self.years = None,
            "runtime" => self.runtime_minutes = None,
            _ => {}
        }
    }
}

fn key(kind: &str, value: &str) -> String {
    format!("{kind}:{value}")
}

fn years_label((from, to): (u16, u16)) -> String {
    match (from, to) {
        (0, to) => format!("until {to}"),
        (from, u16::MAX) => format!("since {from}"),
        (from, to) if from == to => from.to_string(),
        (from, to) => format!("{from}–{to}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Movie, MovieId, RatingMatrix};

    #[test]
    fn every_wish_is_listed_and_can_be_taken_away() {
        let movies = vec![Movie::new(MovieId(7), "Alien")];
        let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), Vec::new());
        let catalogue = Catalogue::new(movies, &ratings);
        let understood = Understood {
            text: "about friendship".to_owned(),
            genres: vec!["Comedy".to_owned()],
            without_genres: vec!["Horror".to_owned()],
            without: vec!["gore".to_owned()],
            years: Some((1980, 1989)),
            languages: vec!["fr".to_owned()],
            runtime_minutes: Some((0, 120)),
            anchors: vec![MovieId(7)],
        };
        let wishes = understood.wishes(&catalogue);
        let labels: Vec<&str> = wishes.iter().map(|wish| wish.label.as_str()).collect();
        assert_eq!(
            labels,
            ["like Alien", "Comedy", "not Horror", "without gore", "1980–1989", "language fr", "at most 120 minutes"]
        );
        for wish in &wishes {
            assert_eq!(wish.key.split(':').next(), Some(wish.kind));
            let mut less = understood.clone();
            less.forget(&wish.key);
            assert_eq!(less.wishes(&catalogue).len(), wishes.len() - 1, "{wish:?}");
            assert_eq!(less.text, understood.text);
        }
        let mut bare = understood.clone();
        for wish in &wishes {
            bare.forget(&wish.key);
        }
        assert!(bare.is_plain());
        bare.forget("no such wish");
        assert!(bare.is_plain());
    }
}
