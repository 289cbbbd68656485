//! Fits everything anew while the old fit answers: what people rated and which movies came and went since the last fit is
//! taken in, and what was to be forgotten is gone from memory and disk.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::background_fit::{fit_hybrid, fit_rating_model};
use super::lane::Stop;
use super::loader;
use super::loading::LoadError;
use super::snapshot::{Base, ItemItemModel, Network, SemanticSearch, Tastes};
use super::status::{Part, PartState, Status};
use super::threads::Threads;
use super::{Shared, encoder_lane, item_item_lane, network_lane};
use crate::store::{SettingKey, Write};

/// The clock of a wait needs an end.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// Parts that a fit makes anew.
const FITTED: [Part; 4] = [Part::Catalogue, Part::Recommenders, Part::Hybrid, Part::RatingModel];

/// Pause after a fit that failed.
const RETRY_PAUSE: Duration = Duration::from_mins(1);

/// Value of the setting while removed records are still in free pages of the store's file.
const WANTED: &str = "wanted";

/// Models that were swapped in meanwhile make a fit start its last step again, at most so often.
const MAX_ATTEMPTS: usize = 5;

/// What is waited for.
#[derive(Debug, Default)]
pub(super) struct Refit {
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Wanted {
    task: Option<Task>,
    /// Whether the task waits for the interval.
    can_wait: bool,
    not_before: Option<Instant>,
    stop: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    /// Take changes in.
    Fit,
    /// The same, and let nothing of what was removed be left on the disk.
    Purge,
}

impl Refit {
    /// Something has changed; it can wait for the next fit.
    pub(super) fn note_change(&self) {
        let mut wanted = self.lock();
        if wanted.task.is_none() {
            (wanted.task, wanted.can_wait) = (Some(Task::Fit), true);
        }
    }

    /// Something has changed that should not wait.
    pub(super) fn ask_fit(&self) {
        self.ask(Task::Fit);
    }

    /// Something is to be gone soon.
    pub(super) fn ask_purge(&self) {
        self.ask(Task::Purge);
    }

    /// Asks for what failed again, after a while.
    fn retry(&self, task: Task) {
        self.ask(task);
        self.lock().not_before = Some(Instant::now() + RETRY_PAUSE);
    }

    fn ask(&self, task: Task) {
        let mut wanted = self.lock();
        (wanted.task, wanted.can_wait) = (wanted.task.max(Some(task)), false);
        self.changed.notify_all();
    }

    /// Ends the waiting for good.
    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.changed.notify_all();
    }

