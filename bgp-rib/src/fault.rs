//! Mistakes that can be planted to see that they are found.
//!
//! Built with `--cfg planted_faults`, one of them at a time can be made at run time, in the thread that asks for it.
//! Built without, [`planted`] is a constant `false`, and nothing of this is left in the program.

/// Declares the mistakes once: for the enum, for the list, for what each stands for.
macro_rules! faults {
    ($($(#[doc = $text:literal])+ $name:ident,)*) => {
        /// A mistake, at the place in the code where it would be made.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[doc = $text])+ $name,)*
        }

        impl Fault {
            /// All of them.
            pub const ALL: &'static [Fault] = &[$(Fault::$name,)*];

            /// What is wrong, in a few words.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self {
                    $(Fault::$name => concat!($($text),+).trim_ascii(),)*
                }
            }
        }
    };
}

faults! {
    /// A session ends and one of its routes stays.
    WithdrawalLostOnDetach,
    /// The record of a withdrawal is dropped although a slow peer has not read of it.
    TombstoneDroppedEarly,
    /// A slow peer that is sent the records goes on behind what it has not read.
    CursorSkipsEntry,
    /// A walk over the records of a family ends after its first window.
    WalkEndsEarly,
    /// A peer is sent its own route.
    SentBackToSource,
    /// What goes to all but the source does not go to the peers beside it in the list either.
    AudienceLeavesOneOut,
    /// Who loses a route because its own became the best is not told.
    WithdrawalToNewSourceLost,
    /// A client's routes go out with the ORIGINATOR_ID of another that has the same attributes.
    RewriteKeptForOtherClient,
    /// CLUSTER_LIST is not prepended.
    ClusterListNotPrepended,
    /// Our AS is not put into AS_PATH.
    AsPathNotPrepended,
    /// Our own AS in AS_PATH is not looked for.
    OwnAsNotChecked,
    /// Our own ORIGINATOR_ID is not looked for.
    OwnOriginatorNotChecked,
    /// Our own cluster in CLUSTER_LIST is not looked for.
    OwnClusterNotChecked,
    /// A route whose next hop is our own address is taken.
    OwnNextHopTaken,
    /// MULTI_EXIT_DISC is compared between neighbouring ASes.
    MedComparedAcrossAses,
    /// Routes of non-clients are reflected to non-clients.
    ReflectedBetweenNonClients,
    /// NO_EXPORT is not looked for.
    NoExportIgnored,
    /// Routes leave the AS with the next hop that they came with.
    NextHopNotOurs,
    /// A route that is refused at import does not withdraw the one that it replaces.
    RefusedRouteKeepsOld,
    /// A change of the next hop's state does not lead to a new choice.
    NextHopChangeMissed,
    /// A change of the next hops that share the load is not told to the FIB.
    FibNotToldOfMultipath,
    /// A change is lost because another one already waits for the flush.
    DirtyBitClearedEarly,
    /// A peer whose window was full is not named again.
    WakeupLost,
    /// A destination's number is used again while a group has it in its records.
    DestinationReusedEarly,
    /// The withdrawal of one path of a peer removes another.
    WithdrawRemovesOtherPath,
    /// A path identifier is given to another path while peers hold one with it.
    PathIdReusedEarly,
    /// Routes that were not announced again stay after End-of-RIB.
    StaleKeptAfterEndOfRib,
    /// Stale routes stay although the peer did not come back in time.
    StaleKeptPastRestartTime,
    /// All routes go when a session is lost, graceful restart or not.
    StaleDroppedAtOnce,
    /// End-of-RIB is sent right after a restart, before the routes of others have come.
    EndOfRibTooEarly,
    /// End-of-RIB is not sent.
    EndOfRibLost,
    /// The mark of a stale path stays when it is announced again.
    StaleMarkNotCleared,
    /// Long-lived stale routes are not the last choice.
    LongLivedNotDepreferenced,
    /// Long-lived stale routes are sent to peers that do not know of them.
    LongLivedSentToAll,
    /// A filter's verdict on one prefix is used for the next with the same attributes.
    VerdictCachedAcrossPrefixes,
    /// A new import filter is not asked about the routes that are kept.
    KeptRoutesNotFilteredAgain,
    /// Two peers with different export filters share a group.
    GroupKeyForgetsExport,
    /// A peer that changes its group keeps what the new one does not send.
    RegroupWithoutWithdrawals,
    /// What did not come again between the marks of a refresh stays (in a network in which withdrawals get lost, too).
    RefreshEndsWithoutSweep,
    /// Sessions that are up when we are about to go are not told.
    DrainNotTold,
    /// A peer's own AS goes out to it although ours is to stand for it.
    PeersAsNotOverridden,
    /// Private AS numbers go out although they are to be taken off or replaced.
    PrivateAsToldOutside,
    /// Our own AS may be on a path once more than is allowed.
    OwnAsAllowedOnceMore,
    /// The AS that a peer knows us by is not put in front of what it sends.
    FormerAsNotPrepended,
    /// Our member AS is not told to another one of the confederation.
    MemberAsNotPrepended,
    /// The confederation's member ASes are told outside of it.
    MembersToldOutside,
    /// A leaked route is taken.
    LeakTaken,
    /// Routes that are only for customers go to providers and peers too.
    OnlyToCustomerSentUp,
    /// Routes that are only for customers are not marked.
    OnlyToCustomerNotMarked,
    /// Paths of different neighbouring ASes share the load without being allowed to.
    LoadSharedAcrossAses,
    /// The bandwidth of links makes no difference.
    BandwidthForgotten,
}

#[cfg(planted_faults)]
mod chosen {
    use std::cell::Cell;

    use super::Fault;

    thread_local! {
        static CHOSEN: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    /// Makes this mistake from now on in this thread; `None`: none.
    pub fn plant(fault: Option<Fault>) {
        CHOSEN.set(fault);
    }

    /// Whether this mistake is to be made.
    #[must_use]
    pub fn planted(fault: Fault) -> bool {
        CHOSEN.get() == Some(fault)
    }
}

#[cfg(planted_faults)]
pub use chosen::{plant, planted};

/// Whether this mistake is to be made: never.
#[cfg(not(planted_faults))]
#[inline(always)]
#[must_use]
pub const fn planted(_: Fault) -> bool {
    false
}
