//! Models that do not serve: older ones, and newer ones that wait to be chosen.

use std::sync::Arc;

use super::{Known, Looker};
use crate::artifact;
use crate::engine::lane::Stop;
use crate::engine::loading::{LoadError, ModelLoader};
use crate::engine::snapshot::Base;
use crate::engine::status::ModelState;

impl<L: ModelLoader> Looker<L> {
    /// Models that do not serve: whoever dropped them is told whether they could, and one may run beside what serves.
    pub(super) fn attend_waiting(&mut self, mine: &[Known<'_>], context: (&Arc<Base>, &Stop)) {
        let mut in_shadow = None;
        for known in mine {
            if context.1.is_asked() {
                return;
            }
            let is_done = self.considered.contains(&known.candidate.folder);
            if is_done || self.is_serving(known.candidate) || self.is_refused(known.candidate) {
                continue;
            }
            let is_newer = self.is_newer(known);
            let seen = self.intact.get(&known.candidate.folder);
            let is_known = seen.is_some_and(|(fingerprint, tried)| {
                *fingerprint == known.candidate.fingerprint && (*tried || !is_newer)
            });
            if !is_known {
                if let Err(error) = self.check_waiting(known, is_newer, context) {
                    self.refuse(known.candidate, Some(known.id), error);
                    continue;
                }
                let tried = (known.candidate.fingerprint.clone(), is_newer);
                self.intact.insert(known.candidate.folder.clone(), tried);
            }
            self.refused.remove(&known.candidate.folder);
            let state = if is_newer { ModelState::Ready(self.waits_because(known)) } else { ModelState::Superseded };
            self.report(known.candidate, Some(known.id), state);
            self.loader.shared().rejections.remove(&self.name(&known.candidate.folder));
            if is_newer && in_shadow.is_none() {
                in_shadow = Some(known);
            }
        }
        self.keep_shadow(in_shadow, context);
        self.retire(mine);
    }

    fn waits_because(&self, known: &Known<'_>) -> String {
        self.why_it_waits(known).unwrap_or_else(|| "it waits, because another model is pinned".to_owned())
    }

    /// An older model is not loaded, but whoever dropped it is told when its files are damaged.
    fn check_waiting(
        &mut self,
        known: &Known<'_>,
        is_newer: bool,
        context: (&Arc<Base>, &Stop),
    ) -> Result<(), LoadError> {
        if is_newer {
            self.examine(known, context).map(|_| ())
        } else {
            Ok(artifact::verify(&known.candidate.folder).map(|_| ())?)
        }
    }

    /// Runs the newest model that waits beside the one that serves, where the kind and the settings allow it.
    fn keep_shadow(&mut self, waiting: Option<&Known<'_>>, context: (&Arc<Base>, &Stop)) {
        let share = self.loader.shared().rules().shadow_share;
        let Some(known) = waiting.filter(|_| share > 0.0 && self.loader.has_shadow()) else {
            self.loader.end_shadow();
            return;
        };
        if self.loader.is_in_shadow(known.id) {
            return;
        }
        self.loader.end_shadow();
        match self.load(known, context) {
            Ok((model, _, checks)) => {
                self.report(known.candidate, Some(known.id), ModelState::Ready(self.waits_because(known)));
                self.loader.shared().status.update_checks(known.id.as_str(), |found| found.clone_from(&checks));
                self.loader.shadow(known.id, model);
            }
            Err(_) if context.1.is_asked() => {}
            Err(error) => {
                self.intact.remove(&known.candidate.folder);
                self.refuse(known.candidate, Some(known.id), error);
            }
        }
    }

    /// Deletes the oldest versions, as many as the settings say are too many.
    fn retire(&mut self, mine: &[Known<'_>]) {
        let shared = Arc::clone(self.loader.shared());
        let Some(keep) = shared.rules().keep_versions else { return };
        let pinned = shared.choices.pinned(self.loader.kind());
        let is_old = |known: &&Known<'_>| {
            self.intact.contains_key(&known.candidate.folder)
                && !self.is_newer(known)
                && pinned.as_deref() != Some(known.id.as_str())
        };
        let old: Vec<&Known<'_>> = mine.iter().filter(is_old).skip(keep).collect();
        for known in old {
            match artifact::delete(&known.candidate.folder, known.manifest) {
                Ok(()) => tracing::info!(model = %known.id, "an old version was deleted (artifacts.keep_versions)"),
                Err(error) => tracing::warn!(model = %known.id, %error, "an old version cannot be deleted"),
            }
            self.intact.remove(&known.candidate.folder);
        }
    }
}
