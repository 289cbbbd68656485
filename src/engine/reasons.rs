//! Why each movie of a page is there: the scores of its sources taken apart, and a sentence.

use std::collections::HashMap;

use super::EngineError;
use super::answers::recommend_error;
use super::desk::Desk;
use super::list::{List, Row, SourceKind, Taste};
use super::question::{Contribution, FilmEffect, Reasons};
use crate::domain::MovieId;
use crate::recommend::PromptReasons;
use crate::recommend::ranking::Explanation;

/// Films and words that a sentence names.
const N_TOLD: usize = 3;
/// Share of what raises a movie that a film must have to be named.
const LEAST_TOLD: f32 = 0.02;

/// The explanations that the rows of a page are put together from.
struct Material<'a> {
    desk: &'a Desk,
    list: &'a List,
    /// By taste and movie.
    tastes: Vec<HashMap<MovieId, Explanation>>,
    prompt: HashMap<MovieId, PromptReasons>,
}

/// The reasons of the rows, in their order.
pub(super) fn explain(desk: &Desk, list: &List, rows: &[Row]) -> Result<Vec<Reasons>, EngineError> {
    let uses =
        |wanted: SourceKind| rows.iter().filter(move |row| row.sources.iter().any(|source| source.kind == wanted));
    let mut tastes = Vec::with_capacity(list.tastes.len());
    for (place, taste) in list.tastes.iter().enumerate() {
        let movies: Vec<MovieId> = uses(SourceKind::Taste(place)).map(|row| row.movie).collect();
        tastes.push(of_taste(desk, taste, &movies)?);
    }
    let prompted: Vec<MovieId> = uses(SourceKind::Prompt).map(|row| row.movie).collect();
    let prompt = match &list.asked {
        Some(asked) if !prompted.is_empty() => super::search::prompt_reasons(&desk.snapshot, asked, &prompted)?,
        _ => HashMap::new(),
    };
    let material = Material { desk, list, tastes, prompt };
    Ok(rows.iter().map(|row| material.of_row(row)).collect())
}

/// Without anything rated, or before the hybrid is fitted, a taste has nothing to take apart.
fn of_taste(desk: &Desk, taste: &Taste, movies: &[MovieId]) -> Result<HashMap<MovieId, Explanation>, EngineError> {
    let Some(hybrid) = desk.snapshot.hybrid().filter(|_| !taste.query.history.is_empty() && !movies.is_empty()) else {
        return Ok(HashMap::new());
    };
    let explanations = hybrid.explain(&taste.query, movies).map_err(recommend_error)?;
    Ok(explanations.into_iter().map(|explanation| (explanation.movie, explanation)).collect())
}

impl Material<'_> {
    fn of_row(&self, row: &Row) -> Reasons {
        let mut reasons = Reasons::default();
        for source in &*row.sources {
            match source.kind {
                SourceKind::Taste(place) => self.add_taste(&mut reasons, row, (place, source.scale)),
                SourceKind::Prompt => {
                    let Some((parts, words)) = self.prompt.get(&row.movie) else { continue };
                    reasons.contributions.extend(parts.iter().map(|&(name, effect)| Contribution {
                        source: name,
                        user: None,
                        effect: source.scale * effect,
                    }));
                    reasons.words.clone_from(words);
                }
                SourceKind::Everybody | SourceKind::Prediction => {}
            }
            reasons.baseline += source.offset;
        }
        // What is not taken apart further is one contribution; so the parts sum to the score in any case.
        let sum: f32 = reasons.contributions.iter().map(|part| part.effect).sum();
        let rest = row.score - reasons.baseline - sum;
        if rest.abs() > 1e-4 * row.score.abs().max(1.0) {
            reasons.contributions.push(Contribution { source: row.method, user: None, effect: rest });
        }
        reasons.contributions.sort_by(|left, right| right.effect.abs().total_cmp(&left.effect.abs()));
        reasons.because_of.sort_by(|left, right| right.effect.total_cmp(&left.effect));
        let people = self.list.tastes.iter().filter_map(|taste| taste.user);
        reasons.people = people.zip(row.people.iter().copied()).collect();
        reasons.sentence = sentence(&reasons, row.method);
        reasons
    }

    fn add_taste(&self, reasons: &mut Reasons, row: &Row, (place, scale): (usize, f32)) {
        let Some(explanation) = self.tastes[place].get(&row.movie) else { return };
        let user = self.list.tastes[place].user.filter(|_| self.list.tastes.len() > 1);
        reasons.baseline += scale * explanation.baseline;
        let part = |&(source, effect): &(&'static str, f32)| Contribution { source, user, effect: scale * effect };
        reasons.contributions.extend(explanation.signals.iter().map(part));
        for &(movie, effect) in &explanation.because_of {
            // A film that left the catalogue can be no reason that anybody understands.
            let Some((film, _)) = self.desk.movie(movie) else { continue };
            reasons.because_of.push(FilmEffect { movie, title: film.title.clone(), user, effect: scale * effect });
        }
    }
}

