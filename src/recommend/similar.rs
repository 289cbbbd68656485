//! "More like this" from ratings and content together.
//!
//! `score = w · ratings / best ratings + (1 − w) · content / best content`, where the two sides are the similarities of
//! [`ItemKnn`] and of a content method, each as a share of the best other movie's, absent or negative counting zero, and
//! `w = n / (n + HALF_TRUSTED)` for a movie that n people rated: a film that nobody rated has neighbours by content, and
//! the more people rated it the more their taste decides.

use super::{ItemKnn, RecommendError, Scorer, Scores};
use crate::domain::{Catalogue, ItemIdx, Query, RatingMatrix};

/// So many raters make ratings count as much as content. Chosen on held-out ratings of MovieLens 100K.
const HALF_TRUSTED: f32 = 5.0;

/// Content neighbours looked at: beyond them content says nothing.
const CONTENT_NEIGHBORS: usize = 300;

/// Neighbours of the query's seeds by ratings and content. Made per question of fitted methods.
pub struct HybridSimilar<'a> {
    catalogue: &'a Catalogue,
    ratings: &'a RatingMatrix,
    item_knn: &'a ItemKnn,
    content: &'a dyn Scorer,
}

impl<'a> HybridSimilar<'a> {
    /// Joins the two methods.
    pub fn new(
        catalogue: &'a Catalogue,
        ratings: &'a RatingMatrix,
        (item_knn, content): (&'a ItemKnn, &'a dyn Scorer),
    ) -> Self {
        Self { catalogue, ratings, item_knn, content }
    }

    /// How much ratings count, from 0 to 1, by the mean number of people who rated a seed.
    fn trust(&self, seeds: &[ItemIdx]) -> f32 {
        let n_raters: usize = seeds.iter().map(|seed| self.ratings.by_item().row(seed.row()).0.len()).sum();
        let mean = n_raters as f32 / seeds.len() as f32;
        mean / (mean + HALF_TRUSTED)
    }
}

impl Scorer for HybridSimilar<'_> {
    fn name(&self) -> &'static str {
        "hybrid"
    }

    fn score(&self, query: &Query) -> Result<Scores, RecommendError> {
        let seeds: Vec<ItemIdx> = query.seeds.iter().filter_map(|&movie| self.catalogue.item_idx(movie)).collect();
        if seeds.is_empty() {
            return Err(RecommendError::NothingToGoBy { method: self.name(), needs: "a movie to start from" });
        }
        let trust = self.trust(&seeds);
        let by_ratings = self.item_knn.score(query)?;
        let seeds_alone = Query { seeds: query.seeds.clone(), n: query.n.max(CONTENT_NEIGHBORS), ..Query::default() };
        let by_content = match self.content.score(&seeds_alone) {
            Ok(scores) => scores,
            // A seed without any text has no neighbours by content.
            Err(RecommendError::NothingToGoBy { .. }) => Scores::absent(self.catalogue.len()),
            Err(error) => return Err(error),
        };
        let (best_ratings, best_content) = (best(&by_ratings, &seeds), best(&by_content, &seeds));
        let joined = by_ratings.joined(&by_content, |ratings, content| {
            // Of an absent score, which is no number, the other one is the larger.
            let score = trust * (ratings.max(0.0) / best_ratings) + (1.0 - trust) * (content.max(0.0) / best_content);
            if score > 0.0 { score } else { f32::NAN }
        });
        Ok(joined)
    }
}

/// The best score of a movie that is no seed; one where none is above zero.
fn best(scores: &Scores, seeds: &[ItemIdx]) -> f32 {
    let best = scores.largest_but(seeds);
    if best > 0.0 { best } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MovieId;
    use crate::recommend::{Similarity, TfIdf, recommend, sample};

    fn neighbours(seed: u32, n: usize) -> Vec<u32> {
        let (catalogue, ratings) = sample::movies_and_ratings();
        let item_knn = ItemKnn::fit(catalogue.clone(), ratings.clone(), Similarity::Cosine);
        let tfidf = TfIdf::fit(catalogue.clone(), None);
        let hybrid = HybridSimilar::new(&catalogue, &ratings, (&item_knn, &tfidf));
        let query = Query { seeds: vec![MovieId(seed)], n, ..Query::default() };
        recommend(&hybrid, &catalogue, &query).unwrap().items().iter().map(|item| item.movie.0).collect()
    }

    #[test]
    fn a_movie_many_rated_has_the_neighbours_of_its_raters() {
        assert_eq!(neighbours(10, 2), [20, 30]);
    }

    #[test]
    fn a_movie_nobody_rated_has_neighbours_by_content() {
        let (catalogue, _) = sample::movies_and_ratings();
        let nobody = RatingMatrix::new(catalogue.vocabulary(), Vec::new());
        let nobody = std::sync::Arc::new(nobody);
        let item_knn = ItemKnn::fit(catalogue.clone(), nobody.clone(), Similarity::Cosine);
        let tfidf = TfIdf::fit(catalogue.clone(), None);
        let hybrid = HybridSimilar::new(&catalogue, &nobody, (&item_knn, &tfidf));
        let query = Query { seeds: vec![MovieId(10)], n: 1, ..Query::default() };
        let found = recommend(&hybrid, &catalogue, &query).unwrap();
        assert_eq!(found.items()[0].movie, MovieId(20), "as by TF-IDF alone");
    }
}
