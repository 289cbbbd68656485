//! Movies that a prompt compares with: "like Alien but funny", "something between Alien and Blade Runner", "Alien but funny".

use super::super::title::{TitleConfidence, TitleMatch, TitleResolver};
use super::words::{spaced, without};
use super::{PromptReader, Understood};

/// Words that may stand beside a genre in a change that says nothing else: "a bit more of a comedy".
const BESIDE_A_GENRE: [&str; 21] = [
    "a", "an", "the", "and", "as", "be", "bit", "for", "it", "is", "more", "much", "of", "really", "set", "some",
    "very", "film", "films", "movie", "movies",
];

impl PromptReader {
    /// Takes the movies that are compared with out of the text; what stays is the change.
    pub(super) fn read_anchors(&self, understood: &mut Understood, titles: &TitleResolver) {
        let text = understood.text.clone();
        let found =
            self.between(&text, titles).or_else(|| self.like(&text, titles)).or_else(|| self.title_but(&text, titles));
        let Some((anchors, change)) = found else { return };
        understood.anchors = anchors.iter().map(|anchor| anchor.movie).collect();
        change.trim().clone_into(&mut understood.text);
        self.read_comparatives(understood, &anchors);
    }

    /// "Something between X and Y."
    fn between(&self, text: &str, titles: &TitleResolver) -> Option<(Vec<TitleMatch>, String)> {
        let found = self.rules.between_films.captures(text)?;
        let (first, rest) = (titles.resolve(&found["a"])?, &found["b"]);
        // A change may follow the second title.
        let (cut, second) = longest_title(rest, titles)?;
        Some((vec![first, second], without(text, &found, strip_joints(&rest[cut..]))))
    }

    /// "Like X", "something similar to X and Y", each with or without a change.
    fn like(&self, text: &str, titles: &TitleResolver) -> Option<(Vec<TitleMatch>, String)> {
        let found = self.rules.like.captures(text)?;
        let rest = &found["rest"];
        let (cut, anchor) = longest_title(rest, titles)?;
        let mut anchors = vec![anchor];
        let mut change = rest[cut..].trim_start_matches([',', ';', ' ']);
        let second = change.strip_prefix("and ").or_else(|| change.strip_prefix("or "));
        if let Some((cut, second, rest)) = second.and_then(|rest| {
            let (cut, second) = longest_title(rest, titles)?;
            Some((cut, second, rest))
        }) {
            anchors.push(second);
            change = &rest[cut..];
        }
        let before = found.name("before").map_or("", |before| before.as_str());
        let start = found.get(0).map_or(0, |whole| whole.start());
        let before = ["similar ", "just ", "much ", "more "]
            .iter()
            .fold(before, |before, word| before.strip_suffix(word).unwrap_or(before));
        Some((anchors, format!("{}{before} {}", &text[..start], strip_joints(change))))
    }

    /// "X but …", where X is surely a title.
    fn title_but(&self, text: &str, titles: &TitleResolver) -> Option<(Vec<TitleMatch>, String)> {
        let found = self.rules.title_but.captures(text)?;
        let title = &found["title"];
        let anchor = titles.resolve(title)?;
        let is_sure = anchor.confidence < TitleConfidence::Shortened && !titles.is_everyday(title);
        is_sure.then(|| (vec![anchor], strip_joints(&found["rest"]).to_owned()))
    }

    /// "Older" and "more recent" mean: than the movies compared with.
    fn read_comparatives(&self, understood: &mut Understood, anchors: &[TitleMatch]) {
        let years = || anchors.iter().filter_map(|anchor| anchor.year);
        if let (Some(found), Some(first)) = (self.rules.earlier.captures(&understood.text), years().min()) {
            understood.years = Some((0, first.saturating_sub(1)));
            understood.text = without(&understood.text, &found, "");
        } else if let (Some(found), Some(last)) = (self.rules.later.captures(&understood.text), years().max()) {
            understood.years = Some((last.saturating_add(1), u16::MAX));
            understood.text = without(&understood.text, &found, "");
        }
    }

    /// A change without words that stand for any film. One that only names genres is met by genres: the words
    /// themselves would find films about "funny" people.
    pub(super) fn tidy_change(&self, understood: &mut Understood) {
        understood.text = self.rules.filler.replace(&understood.text, "").into_owned();
        let mut rest = format!(" {} ", spaced(&understood.text));
        for (word, _) in &self.genres {
            rest = rest.replace(&format!(" {word} "), "  ");
        }
        if rest.split_whitespace().all(|word| BESIDE_A_GENRE.contains(&word)) {
            understood.text.clear();
        }
    }
}

/// The longest beginning of a text that names a film, and where it ends.
fn longest_title(text: &str, titles: &TitleResolver) -> Option<(usize, TitleMatch)> {
    cut_points(text).into_iter().find_map(|cut| Some((cut, titles.resolve(text[..cut].trim())?)))
}

/// Places where an anchor's title may end, the furthest first.
fn cut_points(rest: &str) -> Vec<usize> {
    let joints = [
        " but ",
        ",",
        ";",
        " with ",
        " except ",
        " only ",
        " without ",
        " and ",
        " or ",
        " set ",
        " in ",
        " about ",
        " from ",
        " that ",
        " for ",
    ];
    let mut cuts: Vec<usize> = vec![rest.len()];
    for joint in joints {
        cuts.extend(rest.match_indices(joint).map(|(place, _)| place));
    }
    cuts.sort_unstable_by(|left, right| right.cmp(left));
    cuts
}

/// What follows an anchor without the words that join it.
fn strip_joints(change: &str) -> &str {
    let mut change = change.trim();
    for joint in ["but ", "only ", "and ", "more ", "much "] {
        change = change.strip_prefix(joint).unwrap_or(change).trim_start();
    }
    change
}
