//! A readable file for whoever dropped a model that was refused: beside its folder, or in the data folder where the models
//! folder cannot be written. It goes when the model is taken or gone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What the names of such files end with.
const ENDING: &str = ".rejected.txt";

/// Where such files are put.
#[derive(Debug)]
pub(super) struct RejectionFiles {
    models: PathBuf,
    /// Where the models folder cannot be written.
    fallback: PathBuf,
}

impl RejectionFiles {
    pub(super) fn new(models: PathBuf, data_dir: &Path) -> Self {
        Self { models, fallback: data_dir.join("rejected") }
    }

    /// Says why the model of a folder is refused; `name` is relative to the models folder.
    pub(super) fn write(&self, name: &str, model: Option<&str>, reason: &str) {
        let model = model.map(|model| format!("Model: {model}\n")).unwrap_or_default();
        let text = format!(
            "This model was refused, and what served goes on serving.\n\nFolder: {name}\n{model}Reason: {reason}\n\n\
             The same files are not tried again: change them, or ask with `marquee models reload KIND`.\n"
        );
        if replace(&self.beside(name), &text).is_ok() {
            return;
        }
        let written = fs::create_dir_all(&self.fallback).and_then(|()| replace(&self.apart(name), &text));
        if let Err(error) = written {
            tracing::warn!(folder = name, %error, "the reason of a refusal cannot be written to a file");
        }
    }

    /// Takes the file away, if there is one.
    pub(super) fn remove(&self, name: &str) {
        for path in [self.beside(name), self.apart(name)] {
            // That there is none is the usual case; one that cannot be removed is as good as none.
            let _ = fs::remove_file(path);
        }
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.models.join(file_name(name))
    }

    fn apart(&self, name: &str) -> PathBuf {
        self.fallback.join(file_name(&name.replace('/', "__")))
    }
}

/// Files of a model that lie in the models folder itself have no folder of their own.
fn file_name(name: &str) -> String {
    if name == "." { format!("models-folder{ENDING}") } else { format!("{name}{ENDING}") }
}

/// Written whole or not at all; a file that says the same stays as it is.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    if fs::read(path).is_ok_and(|bytes| bytes == text.as_bytes()) {
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hidden = path.with_file_name(format!(".tmp-{name}"));
    fs::write(&hidden, text)?;
    fs::rename(&hidden, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_stands_beside_the_folder_or_else_in_the_data_folder() {
        let data = tempfile::tempdir().unwrap();
        let models = data.path().join("models");
        fs::create_dir_all(models.join("team")).unwrap();
        let files = RejectionFiles::new(models.clone(), data.path());
        files.write("team/a", Some("rating-network/a@1#0"), "it is no good");
        let path = models.join("team/a.rejected.txt");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("Reason: it is no good") && text.contains("Folder: team/a"), "{text}");
        files.remove("team/a");
        assert!(!path.exists());
        // No folder to put it in.
        files.write("gone/a", None, "it is no good");
        let path = data.path().join("rejected/gone__a.rejected.txt");
        assert!(fs::read_to_string(&path).unwrap().contains("it is no good"));
        files.remove("gone/a");
        assert!(!path.exists());
        files.write(".", None, "misplaced");
        assert!(models.join("models-folder.rejected.txt").exists());
    }
}