fn sentence(reasons: &Reasons, method: &str) -> String {
    let mut parts = Vec::new();
    let raised: f32 = reasons.contributions.iter().map(|part| part.effect.max(0.0)).sum();
    let films = reasons.because_of.iter().filter(|film| film.effect > LEAST_TOLD * raised).take(N_TOLD);
    let films: Vec<String> = films.map(|film| film.title.clone()).collect();
    if !films.is_empty() {
        parts.push(format!("you rated {}", listed(&films)));
    }
    let strongest = reasons.contributions.iter().find(|part| part.effect > 0.0);
    match strongest.map_or(method, |part| part.source) {
        "meaning" => parts.push("it is about what you describe".to_owned()),
        "popularity" | "recent-popularity" if parts.is_empty() => parts.push("many people like it".to_owned()),
        "popularity" => parts.push("many people watch it".to_owned()),
        "user-knn" => parts.push("people with your taste like it".to_owned()),
        "ease-recent" | "item-knn-recent" if parts.is_empty() => {
            parts.push("it is like what you rated last".to_owned());
        }
        "sequential-rules" if parts.is_empty() => {
            parts.push("people watch it soon after what you rated last".to_owned());
        }
        "genres" => parts.push("it is of a kind you like".to_owned()),
        "quality" => parts.push("it is rated highly".to_owned()),
        "news" => parts.push("it is new since you were last here".to_owned()),
        _ => {}
    }
    if !reasons.words.is_empty() {
        let words: Vec<String> = reasons.words.iter().take(N_TOLD).map(|word| format!("“{word}”")).collect();
        parts.push(format!("its description has {}", listed(&words)));
    }
    if parts.is_empty() {
        return "It fits best of what is left.".to_owned();
    }
    format!("Because {}.", listed(&parts))
}

/// "a", "a and b", "a, b and c".
fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [front @ .., last] => format!("{} and {last}", front.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_name_films_and_what_counts_most() {
        let film = |title: &str| FilmEffect { movie: MovieId(1), title: title.to_owned(), user: None, effect: 1.0 };
        let part = |source, effect| Contribution { source, user: None, effect };
        let mut reasons = Reasons { because_of: vec![film("Alien"), film("Heat")], ..Reasons::default() };
        assert_eq!(sentence(&reasons, "x"), "Because you rated Alien and Heat.");
        reasons.contributions = vec![part("age", -2.0), part("user-knn", 1.0)];
        reasons.words = vec!["toy".to_owned()];
        assert_eq!(
            sentence(&reasons, "x"),
            "Because you rated Alien and Heat, people with your taste like it and its description has “toy”."
        );
        reasons = Reasons { contributions: vec![part("ease-recent", 1.0)], ..Reasons::default() };
        assert_eq!(sentence(&reasons, "x"), "Because it is like what you rated last.");
        reasons.contributions = vec![part("sequential-rules", 1.0)];
        assert_eq!(sentence(&reasons, "x"), "Because people watch it soon after what you rated last.");
        assert_eq!(sentence(&Reasons::default(), "popularity"), "Because many people like it.");
        assert_eq!(sentence(&Reasons::default(), "x"), "It fits best of what is left.");
    }
}
