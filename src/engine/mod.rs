//! The use cases: answering from the current snapshot, and keeping that snapshot current.
//!
//! A request takes a permit (none free: refused at once), loads the snapshot once, and is answered by synchronous code
//! on the blocking pool. Loading, embedding and reloading happen on threads of their own and end in one swap.

mod answers;
mod background_fit;
mod canary;
mod catalogue;
mod cell;
mod desk;
mod encoder_lane;
mod item_item_lane;
mod lane;
mod list;
mod list_memory;
mod loader;
mod loading;
mod looker;
mod network_lane;
mod overlay;
mod people;
mod prepare;
mod promotion;
mod query_memory;
mod question;
mod ranking_lane;
mod reasons;
mod refit;
mod rehearsal;
mod rejection;
mod reporter;
mod search;
mod shadow;
mod similar_memory;
mod snapshot;
mod status;
mod threads;
mod throttle;
mod trial;
mod versions;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};

pub use crate::recommend::HouseholdRule;
pub use crate::store::WriteSummary;
pub use catalogue::{ListedMovies, MovieOrder, MovieRequest};
pub use people::{NewRating, Person, SimilarPerson, StoredRating};
pub use question::{
    Contribution, FilmEffect, LONGEST_LIST, MAX_EXCLUDED, MAX_GIVEN, MAX_PEOPLE, Page, Question, RankBy, Reasons,
    Recommendations, RecommendedMovie,
};
pub use rehearsal::Rehearsal;
pub use search::{
    CatalogueMovie, Found, PromptMethod, ReadPrompt, ResolvedTitle, Similar, SimilarMethod, SuggestedTitle, TextMode,
    TextQuestion,
};
pub use status::{CanaryReport, ModelChecks, ModelReport, ModelState, Part, PartState, ShadowReport, Status};
pub use trial::{LOADED, Verdict, try_model};
pub use versions::ModelChoice;

pub use crate::artifact::ArtifactKind as ModelKind;

use crate::artifact::ArtifactKind;
use crate::config::{Config, ModelRules};
use crate::domain::{MovieFilter, MovieId, UserId};
use crate::store::{Store, StoreError};
use cell::SnapshotCell;
use desk::Desk;
use encoder_lane::EncoderLane;
use item_item_lane::ItemItemLane;
use lane::{Lane, Stop};
use loader::RuntimeSlot;
use network_lane::NetworkLane;
use prepare::Preparation;
use ranking_lane::RankingLane;
use refit::Refit;
use rejection::RejectionFiles;
use shadow::{Sample, Shadow};
use snapshot::{Base, Snapshot};
use threads::Threads;
use throttle::Requests;
use versions::Choices;

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// As many questions as allowed are being answered, or a model's queue is full.
    #[error("too many requests at once")]
    Overloaded,
    /// The question cannot be answered as it stands; the text says why.
    #[error("{0}")]
    Unfit(String),
    /// There is no such thing.
    #[error("There is no {0} of that id.")]
    Unknown(&'static str),
    /// A rating that the data set's scale does not have.
    #[error("Ratings here go from {low} to {high}.")]
    OffScale {
        /// Lowest rating.
        low: f32,
        /// Highest rating.
        high: f32,
    },
    /// The list that a further page is asked of is not kept any more.
    #[error("The list has changed since its first page or is not kept any more; ask for the first page again.")]
    CursorExpired,
    /// The part that would answer is not there yet.
    #[error("{0} cannot be used yet; GET /readyz tells how far it is")]
    NotReady(&'static str),
    /// A model that is asked for is not there; the text is for the asker.
    #[error("{0}")]
    NoSuchModel(String),
    /// A defect, or a failing model. The text is for the log.
    #[error("internal: {0}")]
    Internal(String),
}

/// An answer, and how it came about.
#[derive(Debug)]
pub struct Answer<T> {
    /// The answer.
    pub content: T,
    /// Number of the snapshot that gave it.
    pub generation: u64,
    /// Time until work began.
    pub queued: Duration,
    /// Time the work took.
    pub worked: Duration,
}

/// What of the configuration the engine needs.
#[derive(Clone, Debug)]
struct Settings {
    artifacts_dir: PathBuf,
    index_dir: PathBuf,
    required: Vec<ArtifactKind>,
    inference: crate::config::InferenceConfig,
    embedding_text: crate::recommend::EmbeddingText,
    predicted_rating: crate::config::RatingPredictor,
    request_timeout: Duration,
    /// How often changes are taken into the fit; `None`: only at the next start.
    refit_interval: Option<Duration>,
}

/// Answers questions and keeps the snapshot current. Dropping it asks its threads to stop and waits for them.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    permits: Arc<Semaphore>,
    /// How many of them there are.
    max_requests: Mutex<usize>,
    lanes: Arc<[Lane]>,
    /// Ends the base loader early.
    stop: Stop,
    /// Where answers are worked out that were not there before.
    threads: Arc<Threads>,
    base_loader: Option<JoinHandle<()>>,
    preparer: Option<JoinHandle<()>>,
}

