//! One table: path → handler. `schema/openapi.json` describes the same paths; a test compares the two.

use std::sync::Arc;

use hyper::{Method, Request};
use matchit::Router;

use super::error::{ErrorCode, HttpError};
use super::guard::may_change;
use super::handlers;
use super::params::Params;
use super::respond::Reply;
use super::server::Door;

/// What answers at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    UserRecommend,
    TitleOrPrompt,
    Search,
    Similar,
    Titles,
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

/// Every path there is.
pub(super) const ROUTES: [(&str, Route); 14] = [
    ("/user_recommend/{user_id}", Route::UserRecommend),
    ("/title-or-prompt", Route::TitleOrPrompt),
    ("/v1/search", Route::Search),
    ("/v1/movies/{movie_id}/similar", Route::Similar),
    ("/v1/titles", Route::Titles),
    ("/v1/models", Route::Models),
    ("/v1/models/{kind}/pin", Route::PinModel),
    ("/v1/models/{kind}/unpin", Route::UnpinModel),
    ("/v1/models/{kind}/rollback", Route::RollBackModel),
    ("/v1/models/{kind}/reload", Route::ReloadModels),
    ("/healthz", Route::Healthz),
    ("/readyz", Route::Readyz),
    ("/metrics", Route::Metrics),
    ("/openapi.json", Route::OpenApi),
];

impl Route {
    /// Names of the query parameters it takes.
    pub(super) fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::UserRecommend => &["top_k", "rank_by", "asked_at", "explain"],
            Self::TitleOrPrompt => &["input_text", "top_k", "mode", "method"],
            Self::Search => &["q", "top_k", "mode", "method", "ignore"],
            Self::Similar => &["top_k", "method"],
            Self::Titles => &["prefix", "top_k"],
            Self::PinModel => &["model"],
            _ => &[],
        }
    }

    /// Whether it changes something, and so answers POST instead of GET and HEAD.
    pub(super) fn is_change(self) -> bool {
        matches!(self, Self::PinModel | Self::UnpinModel | Self::RollBackModel | Self::ReloadModels)
    }

    /// The methods it answers, as the header Allow lists them.
    pub(super) fn methods(self) -> &'static str {
        if self.is_change() { "POST" } else { "GET, HEAD" }
    }

    /// The path as in the table, which is what logs and metrics say instead of the path asked for.
    pub(super) fn template(self) -> &'static str {
        ROUTES.iter().find(|(_, route)| *route == self).map_or("", |(path, _)| path)
    }
}

/// Finds the route of a path.
pub(super) struct Routes(Router<Route>);

impl Routes {
    pub(super) fn new() -> Self {
        let mut router = Router::new();
        for (path, route) in ROUTES {
            router.insert(path, route).expect("the table's paths do not conflict: a test builds it");
        }
        Self(router)
    }

    /// The route and, where the path has one, its parameter.
    pub(super) fn find<'path>(&self, path: &'path str) -> Option<(Route, Option<&'path str>)> {
        let found = self.0.at(path).ok()?;
        Some((*found.value, found.params.iter().next().map(|(_, value)| value)))
    }
}

/// Answers a request whose route is known.
pub(super) async fn dispatch<Body>(
    door: &Arc<Door>,
    route: Route,
    path_parameter: Option<&str>,
    request: &Request<Body>,
) -> Result<Reply, HttpError> {
    if route.is_change() {
        if *request.method() != Method::POST {
            return Err(HttpError::new(ErrorCode::MethodNotAllowed, "This address answers POST."));
        }
        may_change(request)?;
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(HttpError::new(ErrorCode::MethodNotAllowed, "This address answers GET and HEAD."));
    }
    let name = path_parameter.unwrap_or_default();
    let params = Params::parse(request.uri().query(), route.parameters())?;
    match route {
        Route::UserRecommend => handlers::recommend::user_recommend(door, name, &params).await,
        Route::TitleOrPrompt => handlers::search::title_or_prompt(door, &params).await,
        Route::Search => handlers::search::search(door, &params).await,
        Route::Similar => handlers::search::similar(door, name, &params).await,
        Route::Titles => handlers::search::titles(door, &params).await,
        Route::Models => handlers::models::models(door),
        Route::PinModel => handlers::models::pin(door, name, &params).await,
        Route::UnpinModel => handlers::models::unpin(door, name).await,
        Route::RollBackModel => handlers::models::roll_back(door, name).await,
        Route::ReloadModels => handlers::models::reload(door, name),
        Route::Healthz => handlers::status::healthz(),
        Route::Readyz => handlers::status::readyz(door),
        Route::Metrics => Ok(handlers::status::metrics(door)),
        Route::OpenApi => Ok(handlers::status::openapi()),
    }
}
