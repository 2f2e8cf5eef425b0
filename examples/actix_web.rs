//! A service on actix-web, whose handlers send the message `Embed` to a `Client` actor.
//!
//! ```sh
//! cargo run --features mock --example actix_web -- --port 8080
//! curl http://127.0.0.1:8080/embed --json '{"texts": ["one", "two"]}'
//! ```
//!
//! A caller that hangs up ends its call: its handler's future is dropped, and a message to a `Client`
//! is worked on only while its sender waits. One thing does not come by itself: actix-web lets
//! callers close their half of the connection and still wait for the answer, so that one who is
//! gone looks like one who waits. `h1_allow_half_closed(false)` ends that.

mod common;

use actix::{Actor, Recipient};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, JsonConfig};
use actix_web::{App, HttpResponse, HttpServer, ResponseError, post};
use common::{Arguments, Failure, LARGEST_BODY, Outcome, Texts, Vectors};
use hedgerow::{Embed, Preference};
use std::fmt;
use std::process::ExitCode;

/// What the handlers share.
struct Service {
    embedder: Recipient<Embed>,
    model: String,
    preference: Preference,
}

#[post("/embed")]
async fn embed(service: Data<Service>, Json(body): Json<Texts>) -> Result<HttpResponse, Failure> {
    let call = Embed::new(body.texts, &service.model).preference(service.preference.clone());
    let embeddings = service.embedder.send(call).await??;
    Ok(HttpResponse::Ok().json(Vectors::from(&embeddings)))
}

impl From<actix::MailboxError> for Failure {
    fn from(cause: actix::MailboxError) -> Self {
        let error = format!("the embedder has stopped: {cause}");
        Self { status: 503, error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(self)
    }
}

/// A body that is not `{"texts": [...]}` is answered in JSON too.
fn json() -> JsonConfig {
    let limited = JsonConfig::default().limit(LARGEST_BODY);
    limited.error_handler(|cause, _| {
        let status = cause.status_code().as_u16();
        let error = cause.to_string();
        Failure { status, error }.into()
    })
}

async fn serve(arguments: Arguments) -> Outcome<()> {
    let listener = arguments.listen()?;
    let upstream = arguments.upstream()?;
    let service = Data::new(Service {
        // On this arbiter runs only the actor that takes the messages; it passes each on at once.
        embedder: upstream.client.clone().start().recipient(),
        preference: arguments.preference(),
        model: arguments.model,
    });
    let app = move || {
        let app = App::new().app_data(service.clone()).app_data(json());
        app.service(embed)
    };
    let server = HttpServer::new(app)
        .h1_allow_half_closed(false)
        .shutdown_signal(upstream.told_to_stop())
        .shutdown_timeout(arguments.grace + 5)
        .listen(listener)?;
    println!("serving at http://{}", server.addrs()[0]);
    server.run().await?;
    upstream.end().await;
    Ok(())
}

#[actix_web::main]
async fn main() -> ExitCode {
    common::run("actix_web", serve).await
}