/// What the loader threads and the requests have in common.
#[derive(Debug)]
struct Shared {
    cell: SnapshotCell,
    status: Status,
    store: Store,
    settings: Settings,
    runtime: RuntimeSlot,
    /// One change of the catalogue at a time, with a number for each.
    catalogue_changes: Mutex<u64>,
    refit: Refit,
    preparation: Preparation,
    /// What models must keep to; may change while the daemon runs.
    rules: Mutex<ModelRules>,
    choices: Choices,
    rejections: RejectionFiles,
    shadow: Shadow,
    requests: Requests,
    /// Held while a model is tried in a process of its own.
    trial: Mutex<()>,
}

impl Shared {
    fn rules(&self) -> ModelRules {
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Starts the threads that read the store, fit what is fitted from it, and then look for models. The receiver is
    /// told when the store was read, or why it was not; until then questions are answered "not ready".
    pub fn start(store: Store, config: &Config) -> std::io::Result<(Self, oneshot::Receiver<Result<(), StoreError>>)> {
        // A store that cannot be read is reported by the base loader; nothing is chosen then.
        let choices = Choices::load(&store).unwrap_or_default();
        let shared = Arc::new(Shared {
            cell: SnapshotCell::default(),
            status: Status::default(),
            rules: Mutex::new(config.artifacts.rules),
            choices,
            rejections: RejectionFiles::new(config.artifacts_dir(), &config.data_dir),
            shadow: Shadow::default(),
            trial: Mutex::default(),
            requests: Requests::default(),
            store,
            settings: Settings {
                artifacts_dir: config.artifacts_dir(),
                index_dir: config.index_dir(),
                required: config.artifacts.required.clone(),
                inference: config.inference.clone(),
                embedding_text: config.embedding_text,
                predicted_rating: config.predicted_rating,
                request_timeout: config.http.request_timeout,
                refit_interval: config.refit_interval,
            },
            runtime: RuntimeSlot::default(),
            catalogue_changes: Mutex::new(0),
            refit: Refit::default(),
            preparation: Preparation::default(),
        });
        let lanes: Arc<[Lane]> = Arc::new([
            Lane::start("network-loader", NetworkLane::new(Arc::clone(&shared)))?,
            Lane::start("ranking-loader", RankingLane::new(Arc::clone(&shared)))?,
            Lane::start("item-item-loader", ItemItemLane::new(Arc::clone(&shared)))?,
            Lane::start("encoder-loader", EncoderLane::new(Arc::clone(&shared)))?,
        ]);
        let (loaded, when_loaded) = oneshot::channel();
        let stop = Stop::default();
        let of_thread = (Arc::clone(&shared), Arc::clone(&lanes), stop.clone());
        let background = Threads::in_background("fitting").map_err(std::io::Error::other)?;
        let base_loader = std::thread::Builder::new().name("base-loader".to_owned()).spawn(move || {
            let (shared, lanes, stop) = of_thread;
            let base = loader::load_base(&shared.store, &shared.status).map(|(base, interim)| {
                let base = Arc::new(base);
                shared.cell.fill(Snapshot::first(Arc::clone(&base), interim));
                lanes.iter().for_each(Lane::look_again);
                base
            });
            // Nobody waits for it any more when the daemon stops meanwhile.
            let fitted = base.as_ref().ok().map(Arc::clone);
            let _ = loaded.send(base.map(|_| ()));
            if let Some(base) = fitted {
                let look_again = || lanes.iter().for_each(Lane::look_again);
                background.run(|| fit_in_background(&shared, &base, (&stop, &look_again)));
                drop(base);
                keep_fitted(&shared, &background, &stop);
            }
        })?;
        let preparer = config.prepare_answers.then(|| start_preparing(&shared, &stop)).transpose()?;
        let permits = Arc::new(Semaphore::new(config.http.max_requests));
        let max_requests = Mutex::new(config.http.max_requests);
        let threads = Arc::new(Threads::for_answers().map_err(std::io::Error::other)?);
        let base_loader = Some(base_loader);
        Ok((Self { shared, permits, max_requests, lanes, stop, threads, base_loader, preparer }, when_loaded))
    }

    /// Asks the loaders to look at the models folder again; many calls during one look cause one further look.
    pub fn look_again(&self) {
        self.lanes.iter().for_each(Lane::look_again);
    }

    /// Changes what models must keep to from now on.
    pub fn set_rules(&self, rules: ModelRules) {
        *self.shared.rules.lock().unwrap_or_else(PoisonError::into_inner) = rules;
        self.look_again();
    }

    /// Changes how many requests are worked on at once. Of fewer, those that are free go now; the rest when this is
    /// called again.
    pub fn set_max_requests(&self, most: usize) {
        let mut max_requests = self.max_requests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(more) = most.checked_sub(*max_requests) {
            self.permits.add_permits(more);
            *max_requests = most;
        } else {
            *max_requests -= self.permits.forget_permits(*max_requests - most);
        }
    }

    /// How the parts and models are doing.
    pub fn status(&self) -> &Status {
        &self.shared.status
    }

    /// Number of the current snapshot.
    pub fn generation(&self) -> u64 {
        self.shared.cell.load().map_or(0, |snapshot| snapshot.generation)
    }

    /// A user and the title of the best-known movie, for examples; `None` when the store is empty.
    pub fn examples(&self) -> Option<(UserId, String)> {
        let base = &self.shared.cell.load()?.base;
        let user = base.ratings.users().ids().first().copied().unwrap_or(UserId(1));
        let votes = |movie: &&crate::domain::Movie| {
            base.catalogue.item_idx(movie.id).map(|item| base.catalogue.popularity(item).vote_count)
        };
        let movie = base.catalogue.movies().iter().max_by_key(votes)?;
        Some((user, movie.title.clone()))
    }

    /// A page of movies for a question.
    pub async fn recommend(&self, question: Question, page: Page) -> Result<Answer<Recommendations>, EngineError> {
        let asked = one_person(&question);
        let answer = self.answer(move |desk| answers::recommend(desk, &question, &page)).await?;
        self.offer_to_shadow(asked, &answer.content);
        Ok(answer)
    }

    /// The first `n` movies for a question, without further pages.
    pub async fn recommend_first(
        &self,
        question: Question,
        n: usize,
        explain: bool,
    ) -> Result<Answer<Recommendations>, EngineError> {
        let asked = one_person(&question);
        let answer = self.answer(move |desk| answers::recommend_first(desk, &question, (n, explain))).await?;
        self.offer_to_shadow(asked, &answer.content);
        Ok(answer)
    }

    /// What was recommended to one person is what a network that waits may be tried on.
    fn offer_to_shadow(&self, asked: Option<(UserId, i64)>, answer: &Recommendations) {
        let Some((user, asked_at)) = asked else { return };
        self.shared.shadow.offer(self.shared.rules().shadow_share, || Sample {
            user,
            asked_at,
            movies: answer.movies.iter().map(|movie| movie.movie().id).collect(),
        });
    }

    /// Movies like the one a text names, or movies that fit the text.
    pub async fn title_or_prompt(&self, question: TextQuestion) -> Result<Answer<Found>, EngineError> {
        self.answer(move |desk| search::title_or_prompt(desk, &question)).await
    }

    /// Movies like a given one; `None` when the catalogue does not have it.
    pub async fn similar(
        &self,
        movie: MovieId,
        (method, top_k, filter): (SimilarMethod, usize, MovieFilter),
    ) -> Result<Answer<Option<Similar>>, EngineError> {
        self.answer(move |desk| search::similar(desk, movie, (method, top_k, &filter))).await
    }

    /// The movie that a text names, if it names one.
    pub async fn resolve(&self, text: String) -> Result<Answer<Option<ResolvedTitle>>, EngineError> {
        self.answer(move |desk| Ok(search::resolve(&desk.snapshot, &text))).await
    }

    /// Titles that begin as typed.
    pub async fn suggest(&self, typed: String, n: usize) -> Result<Answer<Vec<SuggestedTitle>>, EngineError> {
        self.answer(move |desk| Ok(search::suggest(&desk.snapshot, &typed, n))).await
    }

    async fn answer<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Desk) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<Answer<T>, EngineError> {
        let asked = Instant::now();
        self.shared.requests.count();
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| EngineError::Overloaded)?;
        let snapshot = self.shared.cell.load().ok_or(EngineError::NotReady("the catalogue"))?;
        let generation = snapshot.generation;
        let desk = Desk { snapshot, shared: Arc::clone(&self.shared), threads: Arc::clone(&self.threads) };
        let working = tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let content = work(&desk);
            // The permit goes back only when the work is really over, even if the asker left.
            drop(permit);
            (content, started)
        });
        let (content, started) = working.await.map_err(|_| {
            // The message may quote the query; the panic hook has logged the place.
            EngineError::Internal("a request panicked".to_owned())
        })?;
        Ok(Answer { content: content?, generation, queued: started - asked, worked: started.elapsed() })
    }
}

