//! From a question to the one list that all its pages are cut from.
//!
//! Sources score movies: the taste of each person, the prompt, popularity. Alone, a source's own score ranks. Together,
//! each is scaled to 0 to 1 over the candidates and weighed; a movie's score is the sum over its sources, which is what an
//! explanation takes apart again.

use std::collections::HashSet;
use std::sync::Arc;

use super::EngineError;
use super::answers::{recommend_error, scored_in_turn};
use super::desk::Desk;
use super::question::{Question, RankBy};
use super::snapshot::Tastes;
use crate::domain::{ItemIdx, MovieId, Query, RatedMovie, Rating, UserId};
use crate::recommend::{HouseholdRule, RecommendError, Scorer, Scores, diversify, range, rank};
use crate::understand::Understood;

/// Movies that fit a prompt among which a taste chooses.
const PROMPT_POOL: usize = 300;
/// What the prompt counts where there is a taste too: what was asked for in words comes first.
const PROMPT_WEIGHT: f32 = 0.6;
/// Movies at the front that are ordered for variety.
const VARIED: usize = 200;

/// Something that gives scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceKind {
    /// The taste of a person, by place among the tastes.
    Taste(usize),
    /// The prompt.
    Prompt,
    /// Everybody's taste.
    Everybody,
    /// A predicted rating.
    Prediction,
}

/// A source and what becomes of its scores: `scale · score + offset`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) kind: SourceKind,
    pub(super) scale: f32,
    pub(super) offset: f32,
}

/// A person, or whoever sent ratings along.
#[derive(Clone, Debug)]
pub(super) struct Taste {
    pub(super) user: Option<UserId>,
    pub(super) query: Query,
}

/// A movie of the list.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) movie: MovieId,
    pub(super) score: f32,
    pub(super) method: &'static str,
    /// The sources that make up its score. Rows that have the same share them.
    pub(super) sources: Arc<[Source]>,
    /// What each of several people would give it.
    pub(super) people: Box<[f32]>,
}

/// The list, with what is needed to explain it.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub(super) rows: Vec<Row>,
    pub(super) tastes: Vec<Taste>,
    pub(super) asked: Option<Understood>,
    pub(super) cold_start: bool,
}

/// What all parts of a question have in common.
struct Wanted<'a> {
    desk: &'a Desk,
    question: &'a Question,
    length: usize,
}

/// What the people of a question rated, in their order.
pub(super) fn histories(desk: &Desk, question: &Question) -> Result<Vec<Vec<RatedMovie>>, EngineError> {
    question.people.iter().map(|&user| desk.history(user)).collect()
}

/// The list for a question and its people's histories, at most so long.
pub(super) fn list(
    desk: &Desk,
    question: &Question,
    (length, histories): (usize, Vec<Vec<RatedMovie>>),
) -> Result<List, EngineError> {
    let wanted = Wanted { desk, question, length };
    let tastes = wanted.tastes(histories);
    let asked = question.prompt.as_ref().map(|prompt| wanted.understand(prompt));
    let has_taste = tastes.iter().any(|taste| !taste.query.history.is_empty());
    let mut rows = match (&asked, question.rank_by) {
        (_, RankBy::Popularity | RankBy::Trending) => Vec::new(),
        (Some(asked), rank_by) => wanted.by_prompt(asked, has_taste.then_some(&tastes), rank_by)?,
        (None, RankBy::PredictedRating) => wanted.by_prediction(&tastes)?,
        (None, RankBy::Score) if tastes.len() > 1 => wanted.by_household(&tastes)?,
        (None, RankBy::Score) => wanted.by_taste(&tastes)?,
    };
    if question.diversity > 0.0 {
        wanted.vary(&mut rows);
    }
    if asked.is_none() {
        wanted.fill(&mut rows, &tastes);
    }
    rows.retain(|row| wanted.is_fit(row.movie));
    rows.truncate(wanted.length);
    Ok(List { rows, tastes, asked, cold_start: !has_taste })
}

impl Row {
    /// What it takes, shared parts counted once for each row.
    pub(super) fn n_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.sources) + size_of_val(&*self.people)
    }
}

impl Taste {
    /// What it takes.
    pub(super) fn n_bytes(&self) -> usize {
        let Query { history, excluded, .. } = &self.query;
        size_of::<Self>() + size_of_val(history.as_slice()) + excluded.capacity() * size_of::<(MovieId, u64)>()
    }
}

/// Makes rows of one source, whose scores rank as they are.
fn rows_of<'a>(
    kind: SourceKind,
    scored: impl IntoIterator<Item = (MovieId, f32, &'static str)> + 'a,
) -> impl Iterator<Item = Row> + 'a {
    let sources: Arc<[Source]> = Arc::new([Source { kind, scale: 1.0, offset: 0.0 }]);
    let row = move |(movie, score, method)| Row {
        movie,
        score,
        method,
        sources: Arc::clone(&sources),
        people: Box::default(),
    };
    scored.into_iter().map(row)
}

