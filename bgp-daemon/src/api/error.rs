//! From a [`ControlError`] to a status and an [`ErrorBody`].

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::control::ControlError;
use super::schema::{ErrorBody, ErrorDetail};

impl ControlError {
    fn parts(&self) -> (StatusCode, &'static str, Option<String>) {
        match self {
            ControlError::NotFound(_) => (StatusCode::NOT_FOUND, "not_found", None),
            ControlError::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid", None),
            ControlError::InvalidConfig(_) => {
                let hint = "the running configuration stays in force".to_owned();
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid_config", Some(hint))
            }
            ControlError::Refused { hint, .. } => (StatusCode::CONFLICT, "refused", hint.clone()),
            ControlError::ReadOnly => {
                let hint = "use the Unix socket of the daemon for changes".to_owned();
                (StatusCode::FORBIDDEN, "read_only", Some(hint))
            }
            ControlError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", None),
        }
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let (status, code, hint) = self.parts();
        let error = ErrorDetail { code: code.to_owned(), message: self.to_string(), hint };
        (status, Json(ErrorBody { error })).into_response()
    }
}