/// Who asks and when, where it is one person.
fn one_person(question: &Question) -> Option<(UserId, i64)> {
    let &[user] = question.people.as_slice() else { return None };
    Some((user, question.asked_at.unwrap_or(i64::MAX)))
}

/// A defect there must not take the answers along: the methods of the base go on serving.
fn fit_in_background(shared: &Shared, base: &Arc<Base>, work: (&Stop, &(dyn Fn() + Sync))) {
    if catch_unwind(AssertUnwindSafe(|| background_fit::fit(shared, base, work))).is_err() {
        tracing::error!("fitting was broken off by a defect; simpler methods answer");
        for part in [Part::Hybrid, Part::RatingModel] {
            if !matches!(shared.status.part(part), PartState::Ready(_)) {
                shared.status.set_part(part, PartState::Failed("a defect; the log says where".to_owned()));
            }
        }
    }
}

/// The same for fits after the first; the one before goes on answering.
fn keep_fitted(shared: &Shared, background: &Threads, stop: &Stop) {
    while catch_unwind(AssertUnwindSafe(|| refit::run(shared, background, stop))).is_err() {
        tracing::error!("fitting anew was broken off by a defect; the fit before goes on answering");
    }
}

/// Starts the thread that makes answers before anybody asks.
fn start_preparing(shared: &Arc<Shared>, stop: &Stop) -> std::io::Result<JoinHandle<()>> {
    let background = Arc::new(Threads::in_background("preparing").map_err(std::io::Error::other)?);
    let (shared, stop) = (Arc::clone(shared), stop.clone());
    let prepare = move || prepare::run(&shared, &background, &stop);
    std::thread::Builder::new().name("preparer".to_owned()).spawn(prepare)
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The base loader holds the lanes too, so it has to end first.
        self.stop.ask();
        self.shared.refit.stop();
        self.shared.preparation.stop();
        for thread in [self.base_loader.take(), self.preparer.take()].into_iter().flatten() {
            let _ = thread.join();
        }
    }
}
