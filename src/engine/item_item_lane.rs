//! Makes an item–item model serve.

use std::collections::HashMap;
use std::sync::Arc;

use super::loading::{Load, LoadError, ModelLoader, Models, check_known_movies};
use super::rehearsal::Rehearsal;
use super::snapshot::{Base, ItemItemModel};
use super::status::{ModelChecks, Part};
use super::{Shared, canary};
use crate::artifact::{ArtifactId, ArtifactKind, NeighborLists};
use crate::domain::{ItemIdx, MovieId};
use crate::recommend::{ItemItem, Scorer};
use crate::understand::title_key;

pub(super) struct ItemItemLane {
    shared: Arc<Shared>,
}

impl ItemItemLane {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl ModelLoader for ItemItemLane {
    type Model = ItemItemModel;

    fn kind(&self) -> ArtifactKind {
        ArtifactKind::ItemItemModel
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Its lists are numbers that are looked up: there is nothing to run.
    fn rehearsal(&self, _base: &Base) -> Result<Rehearsal, LoadError> {
        Ok(Rehearsal::Nothing)
    }

    fn load(&mut self, load: &Load<'_>) -> Result<Models<ItemItemModel>, LoadError> {
        let lists = Arc::new(NeighborLists::load(load.artifact)?);
        let id = load.artifact.id().clone();
        let (model, (known, rated)) = prepare((id, &lists), load.base, load.rules.min_known_movies)?;
        let serving = self.shared.cell.load().and_then(|snapshot| snapshot.item_item.clone());
        let serving = serving.as_ref().map(|serving| &serving.scorer as &dyn Scorer);
        let questions = canary::movies(load.base, |item| model.scorer.knows(item));
        let canaries = canary::ask((&model.scorer, serving), (load.base, load.rules), &questions)?;
        let words = format!("{}, knows {known} of {rated} rated movies", model.id);
        let checks =
            ModelChecks { known_movies: Some((known, rated)), canaries: Some(canaries), ..ModelChecks::default() };
        Ok(Models { model, parts: vec![(Part::ItemItemModel, words)], checks })
    }

    fn swap(&mut self, model: ItemItemModel) -> bool {
        let base = model.base.clone();
        let model = Arc::new(model);
        self.shared.cell.update_for(&base, |snapshot| snapshot.item_item = Some(model))
    }

    fn advice(&self) -> &'static str {
        "it is optional; tools/train item-item-model makes one. The methods fitted from the store serve without it"
    }
}

/// A model made ready for a catalogue, of whose rated movies it must know a share; how many it knows, and how many there
/// are.
pub(super) fn prepare(
    (id, lists): (ArtifactId, &Arc<NeighborLists>),
    base: &Arc<Base>,
    least_known: f64,
) -> Result<(ItemItemModel, (usize, usize)), LoadError> {
    let catalogue = &base.catalogue;
    let by_id: HashMap<MovieId, usize> =
        lists.movies().iter().enumerate().map(|(row, movie)| (movie.id, row)).collect();
    // Ids of different data sets coincide by number, so the title must agree too.
    let is_same = |row: &usize, title: &str| title_key(&lists.movies()[*row].title) == title_key(title);
    let row_of: Vec<Option<usize>> = catalogue
        .movies()
        .iter()
        .map(|movie| by_id.get(&movie.id).copied().filter(|row| is_same(row, &movie.title)))
        .collect();
    let mut item_of: Vec<Option<ItemIdx>> = vec![None; lists.movies().len()];
    let (mut known, mut rated) = (0, 0);
    for (item, row) in (0..).map(ItemIdx).zip(&row_of) {
        if let Some(row) = *row {
            item_of[row] = Some(item);
        }
        if catalogue.popularity(item).vote_count > 0 {
            rated += 1;
            known += usize::from(row.is_some());
        }
    }
    check_known_movies(ArtifactKind::ItemItemModel, (known, rated), least_known)?;
    let scorer = ItemItem::fit(Arc::clone(catalogue), |item| {
        let Some(row) = row_of[item.row()] else { return Vec::new() };
        let (rows, weights) = lists.row(row);
        let neighbor = |(&row, &weight): (&u32, &f32)| Some((item_of[row as usize]?, weight));
        rows.iter().zip(weights).filter_map(neighbor).collect()
    });
    let (lists, base) = (Arc::clone(lists), Arc::downgrade(base));
    Ok((ItemItemModel { id, base, lists, scorer }, (known, rated)))
}