/// When a question is taken to be asked: after the newest rating known, time stands still, as nothing is known to have
/// changed since.
pub(super) fn asked_at(desk: &Desk, question: &Question) -> i64 {
    let newest = desk.snapshot.base.ratings.newest();
    question.asked_at.map_or(newest, |asked_at| asked_at.min(newest))
}

impl Wanted<'_> {
    /// The query without anybody's taste.
    fn query(&self) -> Query {
        let Question { filter, excluded, include_seen, .. } = self.question;
        let snapshot = &self.desk.snapshot;
        Query {
            filter: filter.clone(),
            include_seen: *include_seen,
            excluded: excluded.iter().copied().chain(snapshot.overlay.removed.iter().copied()).collect(),
            asked_at: Some(asked_at(self.desk, self.question)),
            // Movies that are not any more as the base has them may fall out at the end.
            n: self.length + snapshot.overlay.len(),
            ..Query::default()
        }
    }

    /// Everybody's history with what the question brings along. Nobody leaves out less than all.
    fn tastes(&self, histories: Vec<Vec<RatedMovie>>) -> Vec<Taste> {
        let given = self.given();
        let taste = |(user, stored): (Option<UserId>, Vec<RatedMovie>)| {
            let is_given = |movie: MovieId| given.iter().any(|rated: &RatedMovie| rated.movie == movie);
            let stored = stored.into_iter().filter(|rated| !is_given(rated.movie));
            let history = stored.chain(given.iter().copied()).collect();
            Taste { user, query: Query { user, history, ..self.query() } }
        };
        let people = self.question.people.iter().copied().map(Some);
        let mut tastes: Vec<Taste> = match self.question.people.as_slice() {
            [] => vec![taste((None, Vec::new()))],
            _ => people.zip(histories).map(taste).collect(),
        };
        let seen: HashSet<MovieId> = tastes.iter().flat_map(|taste| taste.query.seen()).collect();
        if tastes.len() > 1 {
            for taste in &mut tastes {
                taste.query.excluded.extend(&seen);
            }
        }
        tastes
    }

    /// What the question brings along, as if it had been rated last. Liked counts before rated, disliked before liked.
    fn given(&self) -> Vec<RatedMovie> {
        let (low, high) = super::people::scale(&self.desk.snapshot);
        let timestamp = self.desk.snapshot.base.ratings.newest();
        let liked = self.question.liked.iter().map(|&movie| (movie, high));
        let disliked = self.question.disliked.iter().map(|&movie| (movie, low));
        let mut given: Vec<RatedMovie> = Vec::new();
        for (movie, value) in disliked.chain(liked).chain(self.question.rated.iter().copied()) {
            let Ok(rating) = Rating::new(value) else { continue };
            if given.iter().all(|rated| rated.movie != movie) {
                given.push(RatedMovie { movie, rating, timestamp });
            }
        }
        given
    }

    fn understand(&self, prompt: &str) -> Understood {
        let base = &self.desk.snapshot.base;
        let mut understood = base.prompts.read(prompt, &base.titles);
        for key in &self.question.ignored {
            understood.forget(key);
        }
        understood
    }

    /// The prompt's own order; with tastes, what fits the prompt in an order that heeds them.
    fn by_prompt(
        &self,
        asked: &Understood,
        tastes: Option<&Vec<Taste>>,
        rank_by: RankBy,
    ) -> Result<Vec<Row>, EngineError> {
        let mut query = self.query();
        let (name, found) = {
            let everybody = tastes.into_iter().flatten();
            query.excluded.extend(everybody.flat_map(|taste| taste.query.seen()));
            super::search::prompt_rows(&self.desk.snapshot, asked, &query)?
        };
        let found = found.into_iter().map(|(movie, score)| (movie, score, name));
        let mut rows: Vec<Row> = rows_of(SourceKind::Prompt, found).collect();
        if let Some(tastes) = tastes {
            self.heed(&mut rows, tastes)?;
        }
        if rank_by == RankBy::PredictedRating {
            let queries = tastes.map_or(Vec::new(), |tastes| tastes.iter().map(|taste| &taste.query).collect());
            let fallback = self.query();
            let query = queries.first().copied().unwrap_or(&fallback);
            self.predict(query, &mut rows)?;
        }
        Ok(rows)
    }

    /// Adds what the people think to rows that a prompt found.
    fn heed(&self, rows: &mut [Row], tastes: &[Taste]) -> Result<(), EngineError> {
        let base = &self.desk.snapshot.base;
        let n_pool = rows.len().min(PROMPT_POOL);
        let items: Vec<ItemIdx> = rows[..n_pool].iter().filter_map(|row| base.catalogue.item_idx(row.movie)).collect();
        let by_taste: Vec<Scores> =
            tastes.iter().map(|taste| self.taste_scores(taste, &items)).collect::<Result<_, _>>()?;
        let prompt = scaled(SourceKind::Prompt, range(rows[..n_pool].iter().map(|row| row.score)), PROMPT_WEIGHT);
        let weight = (1.0 - PROMPT_WEIGHT) / tastes.len() as f32;
        let sources: Vec<Source> = (0..)
            .zip(&by_taste)
            .map(|(place, scores)| {
                let values = items.iter().filter_map(|&item| scores.get(item)).map(|score| score.value());
                scaled(SourceKind::Taste(place), range(values), weight)
            })
            .collect();
        let prompt_alone: Arc<[Source]> = Arc::new([prompt]);
        for row in &mut *rows {
            row.score = prompt.of(row.score);
            row.sources = Arc::clone(&prompt_alone);
            row.method = "taste-and-prompt";
        }
        let pool = &mut rows[..n_pool];
        for row in &mut *pool {
            let Some(item) = base.catalogue.item_idx(row.movie) else { continue };
            let mut of_row = vec![prompt];
            for (source, scores) in sources.iter().zip(&by_taste) {
                if let Some(score) = scores.get(item) {
                    row.score += source.of(score.value());
                    of_row.push(*source);
                }
            }
            row.sources = of_row.into();
        }
        // What fits the prompt less than the pool comes behind it, in the order of the prompt alone.
        sort(pool);
        Ok(())
    }

    /// Scores by what the person rated, and the name of the method; nothing rated: what everybody likes.
    fn taste_scores(&self, taste: &Taste, required: &[ItemIdx]) -> Result<Scores, EngineError> {
        let snapshot = &self.desk.snapshot;
        let base = &snapshot.base;
        let scores = match &snapshot.tastes {
            _ if taste.query.history.is_empty() => base.popularity.score(&taste.query),
            Tastes::Fitted(fitted) => snapshot.hybrid_of(fitted).score_with(&taste.query, required),
            Tastes::Interim(interim) => interim.profile_knn.score(&taste.query),
        };
        match scores {
            // None of the movies is known to the catalogue.
            Err(RecommendError::NothingToGoBy { .. }) => {
                Ok(base.popularity.score(&taste.query).map_err(recommend_error)?)
            }
            other => other.map_err(recommend_error),
        }
    }

    fn by_taste(&self, tastes: &[Taste]) -> Result<Vec<Row>, EngineError> {
        let snapshot = &self.desk.snapshot;
        let hybrid;
        let scorer: &dyn Scorer = match &snapshot.tastes {
            Tastes::Fitted(fitted) => {
                hybrid = snapshot.hybrid_of(fitted);
                &hybrid
            }
            Tastes::Interim(interim) => &interim.profile_knn,
        };
        let Some(taste) = tastes.first().filter(|taste| !taste.query.history.is_empty()) else { return Ok(Vec::new()) };
        let found = scored_in_turn(&snapshot.base, &taste.query, &[scorer])?;
        Ok(rows_of(SourceKind::Taste(0), found).collect())
    }

    /// Movies that all can live with, or that please most on average.
    fn by_household(&self, tastes: &[Taste]) -> Result<Vec<Row>, EngineError> {
        let catalogue = &self.desk.snapshot.base.catalogue;
        let mut proposed: Vec<ItemIdx> = Vec::new();
        for taste in tastes {
            let scores = self.taste_scores(taste, &[])?;
            let ranked = rank(&scores, catalogue, &taste.query);
            proposed.extend(ranked.items().iter().filter_map(|scored| catalogue.item_idx(scored.movie)));
        }
        proposed.sort_unstable();
        proposed.dedup();
        let by_taste: Vec<Scores> =
            tastes.iter().map(|taste| self.taste_scores(taste, &proposed)).collect::<Result<_, _>>()?;
        let scales: Vec<Source> = (0..)
            .zip(&by_taste)
            .map(|(place, scores)| {
                let values = proposed.iter().filter_map(|&item| scores.get(item)).map(|score| score.value());
                scaled(SourceKind::Taste(place), range(values), 1.0)
            })
            .collect();
        let n = tastes.len() as f32;
        let mut rows = Vec::with_capacity(proposed.len());
        for item in proposed {
            // Who has no opinion at all is not asked twice: it is the lowest one.
            let pleased: Vec<f32> = (scales.iter().zip(&by_taste))
                .map(|(scale, scores)| scores.get(item).map_or(0.0, |score| scale.of(score.value())))
                .collect();
            let (score, sources): (f32, Arc<[Source]>) = match self.question.household {
                HouseholdRule::Average => {
                    let share = |scale: &Source| Source { scale: scale.scale / n, offset: scale.offset / n, ..*scale };
                    (pleased.iter().sum::<f32>() / n, scales.iter().map(share).collect())
                }
                HouseholdRule::LeastMisery => {
                    let least = (0..pleased.len()).min_by(|&left, &right| pleased[left].total_cmp(&pleased[right]));
                    let least = least.unwrap_or(0);
                    (pleased[least], Arc::new([scales[least]]))
                }
            };
            let movie = catalogue.movie(item).id;
            rows.push(Row { movie, score, method: "household", sources, people: pleased.into() });
        }
        sort(&mut rows);
        Ok(rows)
    }

    /// The whole catalogue by predicted rating.
    fn by_prediction(&self, tastes: &[Taste]) -> Result<Vec<Row>, EngineError> {
        let snapshot = &self.desk.snapshot;
        let scorer: &dyn Scorer = snapshot.network.as_ref().map_or(snapshot.baseline(), |network| &network.ranking);
        let Some(taste) = tastes.first() else { return Ok(Vec::new()) };
        let found = scored_in_turn(&snapshot.base, &taste.query, &[scorer])?;
        Ok(rows_of(SourceKind::Prediction, found).collect())
    }

    /// Orders rows by predicted rating; movies too new to be predicted come last.
    fn predict(&self, query: &Query, rows: &mut Vec<Row>) -> Result<(), EngineError> {
        let base = &self.desk.snapshot.base;
        rows.retain(|row| base.catalogue.item_idx(row.movie).is_some());
        let items: Vec<ItemIdx> = rows.iter().filter_map(|row| base.catalogue.item_idx(row.movie)).collect();
        let (ratings, by) = super::answers::predicted(&self.desk.snapshot, query, &items)?;
        let predicted = rows.iter().zip(ratings).map(|(row, rating)| (row.movie, rating, by));
        *rows = rows_of(SourceKind::Prediction, predicted).collect();
        sort(rows);
        Ok(())
    }

    /// Spreads the front over different kinds of movies.
    fn vary(&self, rows: &mut [Row]) {
        let front = rows.len().min(VARIED);
        let relevance: Vec<f32> = rows[..front].iter().map(|row| row.score).collect();
        let alike = super::answers::Alikeness::of(self.desk, rows[..front].iter().map(|row| row.movie));
        let order = diversify(&relevance, self.question.diversity, |one, other| alike.between(one, other));
        let varied: Vec<Row> = order.into_iter().map(|place| rows[place].clone()).collect();
        rows[..front].clone_from_slice(&varied);
    }

    /// Fills up with what everybody likes, down to the end of the catalogue.
    fn fill(&self, rows: &mut Vec<Row>, tastes: &[Taste]) {
        let base = &self.desk.snapshot.base;
        let popularity = if self.question.rank_by == RankBy::Trending { &base.trending } else { &base.popularity };
        let mut query = self.query();
        query.excluded.extend(tastes.iter().flat_map(|taste| taste.query.seen()));
        query.excluded.extend(rows.iter().map(|row| row.movie));
        query.n = query.n.saturating_sub(rows.len());
        let Ok(found) = scored_in_turn(base, &query, &[popularity]) else { return };
        rows.extend(rows_of(SourceKind::Everybody, found));
    }

    /// Whether a movie is still an answer as it is now.
    fn is_fit(&self, movie: MovieId) -> bool {
        if !self.desk.snapshot.overlay.changes(movie) {
            return true;
        }
        self.desk.movie(movie).is_some_and(|(movie, figures)| self.question.filter.accepts(movie, figures))
    }
}

impl Source {
    /// What becomes of a score.
    pub(super) fn of(&self, score: f32) -> f32 {
        self.scale * score + self.offset
    }
}

/// A source whose scores are scaled from their range to between 0 and a weight.
fn scaled(kind: SourceKind, (low, high): (f32, f32), weight: f32) -> Source {
    // Where all are alike, all get half: nothing speaks for one before the other.
    if high <= low {
        return Source { kind, scale: 0.0, offset: weight / 2.0 };
    }
    let scale = weight / (high - low);
    Source { kind, scale, offset: -low * scale }
}

/// Best first, ties by ascending id.
fn sort(rows: &mut [Row]) {
    rows.sort_by(|left, right| right.score.total_cmp(&left.score).then(left.movie.cmp(&right.movie)));
}

#[cfg(test)]
impl Row {
    /// A row that nobody asks for its sources.
    pub(super) fn plain(movie: MovieId, score: f32, method: &'static str) -> Self {
        Self { movie, score, method, sources: Arc::default(), people: Box::default() }
    }
}
