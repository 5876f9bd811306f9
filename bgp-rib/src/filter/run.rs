//! Edited sets, made once for all routes of a batch.

use std::collections::BTreeMap;

use bgp_core::Asn;

use super::apply::{Direction, Draft};
use super::edit::Edit;
use super::{Filter, Verdict};
use crate::attributes::Attrs;

/// Edited sets that are remembered at most. Over this all are forgotten, and made again when they are needed.
const MAX_REMEMBERED: usize = 4096;

/// What edits are done to a set: those of the filter's terms, and those of our own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edits {
    /// The bits of [`Verdict::edits`].
    pub(crate) terms: u64,
    /// As many bits as its user has edits of its own.
    pub(crate) own: u8,
}

/// Edits the sets that routes carry, each once for all of them. It belongs to one filter and one direction.
///
/// A run is as long as its owner likes: a batch of routes that came in, or a flush. After it [`FilterRun::clear`] lets go
/// of the sets.
#[derive(Debug)]
pub struct FilterRun {
    direction: Direction,
    local_as: Asn,
    /// By the set's id. The set itself is held too, so that no other gets its id.
    made: BTreeMap<(usize, Edits), (Attrs, Option<Attrs>)>,
}

impl FilterRun {
    /// A run that remembers nothing yet. `local_as` is what [`Edit::Prepend`] puts in front by default.
    #[must_use]
    pub fn new(direction: Direction, local_as: Asn) -> FilterRun {
        FilterRun { direction, local_as, made: BTreeMap::new() }
    }

    /// The attributes of a route that `filter` gave this verdict on: the same set if nothing of it changes. `None` if an
    /// attribute would grow over what it can hold: then the route cannot pass.
    ///
    /// Always the same filter; before it is asked for another one it must be [cleared](FilterRun::clear).
    pub fn edited(&mut self, filter: &Filter, verdict: Verdict, attrs: &Attrs) -> Option<Attrs> {
        let edits = Edits { terms: verdict.edits, own: 0 };
        self.edited_by(attrs, edits, || filter.edits(verdict))
    }

    /// The attributes with an edit that no filter asked for: in this run always the same one, and no filter beside it.
    pub fn edited_with(&mut self, edit: &Edit, attrs: &Attrs) -> Option<Attrs> {
        self.edited_by(attrs, Edits { terms: 0, own: 1 }, || std::iter::once(edit))
    }

    /// The same with edits of any origin: `made_of` gives what `edits` stands for.
    pub(crate) fn edited_by<'a, I: Iterator<Item = &'a Edit>>(
        &mut self,
        attrs: &Attrs,
        edits: Edits,
        made_of: impl FnOnce() -> I,
    ) -> Option<Attrs> {
        if edits == Edits::default() {
            return Some(attrs.clone());
        }
        if let Some((_, made)) = self.made.get(&(attrs.id(), edits)) {
            return made.clone();
        }
        let mut draft = Draft::new(attrs, self.direction, self.local_as);
        let applied = made_of().try_for_each(|edit| draft.apply(edit));
        let made = applied.is_ok().then(|| draft.finish(attrs));
        if self.made.len() >= MAX_REMEMBERED {
            self.made.clear();
        }
        self.made.insert((attrs.id(), edits), (attrs.clone(), made.clone()));
        made
    }

    /// Lets go of all sets.
    pub fn clear(&mut self) {
        self.made.clear();
    }
}
