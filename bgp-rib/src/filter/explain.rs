//! How a filter came to its verdict, for people.

use super::{Action, Filter, Route};

/// What one term made of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermOutcome {
    /// The term's name.
    pub name: String,
    /// The first condition that the route did not fulfil; `None`: it matched.
    pub failed: Option<String>,
    /// What was changed.
    pub edits: Vec<String>,
    /// What became of the route; `None`: the next term was asked.
    pub action: Option<Action>,
}

impl Filter {
    /// All terms that were asked about the route, in order. If the last one did not decide,
    /// [`Filter::otherwise`] did.
    #[must_use]
    pub fn explain(&self, route: &Route<'_>) -> Vec<TermOutcome> {
        let mut outcomes = Vec::new();
        for term in self.terms() {
            let failed = term.matches.iter().find(|condition| !condition.matches(route));
            let matched = failed.is_none();
            let action = term.action.filter(|_| matched);
            let edits =
                if matched { term.edits.iter().map(ToString::to_string).collect() } else { Vec::new() };
            outcomes.push(TermOutcome {
                name: term.name.clone(),
                failed: failed.map(ToString::to_string),
                edits,
                action,
            });
            if action.is_some() {
                break;
            }
        }
        outcomes
    }
}
