//! One table: method and path → handler. `schema/openapi.json` describes the same; a test compares the two.

use std::sync::Arc;

use hyper::Method;
use matchit::Router;

use super::access::Access;
use super::error::HttpError;
use super::handlers;
use super::params::{Params, PathParams, with_filters};
use super::respond::Reply;
use super::server::Door;
use crate::engine::RankBy;

/// What answers at a path and method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    UserRecommend,
    TitleOrPrompt,
    Recommend,
    UserRecommendations,
    Popular,
    Trending,
    Search,
    Titles,
    Movies,
    Movie,
    PutMovie,
    PatchMovie,
    DeleteMovie,
    Similar,
    Users,
    Export,
    Forget,
    Merge,
    SimilarPeople,
    Rate,
    Unrate,
    RateMany,
    Models,
    PinModel,
    UnpinModel,
    RollBackModel,
    ReloadModels,
    Healthz,
    Readyz,
    Metrics,
    OpenApi,
}

/// Everything that is answered. `HEAD` is answered wherever `GET` is.
pub(super) const ENDPOINTS: [(Method, &str, Route); 31] = [
    (Method::GET, "/user_recommend/{user_id}", Route::UserRecommend),
    (Method::GET, "/title-or-prompt", Route::TitleOrPrompt),
    (Method::POST, "/v1/recommend", Route::Recommend),
    (Method::GET, "/v1/users/{user_id}/recommendations", Route::UserRecommendations),
    (Method::GET, "/v1/popular", Route::Popular),
    (Method::GET, "/v1/trending", Route::Trending),
    (Method::GET, "/v1/search", Route::Search),
    (Method::GET, "/v1/titles", Route::Titles),
    (Method::GET, "/v1/movies", Route::Movies),
    (Method::GET, "/v1/movies/{movie_id}", Route::Movie),
    (Method::PUT, "/v1/movies/{movie_id}", Route::PutMovie),
    (Method::PATCH, "/v1/movies/{movie_id}", Route::PatchMovie),
    (Method::DELETE, "/v1/movies/{movie_id}", Route::DeleteMovie),
    (Method::GET, "/v1/movies/{movie_id}/similar", Route::Similar),
    (Method::GET, "/v1/users", Route::Users),
    (Method::GET, "/v1/users/{user_id}/export", Route::Export),
    (Method::DELETE, "/v1/users/{user_id}", Route::Forget),
    (Method::POST, "/v1/users/{user_id}/merge", Route::Merge),
    (Method::GET, "/v1/users/{user_id}/similar", Route::SimilarPeople),
    (Method::PUT, "/v1/users/{user_id}/ratings/{movie_id}", Route::Rate),
    (Method::DELETE, "/v1/users/{user_id}/ratings/{movie_id}", Route::Unrate),
    (Method::POST, "/v1/ratings", Route::RateMany),
    (Method::GET, "/v1/models", Route::Models),
    (Method::POST, "/v1/models/{kind}/pin", Route::PinModel),
    (Method::POST, "/v1/models/{kind}/unpin", Route::UnpinModel),
    (Method::POST, "/v1/models/{kind}/rollback", Route::RollBackModel),
    (Method::POST, "/v1/models/{kind}/reload", Route::ReloadModels),
    (Method::GET, "/healthz", Route::Healthz),
    (Method::GET, "/readyz", Route::Readyz),
    (Method::GET, "/metrics", Route::Metrics),
    (Method::GET, "/openapi.json", Route::OpenApi),
];

/// What a request of a known route says.
pub(super) struct Call {
    pub(super) route: Route,
    pub(super) path: PathParams,
    pub(super) params: Params,
    /// Empty unless the route takes one.
    pub(super) body: hyper::body::Bytes,
}

/// What a request body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyKind {
    /// One JSON value.
    Json,
    /// One JSON value per line.
    JsonLines,
}

impl BodyKind {
    /// Its media type.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::JsonLines => "application/x-ndjson",
        }
    }
}

