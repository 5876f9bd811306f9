//! HTTP over the daemon's Unix socket, a connection for each request.

use std::io::Write;
use std::path::PathBuf;

use bgp_daemon::api::schema::{Document, ErrorBody, ErrorDetail, Event, Topic};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::error::CliError;

/// Talks to one daemon.
#[derive(Debug)]
pub(crate) struct Client {
    socket: PathBuf,
}

impl Client {
    pub(crate) fn new(socket: PathBuf) -> Client {
        Client { socket }
    }

    /// Reads a document.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Document<T>, CliError> {
        document(self.request(Method::GET, path, Bytes::new()).await?).await
    }

    /// Asks for a change; `body` says which.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Document<T>, CliError> {
        let body = serde_json::to_vec(body)?;
        document(self.request(Method::POST, path, body.into()).await?).await
    }

    /// Events from now on.
    pub(crate) async fn events(&self, topic: Topic) -> Result<Events, CliError> {
        let topic = match topic {
            Topic::Peers => "peers",
            Topic::Routes => "routes",
            Topic::All => "all",
        };
        let response = self.request(Method::GET, &format!("/v1/events?topic={topic}"), Bytes::new()).await?;
        Ok(Events { body: response.into_body(), buffer: Vec::new() })
    }

    /// The whole table, written to `file` as it comes; how many octets that are.
    pub(crate) async fn dump(&self, mut file: impl Write) -> Result<u64, CliError> {
        let mut body = self.request(Method::GET, "/v1/dump", Bytes::new()).await?.into_body();
        let mut octets = 0;
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                file.write_all(&data)?;
                octets += data.len() as u64;
            }
        }
        file.flush()?;
        Ok(octets)
    }

    /// Sends a request; an answer that is not a success is an error.
    async fn request(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, CliError> {
        let stream = UnixStream::connect(&self.socket).await;
        let stream = stream.map_err(|error| CliError::Unreachable { socket: self.socket.clone(), error })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // The connection lives as long as its response; its errors show in the response too.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "bgp")
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(|error| CliError::Usage(error.to_string()))?;
        let response = sender.send_request(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let text = response.into_body().collect().await?.to_bytes();
        let unknown = |_| ErrorDetail { code: "failed".to_owned(), message: status.to_string(), hint: None };
        let detail =
            serde_json::from_slice::<ErrorBody>(&text).map(|body| body.error).unwrap_or_else(unknown);
        Err(CliError::Daemon(detail))
    }
}

async fn document<T: DeserializeOwned>(response: Response<Incoming>) -> Result<Document<T>, CliError> {
    let text = response.into_body().collect().await?.to_bytes();
    Ok(serde_json::from_slice(&text)?)
}

/// A stream of events, one JSON object a line.
#[derive(Debug)]
pub(crate) struct Events {
    body: Incoming,
    buffer: Vec<u8>,
}

impl Events {
    /// The next event; `None` when the daemon ends the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, CliError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}
