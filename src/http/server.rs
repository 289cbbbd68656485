//! The server: accept under a limit, read heads under a deadline, answer under a deadline, drain when told to stop.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::access::Keys;
use super::error::{ErrorCode, HttpError};
use super::hosts::Hosts;
use super::params::Params;
use super::reply_memory::ReplyMemory;
use super::respond::{Reply, problem_reply, set_header};
use super::route::{BodyKind, Call, Found, Routes, dispatch};
use super::settings::{LiveSettings, Settings};
use super::stream::{Activity, PatientStream};
use crate::config::HttpConfig;
use crate::engine::Engine;

/// When told to stop, what has been sent already gets so long to be seen: a connection may have been accepted, and a
/// request may be on an open one, without anybody having read it yet.
const REQUEST_GRACE: Duration = Duration::from_millis(100);
/// When told to stop, a request head that has begun gets so long to become whole.
const HEAD_GRACE: Duration = Duration::from_secs(1);

/// Renders the metrics page.
pub type MetricsPage = Box<dyn Fn() -> String + Send + Sync>;

/// What handlers work with.
pub(super) struct Door {
    pub(super) engine: Arc<Engine>,
    pub(super) metrics_page: MetricsPage,
    settings: LiveSettings,
    routes: Routes,
    replies: ReplyMemory,
    request_ids: RequestIds,
}

impl Door {
    /// The settings as they are now.
    pub(super) fn settings(&self) -> Arc<Settings> {
        self.settings.current()
    }
}

/// A bound listener that is ready to serve.
pub struct Server {
    listener: TcpListener,
    door: Arc<Door>,
}

/// How the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// Every connection finished by itself.
    Complete,
    /// Some connections were cut when the time was over.
    TimedOut,
}

impl Server {
    /// A server on a bound listener.
    pub fn new(
        listener: TcpListener,
        engine: Arc<Engine>,
        settings: (HttpConfig, Keys),
        metrics_page: MetricsPage,
    ) -> Self {
        let (config, keys) = settings;
        let settings = LiveSettings::new(config, keys);
        let (routes, replies, request_ids) = (Routes::new(), ReplyMemory::default(), RequestIds::default());
        let door = Door { engine, metrics_page, settings, routes, replies, request_ids };
        Self { listener, door: Arc::new(door) }
    }

    /// By which its settings are replaced.
    pub fn settings(&self) -> LiveSettings {
        self.door.settings.clone()
    }

    /// Serves until `stop` becomes true, then lets requests in flight finish within the configured time. When this
    /// returns, no connection is open and nothing of the engine is held any more.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Drain {
        let Self { listener, door } = self;
        let mut settings = door.settings.subscribe();
        let mut slots = Slots::new(door.settings().config.max_connections);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = until(&mut stop) => break,
                // Connections that ended are let go; one that panicked has been reported where it did.
                Some(_) = connections.join_next() => {}
                // The door has the other end, so there is always one to come.
                Ok(()) = settings.changed() => slots.resize(settings.borrow_and_update().config.max_connections),
                accepted = accept(&listener, &slots.free) => match accepted {
                    Ok((stream, slot)) => {
                        connections.spawn(serve_connection(Arc::clone(&door), stream, slot, stop.clone()));
                    }
                    Err(error) => {
                        // Usually "too many open files": give connections time to end.
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        let draining = async {
            let serve = |stream, slot| {
                connections.spawn(serve_connection(Arc::clone(&door), stream, slot, stop.clone()));
            };
            if let Err(error) = take_queued(listener, &slots.free, serve).await {
                tracing::warn!(%error, "connections that wait in the system's queue are refused");
            }
            while connections.join_next().await.is_some() {}
        };
        let drained = tokio::time::timeout(door.settings().config.drain_timeout, draining).await;
        // What is left is cut off; waits until it has let go of the engine.
        connections.shutdown().await;
        drained.map_or(Drain::TimedOut, |()| Drain::Complete)
    }
}

/// Places for connections.
struct Slots {
    free: Arc<Semaphore>,
    n: usize,
}

impl Slots {
    fn new(n: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(n)), n }
    }

    /// Of fewer, those that are free go now; the others when this is called again.
    fn resize(&mut self, n: usize) {
        if let Some(more) = n.checked_sub(self.n) {
            self.free.add_permits(more);
            self.n = n;
        } else {
            self.n -= self.free.forget_permits(self.n - n);
        }
    }
}

