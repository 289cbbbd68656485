//! Files that evaluations exchange with other systems: splits of ratings, and lists of recommendations.

use std::collections::HashMap;
use std::path::Path;

use super::export::write_file;
use super::movielens_csv::read_lone_ratings;
use super::rows::{Fault, Rows};
use super::session::Session;
use super::value::{movie_id, user_id};
use super::{Format, ImportError, ImportOptions, ImportReport, ImportSink, Reason};
use crate::domain::{Interaction, MovieId, Split, UserId};

/// Reads one file of ratings, `userId,movieId,rating,timestamp`, without its movies.
pub fn import_ratings(path: &Path, sink: &mut dyn ImportSink) -> Result<ImportReport, ImportError> {
    let options = ImportOptions::default();
    let mut session = Session::new(ImportReport::new(Format::MovieLensCsv, String::new()), &options, sink);
    read_lone_ratings(path, &mut session)?;
    Ok(session.finish())
}

/// Writes `train.csv` and `test.csv`.
pub fn export_split(dir: &Path, split: &Split) -> Result<(), ImportError> {
    std::fs::create_dir_all(dir).map_err(|source| ImportError::write(dir, source))?;
    for (name, interactions) in [("train.csv", &split.train), ("test.csv", &split.test)] {
        write_file(dir, name, |file| {
            writeln!(file, "userId,movieId,rating,timestamp")?;
            for Interaction { user, movie, rating, timestamp } in interactions {
                writeln!(file, "{user},{movie},{:?},{timestamp}", rating.value())?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Reads lists made elsewhere: `user_id,item_id,rank,score`, of which ranks decide. A row that cannot be used is an error:
/// a list with a hole would be judged wrongly.
pub fn read_recommendations(path: &Path) -> Result<HashMap<UserId, Vec<(MovieId, f32)>>, ImportError> {
    let mut rows = Rows::open_csv(path)?;
    let header = rows.header()?;
    let (user, movie) = (header.require(&["user_id"])?, header.require(&["item_id"])?);
    let (rank, score) = (header.require(&["rank"])?, header.find("score"));
    let mut ranked: HashMap<UserId, Vec<(f64, MovieId, f32)>> = HashMap::new();
    while rows.advance()? {
        let number = |field| -> Result<f64, Fault> {
            let text = rows.text(field)?;
            let number: Option<f64> = text.trim().parse().ok();
            number.filter(|number| number.is_finite()).ok_or(Fault { reason: Reason::BadNumber, field })
        };
        let row = || -> Result<_, Fault> {
            let score = score.map_or(Ok(0.0), number)? as f32;
            Ok((user_id(&rows, user)?, (number(rank)?, movie_id(&rows, movie)?, score)))
        };
        let (user, entry) = row().map_err(|fault| {
            let reason = format!("line {}: the column {} cannot be used", rows.line(), fault.field.name);
            ImportError::read(path, std::io::Error::new(std::io::ErrorKind::InvalidData, reason))
        })?;
        ranked.entry(user).or_default().push(entry);
    }
    let sorted = ranked.into_iter().map(|(user, mut list)| {
        list.sort_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)));
        (user, list.into_iter().map(|(_, movie, score)| (movie, score)).collect())
    });
    Ok(sorted.collect())
}
