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
        "a painter in the last two years of his life",
        "a boy from a village but nobody believes him",
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
        ("action from the 80s and 90s", (1980, 1999), "action"),
        ("60s or 70s thrillers", (1960, 1979), "thrillers"),
        ("silent movies, 1920s", (1920, 1929), "silent movies"),
        ("something recent about grief", (1988, u16::MAX), "something about grief"),
        ("comedies from the last ten years", (1983, u16::MAX), "comedies"),
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
    let understood = read("something about aliens without horror");
    assert_eq!((understood.without_genres, understood.genres), (vec!["Horror".to_owned()], Vec::new()));
    assert_eq!(read("robots, no sci-fi please").without_genres, ["Sci-Fi"]);
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
    assert_eq!((understood.text.as_str(), &understood.genres[..]), ("", &["Comedy".to_owned()][..]));
    let understood = read("something like blade runner");
    assert_eq!(understood.anchors, [MovieId(2)]);
    let understood = read("something between Alien and Blade Runner");
    assert_eq!(understood.anchors, [MovieId(1), MovieId(2)]);
    assert!(read("something like a dream").anchors.is_empty());
    let understood = read("films like Alien, without horror");
    assert_eq!((understood.anchors, understood.without_genres), (vec![MovieId(1)], vec!["Horror".to_owned()]));
}

#[test]
fn changes() {
    for (prompt, anchors, text) in [
        ("like Alien but set in a school", &[1][..], "set in a school"),
        ("films similar to Alien and Blade Runner", &[1, 2], ""),
        ("something like Alien or Blade Runner but with children", &[1, 2], "with children"),
        ("a cross between Alien and The Piano, set in Paris", &[1, 3], "set in Paris"),
        ("blade runner but about friendship", &[2], "about friendship"),
        ("movies like Alien but more romantic", &[1], ""),
        ("more like Alien, less like a western", &[1], ""),
    ] {
        let understood = read(prompt);
        let expected: Vec<MovieId> = anchors.iter().map(|&id| MovieId(id)).collect();
        assert_eq!((understood.anchors, understood.text.as_str()), (expected, text), "{prompt}");
    }
    assert_eq!(read("like Alien but without horror").without_genres, ["Horror"]);
    assert_eq!(read("like Alien but no westerns").without_genres, ["Western"]);
    assert_eq!(read("like Alien but not a spaceship").without, ["spaceship"]);
    assert_eq!(read("more like Alien, less like a western").without_genres, ["Western"]);
    assert_eq!(read("like Alien but older").years, Some((0, 1978)));
    assert_eq!(read("like Alien but more recent").years, Some((1980, u16::MAX)));
    assert_eq!(read("like Alien but older, from the 50s").years, Some((1950, 1959)), "what is said counts");
    assert_eq!(read("like Alien but French").languages, ["fr"]);
    assert!(read("funny but sad").anchors.is_empty());
}

#[test]
fn lengths_and_languages() {
    for (prompt, minutes) in [
        ("a thriller under two hours", (0, 120)),
        ("less than 90 minutes, funny", (0, 90)),
        ("an epic over 3 hours", (180, u16::MAX)),
        ("at least 1.5 hours long", (90, u16::MAX)),
        ("a comedy, 90 minutes or less", (0, 90)),
        ("no more than two hours, about boxing", (0, 120)),
    ] {
        assert_eq!(read(prompt).runtime_minutes, Some(minutes), "{prompt}");
    }
    assert_eq!(read("a French comedy about dinner").languages, ["fr"]);
    assert_eq!(read("love stories in japanese").languages, ["ja"]);
    assert_eq!(read("about dinner, French").languages, ["fr"]);
    for (prompt, code, text) in [
        ("a film from South Korea about revenge", "ko", "a film about revenge"),
        ("comedies from France", "fr", "comedies"),
        ("from Japan, about swordsmen", "ja", "about swordsmen"),
    ] {
        let understood = read(prompt);
        assert_eq!((&understood.languages[..], understood.text.as_str()), (&[code.to_owned()][..], text), "{prompt}");
    }
    assert!(read("a soldier from Germany walks home").languages.is_empty(), "a person, not a film");
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