/// Waits until it is time to stop; a sender that is gone means the same.
async fn until(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits for a free slot first, so that at the limit connections wait in the system's queue.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // Small answers should not wait for more data.
    stream.set_nodelay(true)?;
    Ok((stream, slot))
}

/// Accepts what waits in the system's queue when the listener closes: those clients may have asked already. At the
/// limit of connections, they get the slots that become free within the grace.
async fn take_queued(
    listener: TcpListener,
    slots: &Arc<Semaphore>,
    mut serve: impl FnMut(TcpStream, OwnedSemaphorePermit),
) -> io::Result<()> {
    // tokio's accept knows what its reactor has noticed; the system knows the queue.
    let listener = listener.into_std()?;
    let end = tokio::time::Instant::now() + REQUEST_GRACE;
    while let Ok(slot) = tokio::time::timeout_at(end, Arc::clone(slots).acquire_owned()).await {
        let slot = slot.map_err(io::Error::other)?;
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                serve(TcpStream::from_std(stream)?, slot);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            // A client that broke off before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn serve_connection(door: Arc<Door>, stream: TcpStream, slot: OwnedSemaphorePermit, stop: watch::Receiver<bool>) {
    // A client that is gone already gets no answer anyway; an address that is nobody's has no rights.
    let peer = stream.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
    let activity = Arc::new(Activity::default());
    let settings = door.settings();
    let config = &settings.config;
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(config.head_timeout).max_buf_size(config.max_head_bytes);
    let answering = service_fn(|request: Request<Incoming>| {
        let (door, stop, activity) = (Arc::clone(&door), stop.clone(), Arc::clone(&activity));
        async move {
            activity.set_working(true);
            let mut response = answer(&door, request, peer).await;
            if *stop.borrow() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            activity.set_working(false);
            Ok::<_, Infallible>(response)
        }
    });
    let stream = PatientStream::new(stream, config.write_timeout, Arc::clone(&activity));
    let connection = builder.serve_connection(TokioIo::new(stream), answering);
    tokio::pin!(connection);
    let mut stopping = stop.clone();
    tokio::select! {
        // In this order: a request that has arrived comes before the news that it is time to stop.
        biased;
        // Clients that break off, send nonsense or idle too long are everyday life, not news.
        _ = connection.as_mut() => {}
        () = until(&mut stopping) => {
            // What is on its way in is answered, and told that the connection closes.
            if tokio::time::timeout(REQUEST_GRACE, connection.as_mut()).await.is_err() {
                connection.as_mut().graceful_shutdown();
                // Now it ends with the answer in work; a head that stays half-sent is not waited for.
                while tokio::time::timeout(HEAD_GRACE, connection.as_mut()).await.is_err() && activity.is_answering() {}
            }
        }
    }
    drop(slot);
}

/// One request: id, deadline, answer or problem, one log line.
async fn answer(door: &Arc<Door>, request: Request<Incoming>, peer: IpAddr) -> Reply {
    let started = Instant::now();
    let request_id = door.request_ids.next();
    let is_head = request.method() == Method::HEAD;
    let found = door.routes.find(request.method(), request.uri().path());
    let template = if let Found::Route(route, _) = &found { route.template() } else { "unknown" };
    let work = reply(door, request, found, peer);
    let outcome = tokio::time::timeout(door.settings().config.request_timeout, work).await.unwrap_or_else(|_| {
        Err(HttpError::new(ErrorCode::Timeout, "The request was given up; try again when the daemon is less busy."))
    });
    let mut response = outcome.unwrap_or_else(|error| {
        log(&error, template, &request_id);
        problem_reply(&error, &request_id)
    });
    set_header(&mut response, "x-request-id", &request_id);
    if is_head {
        *response.body_mut() = http_body_util::Full::default();
    }
    report(template, &response, started.elapsed(), &request_id);
    response
}

/// The reply that is remembered, or a handler's.
async fn reply(door: &Arc<Door>, request: Request<Incoming>, found: Found, peer: IpAddr) -> Result<Reply, HttpError> {
    let asked = match &found {
        Found::Route(route, _) => {
            ReplyMemory::asked(*route, request.uri(), (door.engine.generation(), door.settings().number))
        }
        Found::OtherMethods(_) | Found::Nothing => None,
    };
    let call = admit(door, request, found, peer).await?;
    if let Some(reply) = asked.as_ref().and_then(|asked| door.replies.get(asked)) {
        return Ok(reply);
    }
    let reply = dispatch(door, &call).await?;
    if let Some(asked) = asked {
        door.replies.keep(asked, &reply);
    }
    Ok(reply)
}

/// Everything that is checked before a handler sees a request, and its body.
async fn admit(door: &Door, request: Request<Incoming>, found: Found, peer: IpAddr) -> Result<Call, HttpError> {
    let settings = door.settings();
    let Settings { config, hosts, keys, .. } = &*settings;
    check_host(&request, hosts)?;
    let (route, path) = match found {
        Found::Route(route, path) => (route, path),
        Found::OtherMethods(allowed) => return Err(HttpError::other_methods(allowed)),
        Found::Nothing => {
            let detail = "GET /openapi.json lists every address of this daemon.";
            return Err(HttpError::new(ErrorCode::NotFound, detail));
        }
    };
    keys.check(route.access(), request.headers(), peer)?;
    let params = Params::parse(request.uri().query(), route.parameters())?;
    let body = match route.body() {
        Some(kind) => read_body(request, kind, config.max_body_bytes).await?,
        None => Bytes::new(),
    };
    Ok(Call { route, path, params, body })
}

/// The body of a request, of the kind that is wanted. How long it may take is limited with the request as a whole.
async fn read_body(request: Request<Incoming>, kind: BodyKind, most: usize) -> Result<Bytes, HttpError> {
    let given = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default().trim();
    if !given.eq_ignore_ascii_case(kind.media_type()) {
        let detail = format!("The body must be {}, and the header Content-Type must say so.", kind.media_type());
        return Err(HttpError::new(ErrorCode::UnsupportedMediaType, detail));
    }
    let body = Limited::new(request.into_body(), most).collect().await;
    body.map(|body| body.to_bytes()).map_err(|error| {
        if error.is::<LengthLimitError>() {
            return HttpError::new(ErrorCode::TooLarge, format!("A body may have at most {most} bytes."));
        }
        HttpError::bad_request("The body broke off.")
    })
}

/// One line for what an operator should know of. Being busy is not: under overload the log would be one more load, and
/// the counter has it.
fn log(error: &HttpError, route: &'static str, request_id: &str) {
    let (code, cause) = (error.code.name(), error.cause.as_deref());
    match error.code {
        ErrorCode::Internal => tracing::error!(request_id, route, code, cause, "request failed"),
        ErrorCode::Timeout => tracing::warn!(request_id, route, code, cause, "request failed"),
        ErrorCode::Overloaded | ErrorCode::NotReady => {
            tracing::debug!(request_id, route, code, cause, "request refused");
        }
        ErrorCode::Unauthorized | ErrorCode::Forbidden => {
            tracing::info!(request_id, route, code, "request refused");
        }
        ErrorCode::BadRequest
        | ErrorCode::NotFound
        | ErrorCode::MethodNotAllowed
        | ErrorCode::CursorExpired
        | ErrorCode::OffScale
        | ErrorCode::TooLarge
        | ErrorCode::UnsupportedMediaType => {}
    }
}

/// The path, the query and who asked are personal: the log gets the route's template.
fn report(route: &'static str, response: &Reply, elapsed: Duration, request_id: &str) {
    let status = response.status().as_u16();
    metrics::counter!("marquee_http_requests_total", "route" => route, "status" => status.to_string()).increment(1);
    metrics::histogram!("marquee_http_request_seconds", "route" => route).record(elapsed.as_secs_f64());
    let ms = elapsed.as_secs_f64() * 1e3;
    tracing::debug!(route, status, ms, request_id, "request");
}

/// HTTP/1.1 asks for exactly one Host header; hyper leaves that to us.
fn check_host(request: &Request<Incoming>, hosts: &Hosts) -> Result<(), HttpError> {
    let mut given = request.headers().get_all(HOST).iter();
    match (given.next(), given.next()) {
        (Some(host), None) if hosts.accept(host.as_bytes()) => Ok(()),
        (Some(_), None) => Err(HttpError::bad_request(
            "The Host of a request must be an address, localhost, or a name listed in the setting http.hosts.",
        )),
        (None, _) if request.version() < Version::HTTP_11 => Ok(()),
        _ => Err(HttpError::bad_request("A request must have exactly one Host header.")),
    }
}

/// Identifiers that are unique across restarts: the start time in microseconds, then a count.
struct RequestIds {
    start: u64,
    count: AtomicU64,
}

impl Default for RequestIds {
    fn default() -> Self {
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self { start: since_1970.as_micros() as u64, count: AtomicU64::new(0) }
    }
}

impl RequestIds {
    fn next(&self) -> String {
        format!("{:x}-{:x}", self.start, self.count.fetch_add(1, Ordering::Relaxed))
    }
}