impl Route {
    /// Names of the query parameters it takes.
    pub(super) fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::UserRecommend => &["top_k", "rank_by", "asked_at", "explain"],
            Self::TitleOrPrompt => &["input_text", "top_k", "mode", "method"],
            Self::UserRecommendations => {
                with_filters!["n", "cursor", "explain", "rank_by", "diversity", "include_seen", "asked_at"]
            }
            Self::Popular | Self::Trending => with_filters!["n", "cursor", "explain"],
            Self::Search => with_filters!["prompt", "n", "mode", "method", "ignore"],
            Self::Similar => with_filters!["n", "method"],
            Self::Titles => &["prefix", "n"],
            Self::Movies => with_filters!["n", "start", "order"],
            Self::Users => &["n", "after"],
            Self::SimilarPeople => &["n"],
            Self::PinModel => &["model"],
            _ => &[],
        }
    }

    /// Who may ask.
    pub(super) fn access(self) -> Access {
        match self {
            Self::Healthz | Self::Readyz | Self::Metrics | Self::OpenApi => Access::Open,
            Self::PinModel
            | Self::UnpinModel
            | Self::RollBackModel
            | Self::ReloadModels
            | Self::PutMovie
            | Self::PatchMovie
            | Self::DeleteMovie
            | Self::Forget
            | Self::Merge
            | Self::Rate
            | Self::Unrate
            | Self::RateMany => Access::Write,
            _ => Access::Read,
        }
    }

    /// Whether the same question to the same generation always has the same answer: not where the store is read, too.
    pub(super) fn depends_on_generation_alone(self) -> bool {
        matches!(self, Self::TitleOrPrompt | Self::Search | Self::Titles | Self::Similar)
    }

    /// What it wants in the body.
    pub(super) fn body(self) -> Option<BodyKind> {
        match self {
            Self::Recommend | Self::PutMovie | Self::PatchMovie | Self::Merge | Self::Rate => Some(BodyKind::Json),
            Self::RateMany => Some(BodyKind::JsonLines),
            _ => None,
        }
    }

    /// The path as in the table, which is what logs and metrics say instead of the path asked for.
    pub(super) fn template(self) -> &'static str {
        ENDPOINTS.iter().find(|(_, _, route)| *route == self).map_or("", |(_, path, _)| path)
    }
}

/// What is known of a path.
pub(super) enum Found {
    /// It answers this method.
    Route(Route, PathParams),
    /// It answers these methods, as the Allow header says them, but not the one asked for.
    OtherMethods(String),
    /// Nothing is there.
    Nothing,
}

/// Finds the route of a path.
pub(super) struct Routes(Router<Vec<(Method, Route)>>);

impl Routes {
    pub(super) fn new() -> Self {
        let mut by_path: Vec<(&str, Vec<(Method, Route)>)> = Vec::new();
        for (method, path, route) in ENDPOINTS {
            match by_path.iter_mut().find(|(known, _)| *known == path) {
                Some((_, methods)) => methods.push((method, route)),
                None => by_path.push((path, vec![(method, route)])),
            }
        }
        let mut router = Router::new();
        for (path, methods) in by_path {
            router.insert(path, methods).expect("the table's paths do not conflict: a test builds it");
        }
        Self(router)
    }

    /// The route of a method and path.
    pub(super) fn find(&self, method: &Method, path: &str) -> Found {
        let Ok(found) = self.0.at(path) else { return Found::Nothing };
        let wanted = if *method == Method::HEAD { &Method::GET } else { method };
        match found.value.iter().find(|(method, _)| method == wanted) {
            Some((_, route)) => Found::Route(*route, PathParams::new(found.params.iter())),
            None => Found::OtherMethods(allowed(found.value)),
        }
    }
}

fn allowed(methods: &[(Method, Route)]) -> String {
    let mut names: Vec<&str> = methods.iter().map(|(method, _)| method.as_str()).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.join(", ")
}

/// Answers a request whose route is known.
pub(super) async fn dispatch(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    match call.route {
        Route::UserRecommend => handlers::recommend::user_recommend(door, call).await,
        Route::TitleOrPrompt => handlers::search::title_or_prompt(door, &call.params).await,
        Route::Recommend => handlers::recommend::recommend(door, call).await,
        Route::UserRecommendations => handlers::recommend::user_recommendations(door, call).await,
        Route::Popular => handlers::recommend::everybodys(door, call, RankBy::Popularity).await,
        Route::Trending => handlers::recommend::everybodys(door, call, RankBy::Trending).await,
        Route::Movies => handlers::movies::movies(door, call).await,
        Route::Movie => handlers::movies::movie(door, call).await,
        Route::PutMovie => handlers::movies::put(door, call).await,
        Route::PatchMovie => handlers::movies::patch(door, call).await,
        Route::DeleteMovie => handlers::movies::delete(door, call).await,
        Route::Users => handlers::people::users(door, call).await,
        Route::Export => handlers::people::export(door, call).await,
        Route::Forget => handlers::people::forget(door, call).await,
        Route::Merge => handlers::people::merge(door, call).await,
        Route::SimilarPeople => handlers::people::similar(door, call).await,
        Route::Rate => handlers::people::rate(door, call).await,
        Route::Unrate => handlers::people::unrate(door, call).await,
        Route::RateMany => handlers::people::rate_many(door, call).await,
        Route::Search => handlers::search::search(door, &call.params).await,
        Route::Similar => handlers::search::similar(door, call).await,
        Route::Titles => handlers::search::titles(door, &call.params).await,
        Route::Models => handlers::models::models(door),
        Route::PinModel => handlers::models::pin(door, call).await,
        Route::UnpinModel => handlers::models::unpin(door, call).await,
        Route::RollBackModel => handlers::models::roll_back(door, call).await,
        Route::ReloadModels => handlers::models::reload(door, call),
        Route::Healthz => handlers::status::healthz(),
        Route::Readyz => handlers::status::readyz(door),
        Route::Metrics => Ok(handlers::status::metrics(door)),
        Route::OpenApi => Ok(handlers::status::openapi()),
    }
}