    /// Waits for something to do; `None`: for nothing any more.
    fn next(&self, interval: Option<Duration>, last: Instant) -> Option<Task> {
        let mut wanted = self.lock();
        loop {
            if wanted.stop {
                return None;
            }
            let left = match wanted.not_before {
                Some(time) => Some(time.saturating_duration_since(Instant::now())),
                None if wanted.can_wait => interval.map(|interval| interval.saturating_sub(last.elapsed())),
                None => Some(Duration::ZERO),
            };
            if wanted.task.is_some() && left.is_some_and(|left| left.is_zero()) {
                wanted.not_before = None;
                return wanted.task.take();
            }
            // Without changes the time passes unused; the next change is looked for once per interval.
            let pause = left.filter(|left| !left.is_zero()).or(interval).unwrap_or(Duration::MAX);
            let pause = pause.min(LONGEST_PAUSE);
            wanted = self.changed.wait_timeout(wanted, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fits anew whenever it is due, until the daemon stops.
pub(super) fn run(shared: &Shared, threads: &Threads, stop: &Stop) {
    if is_purge_wanted(shared) {
        shared.refit.ask_purge();
    }
    let mut last = Instant::now();
    while let Some(task) = shared.refit.next(shared.settings.refit_interval, last) {
        if task == Task::Purge {
            let started = Instant::now();
            match shared.store.compact() {
                Ok(()) => tracing::info!(seconds = started.elapsed().as_secs_f64(), "store compacted"),
                Err(error) => tracing::error!(%error, "what was forgotten is still in free pages of the store's file"),
            }
        }
        match threads.run(|| refit(shared, stop)) {
            Ok(()) => {}
            Err(_) if stop.is_asked() => return,
            Err(error) => {
                tracing::error!(?error, "fitting anew failed and is tried again; the fit before goes on answering");
                shared.refit.retry(task);
            }
        }
        last = Instant::now();
    }
}

/// Remembers, together with a removal, that its traces are still on the disk: the daemon may end before they are gone.
pub(super) fn purge_wanted() -> Write {
    Write::Setting(SettingKey::Purge, WANTED.to_owned())
}

fn is_purge_wanted(shared: &Shared) -> bool {
    let setting = shared.store.read(|view| view.setting(SettingKey::Purge));
    setting.is_ok_and(|setting| setting.as_deref() == Some(WANTED))
}

fn refit(shared: &Shared, stop: &Stop) -> Result<(), LoadError> {
    let started = Instant::now();
    // Changes after this number are kept in the overlay, whether or not the store is read with them.
    let number = *shared.catalogue_changes.lock().unwrap_or_else(PoisonError::into_inner);
    // The parts that serve stay ready meanwhile: what is being made has a notice board of its own.
    let status = Status::default();
    let (base, interim) = loader::load_base(&shared.store, &status)?;
    let base = Arc::new(base);
    let mut tastes = Tastes::Interim(Arc::new(interim));
    fit_hybrid(&status, &base, (stop, &mut |fitted| tastes = Tastes::Fitted(Arc::new(fitted))));
    let baseline = tastes.fitted().map(|fitted| fitted.signals.rating_baseline().clone());
    let predictor = shared.settings.predicted_rating;
    let rating_model = fit_rating_model((&status, predictor), (&base, baseline), stop).map(Arc::new);
    for _ in 0..MAX_ATTEMPTS {
        if stop.is_asked() {
            return Err(LoadError::Environment("the daemon is stopping".to_owned()));
        }
        let Some(current) = shared.cell.load() else { return Ok(()) };
        let network = current.network.as_ref().and_then(|network| moved_network(shared, network, &base));
        let item_item = current.item_item.as_ref().and_then(|model| moved_item_item(shared, model, &base));
        let semantic = current.semantic.as_ref();
        let semantic = semantic.map(|semantic| moved_search(shared, semantic, (&base, stop))).transpose()?;
        let is_done = shared.cell.update_if(|snapshot| {
            let is_same = same(snapshot.network.as_ref(), current.network.as_ref())
                && same(snapshot.item_item.as_ref(), current.item_item.as_ref())
                && same(snapshot.semantic.as_ref(), current.semantic.as_ref());
            if is_same {
                snapshot.base = Arc::clone(&base);
                snapshot.overlay = Arc::new(snapshot.overlay.since(number));
                snapshot.tastes.clone_from(&tastes);
                snapshot.rating_model.clone_from(&rating_model);
                snapshot.network.clone_from(&network);
                snapshot.item_item.clone_from(&item_item);
                snapshot.semantic.clone_from(&semantic);
            }
            is_same
        });
        if is_done {
            for part in FITTED {
                shared.status.set_part(part, status.part(part));
            }
            // What runs beside the serving network is for the old rows; its lane prepares it anew.
            shared.shadow.end();
            tracing::info!(seconds = started.elapsed().as_secs_f64(), "ratings and movies fitted anew");
            return Ok(());
        }
    }
    Err(LoadError::Environment("models came and went too quickly".to_owned()))
}

/// The network for the new base. One that does not know its movies any more serves no longer.
fn moved_network(shared: &Shared, network: &Network, base: &Arc<Base>) -> Option<Arc<Network>> {
    match network_lane::prepare((network.id.clone(), &network.model), base, shared.rules().min_known_movies) {
        Ok((network, _)) => Some(Arc::new(network)),
        Err(error) => {
            tracing::warn!(?error, model = %network.id, "the rating network does not fit the catalogue any more");
            shared.status.set_part(Part::RatingNetwork, PartState::Failed(error.reason().to_owned()));
            None
        }
    }
}

/// The same of an item–item model.
fn moved_item_item(shared: &Shared, model: &ItemItemModel, base: &Arc<Base>) -> Option<Arc<ItemItemModel>> {
    match item_item_lane::prepare((model.id.clone(), &model.lists), base, shared.rules().min_known_movies) {
        Ok((model, _)) => Some(Arc::new(model)),
        Err(error) => {
            tracing::warn!(?error, model = %model.id, "the item-item model does not fit the catalogue any more");
            shared.status.set_part(Part::ItemItemModel, PartState::Failed(error.reason().to_owned()));
            None
        }
    }
}

fn moved_search(
    shared: &Shared,
    semantic: &SemanticSearch,
    (base, stop): (&Arc<Base>, &Stop),
) -> Result<Arc<SemanticSearch>, LoadError> {
    let encoder = (semantic.id.clone(), Arc::clone(&semantic.encoder), semantic.space.clone());
    let silent = |_, _, _| {};
    let work = encoder_lane::Work { shared, base, progress: &silent, stop };
    encoder_lane::search_of(&work, encoder).map(|(search, _)| Arc::new(search))
}

fn same<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purges_come_first_changes_wait_and_stopping_ends_all() {
        let refit = Refit::default();
        let now = Instant::now();
        let soon = Some(Duration::from_millis(1));
        refit.note_change();
        refit.ask_purge();
        assert_eq!(refit.next(None, now), Some(Task::Purge));
        refit.note_change();
        assert_eq!(refit.next(soon, now), Some(Task::Fit), "after the interval");
        refit.note_change();
        refit.stop();
        assert_eq!(refit.next(soon, now), None);
    }
}
