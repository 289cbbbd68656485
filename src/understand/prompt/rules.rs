//! The patterns of the prompt grammar.

use regex::Regex;

use super::super::lexicon::{COUNTRIES, DECADES, GENRES, LANGUAGES};

/// Nouns that stand for what is searched for.
pub(super) const FILM: &str = r"(?:films?|movies?|pictures?|flicks?|cinema|stor(?:y|ies)|something|anything|one)";

/// The rules of one process.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) decade: Regex,
    pub(super) decade_word: Regex,
    pub(super) before: Regex,
    pub(super) after: Regex,
    pub(super) between: Regex,
    pub(super) in_year: Regex,
    pub(super) recent: Regex,
    pub(super) old: Regex,
    pub(super) language: Regex,
    pub(super) shorter: Regex,
    pub(super) longer: Regex,
    pub(super) negation: Regex,
    pub(super) less: Regex,
    pub(super) without_genre: Regex,
    pub(super) between_films: Regex,
    pub(super) like: Regex,
    pub(super) title_but: Regex,
    pub(super) filler: Regex,
    pub(super) earlier: Regex,
    pub(super) later: Regex,
    pub(super) last_years: Regex,
    pub(super) country: Regex,
    pub(super) at_most: Regex,
}

impl Rules {
    pub(super) fn new() -> Self {
        let rule = |pattern: String| Regex::new(&pattern).expect("the patterns are constant and tested");
        let kind = format!(r"(?:{FILM}|{})", alternatives(&GENRES));
        let (languages, decades, countries) =
            (alternatives(&LANGUAGES), alternatives(&DECADES), alternatives(&COUNTRIES));
        let amount = r"(?P<amount>\d+(?:\.\d+)?|one and a half|two and a half|one|two|three|four|ninety|an)";
        let unit = r"(?P<unit>h|hours?|hrs?|minutes?|mins?)";
        let made = r"(?:(?:made|released|filmed|shot|from|of)\s+)";
        let origin = format!(r"(?:{made}(?:in\s+|the\s+|during\s+)*)");
        // "80s", "1980s", and a second decade up to which the first one reaches.
        let decade = r"(?:19|20)?\d0";
        let to = |name: &str| format!(r"'?s(?:\s*(?:and|or|to|-|&)\s*(?:the\s+)?(?P<{name}>{decade})'?s)?\b");
        let (to_a, to_b, to_c) = (to("to_a"), to("to_b"), to("to_c"));
        Self {
            decade: rule(format!(
                r"(?i)(?:{origin}(?P<part>early|mid|late)?[- ]?(?:the\s+)?(?P<a>{decade}){to_a}|\b(?P<part2>early|mid|late)?[- ]?(?P<b>{decade}){to_b}\s+(?P<kept>(?:\w+[- ])?{kind})\b|,\s*(?P<c>{decade}){to_c}\s*$)"
            )),
            decade_word: rule(format!(
                r"(?i)(?:{origin}(?P<a>{decades})\b|\b(?P<b>{decades})\s+(?P<kept>(?:\w+[- ])?{kind})\b)"
            )),
            before: rule(format!(
                r"(?i)(?P<set>set\s+)?{made}?\b(?:before|prior to|earlier than|pre-)\s*(?P<year>(?:18|19|20)\d\d)\b"
            )),
            after: rule(format!(
                r"(?i)(?P<set>set\s+)?{made}?\b(?:after|since|later than|post-)\s*(?P<year>(?:18|19|20)\d\d)\b"
            )),
            between: rule(format!(
                r"(?i)(?P<set>set\s+)?{made}?\b(?:between|from)\s+(?P<from>(?:19|20)\d\d)\s*(?:and|to|-|until)\s*(?P<to>(?:19|20)\d\d)\b"
            )),
            in_year: rule(format!(r"(?i)\b(?:{made}(?:in\s+)?)(?P<year>(?:19|20)\d\d)\b")),
            recent: rule(format!(
                r"(?i)\b(?:recent|newer|latest|new)\s+(?P<kept>(?:\w+[- ])?{kind})\b|,\s*(?:recent|new|newer)\s*$|\b(?P<kept2>something|anything)\s+(?:recent|new|newer)\b"
            )),
            old: rule(format!(r"(?i)\bold\s+(?P<kept>(?:\w+[- ])?{FILM})\b")),
            language: rule(format!(
                r"(?i)\b(?:(?P<a>{languages})(?:[- ]language)?\s+(?P<kept>(?:\w+[- ])?{kind})\b|(?:in|spoken in)\s+(?P<b>{languages})(?:\s+language)?\s*(?:$|[,.;])|(?:^|[,;]\s*|\bbut\s+)(?P<c>{languages})\s*(?:$|[,;]))"
            )),
            shorter: rule(format!(
                r"(?i)\b(?:under|below|less than|shorter than|at most|no (?:longer|more) than|not (?:longer|more) than|up to|within|max(?:imum)?)\s+{amount}\s*{unit}\b(?:\s+long)?"
            )),
            at_most: rule(format!(r"(?i)\b{amount}\s*{unit}\s+(?:or (?:less|shorter|under)|max(?:imum)?|at (?:the )?most|tops)\b")),
            longer: rule(format!(
                r"(?i)\b(?:over|above|more than|longer than|at least|min(?:imum)?)\s+{amount}\s*{unit}\b(?:\s+long)?"
            )),
            negation: rule(format!(
                r"(?i)(?P<before>^|[,;:.(]\s*|\b(?:but|and|just|please|although)\s+|\b{kind}(?:\s+(?:that|which)(?:'s|\s+is|\s+are|\s+has|\s+have|\s+does|\s+do)?|\s+is)?\s+)(?:not|no|non|without|never|minus|except|excluding|isn't|aren't|nothing\s+with|with\s+no|has\s+no|doesn't\s+have|don't\s+want)\b[- ]?\s*(?:(?:about|any|an?|the|too|very|so|really|in|with|have|having|involving|set\s+in)\s+)*(?P<what>[^,;:.()?!]+)"
            )),
            // Words that hardly mean anything but the genre, so that they may stand anywhere.
            without_genre: rule(
                r"(?i)\b(?:without|no|not|minus)\s+(?:any\s+|an?\s+|the\s+)?(?P<what>horror|comed(?:y|ies)|romance|musicals?|westerns?|animation|cartoons?|sci[- ]fi|science fiction|thrillers?)\b".to_owned(),
            ),
            less: rule(r"(?i)\b(?:less|fewer)\s+(?:like\s+)?(?:(?:an?|the|of\s+an?)\s+)?(?P<what>[\w-]+)".to_owned()),
            between_films: rule(format!(
                r"(?i)\b(?:{FILM}\s+)?(?:between|a\s+mix(?:ture)?\s+of|a\s+cross\s+between|halfway\s+between|a\s+blend\s+of)\s+(?P<a>.+?)\s+and\s+(?P<b>[^,;]+)"
            )),
            like: rule(format!(
                r"(?i)(?P<before>^|[,;:]\s*|\b(?:{kind}|more|much|just|bit|lot|similar)\s+)(?:like|similar\s+to|to|reminiscent\s+of|in\s+the\s+spirit\s+of|in\s+the\s+style\s+of|in\s+the\s+vein\s+of)\s+(?P<rest>.+)$"
            )),
            title_but: rule(r"(?i)^(?P<title>.{2,60}?),?\s+but\s+(?P<rest>.+)$".to_owned()),
            filler: rule(format!(r"(?i)^(?:an?\s+|more\s+|some\s+)?{FILM}\b\s*")),
            earlier: rule(r"(?i)\b(?:older|earlier|an older one)\b".to_owned()),
            later: rule(r"(?i)\b(?:(?:more\s+)?(?:recent|modern|contemporary)|newer)\b".to_owned()),
            last_years: rule(
                r"(?i)\b(?:made\s+|released\s+)?(?:from|in|of|within)\s+the\s+(?:last|past)\s+(?:(?P<n>\d{1,2}|few|couple\s+of|two|three|five|ten|twenty)\s+years|(?P<decade>decade))\b".to_owned(),
            ),
            country: rule(format!(
                r"(?i)(?:\b(?P<kept>{kind})\s+(?:made\s+in|from|out\s+of)\s+(?P<a>{countries})\b|(?:^|[,;]\s*)(?:made\s+in|from)\s+(?P<b>{countries})\s*(?:$|[,;.]))"
            )),
        }
    }
}

/// The words of a table, any of which may stand.
fn alternatives<T>(table: &[(&str, T)]) -> String {
    table.iter().map(|(word, _)| *word).collect::<Vec<_>>().join("|")
}
