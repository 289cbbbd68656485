use super::*;
use crate::domain::{Movie, RatingMatrix};

fn reader() -> (PromptReader, TitleResolver) {
    let films: [(u32, &str, u16, &[&str]); 5] = [
        (1, "Alien", 1979, &["Horror", "Sci-Fi"]),
        (2, "Blade Runner", 1982, &["Sci-Fi"]),
        (3, "The Piano", 1993, &["Drama", "Romance"]),
        (4, "Airplane!", 1980, &["Comedy"]),
        (5, "Unforgiven", 1992, &["Western"]),
    ];
    let movies: Vec<Movie> = films
        .into_iter()
        .map(|(id, title, year, genres)| {
            let mut movie = Movie::new(MovieId(id), title);
            movie.year = Some(year);
            movie.genres = genres.iter().map(|genre| (*genre).to_owned()).collect();
            movie.language = Some("en".to_owned());
            movie
        })
        .collect();
    let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), Vec::new());
    let catalogue = Catalogue::new(movies, &ratings);
    (PromptReader::fit(&catalogue), TitleResolver::fit(&catalogue))
}

fn read(prompt: &str) -> Understood {
    let (reader, titles) = reader();
    reader.read(prompt, &titles)
}

#[test]
fn a_plain_prompt_stays_as_it_is() {
    for prompt in [
        "a boy whose toys come alive when nobody is looking",
        "a man without a past walks out of the desert",
        "two friends who are not what they seem",
        "set in the 80s in a small town",
        "a rebel set before 1900 in the north",
        "space",
        "she looks like an angel",
        "",
    ] {
        let understood = read(prompt);
        assert!(understood.is_plain(), "{prompt}: {understood:?}");
        assert_eq!(understood.text, prompt);
    }
}

#[test]
fn eras() {
    for (prompt, years, text) in [
        ("horror from the 80s", (1980, 1989), "horror"),
        ("80s horror in a cabin", (1980, 1989), "horror in a cabin"),
        ("a 1950s western", (1950, 1959), "a western"),
        ("comedies from the late 1960s", (1966, 1969), "comedies"),
        ("from the nineties, about grief", (1990, 1999), "about grief"),
        ("thrillers made before 1970", (0, 1969), "thrillers"),
        ("spies, after 1990", (1991, u16::MAX), "spies"),
        ("spies since 1990", (1990, u16::MAX), "spies"),
        ("love between 1940 and 1950", (1940, 1950), "love"),
        ("a heist film from 1975", (1975, 1975), "a heist film"),
        ("recent films about loneliness", (1988, u16::MAX), "films about loneliness"),
        ("old films about the sea", (0, 1969), "films about the sea"),
    ] {
        let understood = read(prompt);
        assert_eq!((understood.years, understood.text.as_str()), (Some(years), text), "{prompt}");
    }
}

#[test]
fn what_is_not_wanted() {
    let understood = read("not horror, from the 80s, about friendship");
    assert_eq!(understood.without_genres, ["Horror"]);
    assert_eq!(understood.years, Some((1980, 1989)));
    assert_eq!(understood.text, "about friendship");
    let understood = read("science fiction without aliens");
    assert_eq!(understood.without, ["aliens"]);
    assert_eq!(understood.genres, ["Sci-Fi"]);
    let understood = read("a war film that is not about combat");
    assert_eq!((understood.without, understood.text.as_str()), (vec!["combat".to_owned()], "a war film"));
    let understood = read("scary but not too violent");
    assert_eq!(understood.without, ["violent"]);
    let understood = read("no romance or comedy, just a chase");
    assert_eq!(understood.without_genres, ["Romance", "Comedy"]);
    assert_eq!(understood.text, "just a chase");
}

#[test]
fn comparisons() {
    let understood = read("like Alien but funny");
    assert_eq!(understood.anchors, [MovieId(1)]);
    assert_eq!((understood.text.as_str(), &understood.genres[..]), ("funny", &["Comedy".to_owned()][..]));
    let understood = read("something like blade runner");
    assert_eq!(understood.anchors, [MovieId(2)]);
    let understood = read("something between Alien and Blade Runner");
    assert_eq!(understood.anchors, [MovieId(1), MovieId(2)]);
    assert!(read("something like a dream").anchors.is_empty());
    let understood = read("films like Alien, without horror");
    assert_eq!((understood.anchors, understood.without_genres), (vec![MovieId(1)], vec!["Horror".to_owned()]));
}

#[test]
fn lengths_and_languages() {
    for (prompt, minutes) in [
        ("a thriller under two hours", (0, 120)),
        ("less than 90 minutes, funny", (0, 90)),
        ("an epic over 3 hours", (180, u16::MAX)),
        ("at least 1.5 hours long", (90, u16::MAX)),
    ] {
        assert_eq!(read(prompt).runtime_minutes, Some(minutes), "{prompt}");
    }
    assert_eq!(read("a French comedy about dinner").languages, ["fr"]);
    assert_eq!(read("love stories in japanese").languages, ["ja"]);
    assert!(read("a German spy in London").languages.is_empty(), "a person, not a film");
}

#[test]
fn nothing_makes_it_panic() {
    let (reader, titles) = reader();
    for prompt in
        ["not", "like", "like ", "between and", "without ,,,", "from the 99999s", "£€ not £", "İ not İ", "less", "80s"]
    {
        reader.read(prompt, &titles);
    }
}
