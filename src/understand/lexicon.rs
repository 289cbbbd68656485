//! The words that the prompt grammar knows: genres and what people call them, languages, decades.

/// What people write → the genre words that catalogues use for it (in normal form, see [`genre_key`]). The first that a
/// catalogue has is meant.
pub(super) const GENRES: [(&str, &[&str]); 46] = [
    ("action", &["action"]),
    ("adventure", &["adventure"]),
    ("adventures", &["adventure"]),
    ("animated", &["animation"]),
    ("animation", &["animation"]),
    ("cartoon", &["animation"]),
    ("children", &["childrens", "family"]),
    ("childrens", &["childrens", "family"]),
    ("family", &["family", "childrens"]),
    ("kids", &["childrens", "family"]),
    ("comedy", &["comedy"]),
    ("comedies", &["comedy"]),
    ("comedic", &["comedy"]),
    ("funny", &["comedy"]),
    ("hilarious", &["comedy"]),
    ("humorous", &["comedy"]),
    ("humor", &["comedy"]),
    ("humour", &["comedy"]),
    ("crime", &["crime"]),
    ("gangster", &["crime"]),
    ("documentary", &["documentary"]),
    ("documentaries", &["documentary"]),
    ("drama", &["drama"]),
    ("dramas", &["drama"]),
    ("fantasy", &["fantasy"]),
    ("film noir", &["filmnoir"]),
    ("noir", &["filmnoir"]),
    ("horror", &["horror"]),
    ("scary", &["horror"]),
    ("slasher", &["horror"]),
    ("musical", &["musical", "music"]),
    ("musicals", &["musical", "music"]),
    ("mystery", &["mystery"]),
    ("whodunit", &["mystery"]),
    ("romance", &["romance"]),
    ("romantic", &["romance"]),
    ("love story", &["romance"]),
    ("sci fi", &["scifi", "sciencefiction"]),
    ("scifi", &["scifi", "sciencefiction"]),
    ("science fiction", &["sciencefiction", "scifi"]),
    ("thriller", &["thriller"]),
    ("thrillers", &["thriller"]),
    ("war", &["war"]),
    ("western", &["western"]),
    ("westerns", &["western"]),
    ("biopic", &["biography", "history"]),
];

/// Names of languages and of the people who speak them → ISO 639-1.
pub(super) const LANGUAGES: [(&str, &str); 36] = [
    ("american", "en"),
    ("arabic", "ar"),
    ("bollywood", "hi"),
    ("brazilian", "pt"),
    ("british", "en"),
    ("cantonese", "cn"),
    ("chinese", "zh"),
    ("czech", "cs"),
    ("danish", "da"),
    ("dutch", "nl"),
    ("english", "en"),
    ("finnish", "fi"),
    ("french", "fr"),
    ("german", "de"),
    ("greek", "el"),
    ("hebrew", "he"),
    ("hindi", "hi"),
    ("hungarian", "hu"),
    ("icelandic", "is"),
    ("indian", "hi"),
    ("iranian", "fa"),
    ("israeli", "he"),
    ("italian", "it"),
    ("japanese", "ja"),
    ("korean", "ko"),
    ("mandarin", "zh"),
    ("mexican", "es"),
    ("norwegian", "no"),
    ("persian", "fa"),
    ("polish", "pl"),
    ("portuguese", "pt"),
    ("russian", "ru"),
    ("spanish", "es"),
    ("swedish", "sv"),
    ("thai", "th"),
    ("turkish", "tr"),
];

/// Decades in words.
pub(super) const DECADES: [(&str, u16); 9] = [
    ("twenties", 1920),
    ("thirties", 1930),
    ("forties", 1940),
    ("fifties", 1950),
    ("sixties", 1960),
    ("seventies", 1970),
    ("eighties", 1980),
    ("nineties", 1990),
    ("noughties", 2000),
];

/// Small numbers in words, for lengths in hours.
pub(super) const NUMBERS: [(&str, f32); 6] =
    [("one and a half", 1.5), ("two and a half", 2.5), ("one", 1.0), ("two", 2.0), ("three", 3.0), ("four", 4.0)];

/// The normal form of a genre's name: lower-case letters and digits only.
pub(super) fn genre_key(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
