use super::TitleConfidence::{Alternative, Exact, Normalised, Shortened, Typo};
use super::*;
use crate::domain::{RatingMatrix, Votes};
use proptest::prelude::*;

fn resolver() -> TitleResolver {
    let titles: [(u32, &str, u16, u32); 35] = [
        (1, "The Matrix", 1999, 900),
        (2, "Cape Fear", 1962, 80),
        (3, "Cape Fear", 1991, 300),
        (4, "Star Wars: Episode IV - A New Hope", 1977, 950),
        (5, "Star Trek: First Contact", 1996, 200),
        (6, "Star Trek: Generations", 1994, 150),
        (7, "Toy Story", 1995, 800),
        (8, "Toy Story 2", 1999, 600),
        (9, "Se7en", 1995, 700),
        (10, "Misérables, Les", 1995, 50),
        (11, "Rocky III", 1982, 120),
        (12, "Blade Runner 2049", 2017, 400),
        (13, "Blade Runner", 1982, 500),
        (14, "Sense & Sensibility", 1995, 210),
        (15, "City of Lost Children, The (La cité des enfants perdus)", 1995, 90),
        (16, "Scary Movie", 2000, 100),
        (17, "L.A. Confidential", 1997, 350),
        (18, "Terminator", 1984, 555),
        (19, "Crossfire", 1947, 30),
        (20, "Crossfixe", 1989, 30),
        (21, "$", 1971, 5),
        (22, "Star Trek: Insurrection", 1998, 140),
        (23, "Star Trek: Nemesis", 2002, 145),
        (24, "The Godfather", 1972, 990),
        (25, "The Godfather: Part II", 1974, 700),
        (26, "Die Hard", 1988, 400),
        (27, "Die Hard 2", 1990, 250),
        (28, "Die Hard: With a Vengeance", 1995, 240),
        (29, "Robin Hood: Prince of Thieves", 1991, 75),
        (30, "Robin Hood: Men in Tights", 1993, 56),
        (31, "8 1/2", 1963, 60),
        (32, "Ace Ventura: Pet Detective", 1994, 100),
        (33, "Ace Ventura: When Nature Calls", 1995, 70),
        (34, "Henry V", 1989, 40),
        (35, "Star Trek: The Wrath of Khan", 1982, 130),
    ];
    let movies: Vec<Movie> = titles
        .into_iter()
        .map(|(id, title, year, count)| {
            let mut movie = Movie::new(MovieId(id), title);
            movie.year = Some(year);
            movie.votes = Some(Votes { average: 7.0, count });
            if id == 9 {
                movie.alternative_titles = vec!["Seven".to_owned()];
            }
            movie
        })
        .collect();
    let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), Vec::new());
    TitleResolver::fit(&Catalogue::new(movies, &ratings))
}

#[test]
fn titles_are_found_in_many_spellings() {
    let resolver = resolver();
    for (text, id, confidence) in [
        ("The Matrix", 1, Exact),
        ("matrix, the", 1, Normalised),
        ("  MATRIX ", 1, Normalised),
        ("The Matrix (1999)", 1, Exact),
        ("Cape Fear", 3, Exact),
        ("cape fear 1962", 2, Normalised),
        ("Cape Fear (1962)", 2, Exact),
        ("Cape Fear (1963)", 2, Exact),
        ("star wars", 4, Shortened),
        ("A New Hope", 4, Shortened),
        ("Toy Story", 7, Exact),
        ("toy story two", 8, Normalised),
        ("Seven", 9, Alternative),
        ("les miserables", 10, Normalised),
        ("Rocky 3", 11, Normalised),
        ("blade runner 2049", 12, Normalised),
        ("Blade Runner 1982", 13, Exact),
        ("Sense and Sensibility", 14, Normalised),
        ("la cite des enfants perdus", 15, Alternative),
        ("la confidential", 17, Normalised),
        ("Termniator", 18, Typo),
        ("teh matrix", 1, Typo),
        ("Toy Stroy", 7, Typo),
        ("Cape Faer 1962", 2, Typo),
        ("$", 21, Exact),
        ("the godfather 2", 25, Normalised),
        ("Godfather, part two", 25, Normalised),
        ("the godfather 1", 24, Shortened),
        ("die hard 3", 28, Shortened),
        ("Star Trek II: First Contact", 5, Shortened),
        ("robin hood", 29, Shortened),
        ("eight and a half", 31, Normalised),
        ("cape fear '62", 2, Normalised),
        ("1962 cape fear", 2, Normalised),
        ("the movie Cape Fear", 3, Exact),
        ("terminator film", 18, Normalised),
        ("watch blade runner 1982", 13, Normalised),
        ("\u{201c}Rocky III\u{201d}", 11, Normalised),
        ("Les Mise\u{301}rables", 10, Normalised),
        ("sense + sensibility", 14, Normalised),
        ("toy storie", 7, Typo),
        ("terminater", 18, Typo),
        ("godfather the", 24, Normalised),
        ("henry the fifth", 34, Normalised),
        ("ace ventura 2", 33, Shortened),
        ("star trek 2 wrath of khan", 35, Shortened),
        ("godfather 1974", 25, Shortened),
    ] {
        let found = resolver.resolve(text);
        let found = found.unwrap_or_else(|| panic!("{text} was not found"));
        assert_eq!((found.movie, found.confidence), (MovieId(id), confidence), "{text}");
    }
}

#[test]
fn prompts_are_not_titles() {
    let resolver = resolver();
    for text in [
        "",
        "   ",
        "films like Toy Story",
        "a matrix of numbers",
        "scary movies",
        "star trek",
        "die hard 4",
        "the godfather 3",
        "cape fear '63",
        "western movie",
        "ace ventura 3",
        "star trek 2",
        "godfather 1985",
        "scary film",
        "Toy Story 3",
        "Cape Fear (1975)",
        "hope",
        "crossfibe",
        "!!!",
        &"very long ".repeat(50),
    ] {
        assert_eq!(resolver.resolve(text), None, "{text}");
    }
}

#[test]
fn remakes_are_alternatives() {
    let found = resolver().resolve("cape fear").unwrap();
    assert_eq!((found.movie, found.alternatives), (MovieId(3), vec![MovieId(2)]));
}

#[test]
fn an_empty_catalogue_knows_no_title() {
    let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&[]), Vec::new());
    let resolver = TitleResolver::fit(&Catalogue::new(Vec::new(), &ratings));
    assert_eq!(resolver.resolve("The Matrix"), None);
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC{0,40}") {
        let resolver = resolver();
        prop_assert_eq!(resolver.resolve(&text), resolver.resolve(&text));
    }

    #[test]
    fn a_title_by_itself_names_its_movie(title in "\\PC{1,40}") {
        let mut movie = Movie::new(MovieId(1), title.clone());
        movie.year = None;
        let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(std::slice::from_ref(&movie)), Vec::new());
        let resolver = TitleResolver::fit(&Catalogue::new(vec![movie], &ratings));
        let expected = (!title.trim().is_empty()).then_some(MovieId(1));
        prop_assert_eq!(resolver.resolve(&title).map(|found| found.movie), expected);
    }
}
