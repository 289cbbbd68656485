//! When each movie was rated: popularity at any time of asking, at several rates of forgetting.
//!
//! The decayed count of a movie at time T is Σ_{t ≤ T} 2^(−(T − t)/h). It is kept as a state after every rating,
//! s_k = 1 + s_{k−1} 2^(−Δt/h), so that any T is answered by one binary search. "Returning" counts are of ratings given
//! on a later visit than the person's first, which tell what people come back for. How many ratings each movie had by some
//! times is noted, so that the search is short.

use crate::domain::{ItemIdx, RatingMatrix, UserIdx};

/// Half-lives h of the decayed counts, in days.
pub const HALF_LIVES_DAYS: [f64; 4] = [3.0, 14.0, 60.0, 365.0];
/// Half-life of the counts of returning people, in days.
const RETURNING_HALF_LIFE_DAYS: f64 = 30.0;
/// A rating so long after the person's first one, in seconds, belongs to a later visit.
const LATER_VISIT_S: i64 = 86_400;

/// Times by which the ratings of each movie are counted, evenly spread over the ratings.
const N_CHECKPOINTS: usize = 64;

/// Halved so often, 1 is zero in single precision.
const MOST_HALVINGS: f64 = 150.0;

const DAY_S: f64 = 86_400.0;
const N_STATES: usize = HALF_LIVES_DAYS.len() + 1;

/// All rating times by movie.
#[derive(Clone, Debug)]
pub struct Timeline {
    starts: Vec<usize>,
    times: Vec<i64>,
    states: Vec<[f32; N_STATES]>,
    newest: i64,
    /// Times, ascending, each with the ratings of every movie up to then.
    checkpoints: Vec<(i64, Vec<u32>)>,
}

/// What is popular at one time of asking.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// Ratings of each movie up to then.
    pub counts: Vec<u32>,
    /// Decayed counts by half-life, relative to the movie with the most.
    pub decayed: [Vec<f32>; HALF_LIVES_DAYS.len()],
    /// Decayed counts of returning people, relative to the movie with the most.
    pub returning: Vec<f32>,
}

impl Timeline {
    /// Sorts the ratings of every movie by time. Above `max_ratings` those of some of the people count, evenly spread:
    /// what is popular is popular among them too.
    pub fn fit(ratings: &RatingMatrix, max_ratings: usize) -> Self {
        let n_items = ratings.by_item().n_rows();
        let mut events: Vec<(u32, i64, bool)> = Vec::with_capacity(ratings.len().min(max_ratings));
        for user in (0..ratings.users().len() as u32).step_by(ratings.step_for(max_ratings)).map(UserIdx) {
            let first = ratings.history(user).map(|(_, _, time)| time).min().unwrap_or(0);
            events.extend(ratings.history(user).map(|(item, _, time)| (item.0, time, time - first > LATER_VISIT_S)));
        }
        events.sort_unstable();
        let mut starts = vec![0; n_items + 1];
        let mut states = Vec::with_capacity(events.len());
        let mut last: Option<(u32, i64, [f32; N_STATES])> = None;
        for &(item, time, returning) in &events {
            starts[item as usize + 1] += 1;
            let before = last.filter(|&(other, ..)| other == item);
            let mut state = before.map_or([0.0; N_STATES], |(_, then, state)| forget(state, time - then));
            state[..HALF_LIVES_DAYS.len()].iter_mut().for_each(|count| *count += 1.0);
            state[HALF_LIVES_DAYS.len()] += f32::from(u8::from(returning));
            states.push(state);
            last = Some((item, time, state));
        }
        for item in 0..n_items {
            starts[item + 1] += starts[item];
        }
        let newest = events.iter().map(|&(_, time, _)| time).max().unwrap_or(0);
        let times: Vec<i64> = events.into_iter().map(|(_, time, _)| time).collect();
        let mut timeline = Self { starts, times, states, newest, checkpoints: Vec::new() };
        timeline.count_at_checkpoints();
        timeline
    }

    fn count_at_checkpoints(&mut self) {
        let mut ordered = self.times.clone();
        ordered.sort_unstable();
        let mut times: Vec<i64> =
            ordered.chunks(ordered.len().div_ceil(N_CHECKPOINTS).max(1)).map(|chunk| chunk[0]).collect();
        times.dedup();
        let count = |time: i64| {
            let of_item = |item| self.times_of(item).partition_point(|&then| then <= time) as u32;
            (time, (0..self.starts.len() - 1).map(of_item).collect())
        };
        self.checkpoints = times.into_iter().map(count).collect();
    }

    /// Time of the newest rating, in seconds since 1970.
    pub fn newest(&self) -> i64 {
        self.newest
    }

    /// What is popular at a time. Later than the newest rating nothing changes any more: all counts fade alike.
    pub fn at(&self, time: i64) -> Moment {
        let time = time.min(self.newest);
        let n_items = self.starts.len() - 1;
        let mut moment = Moment { counts: Vec::with_capacity(n_items), ..Moment::default() };
        for item in 0..n_items {
            let n = self.n_until(ItemIdx(item as u32), time);
            moment.counts.push(n as u32);
            let place = self.starts[item] + n;
            let state =
                if n == 0 { [0.0; N_STATES] } else { forget(self.states[place - 1], time - self.times[place - 1]) };
            for (counts, value) in moment.decayed.iter_mut().chain([&mut moment.returning]).zip(state) {
                counts.push(value);
            }
        }
        moment.decayed.iter_mut().chain([&mut moment.returning]).for_each(|counts| make_relative(counts));
        moment
    }

    /// Ratings of a movie up to a time.
    pub fn n_until(&self, item: ItemIdx, time: i64) -> usize {
        let times = self.times_of(item.row());
        let next = self.checkpoints.partition_point(|&(then, _)| then <= time);
        let count = |checkpoint: &(i64, Vec<u32>)| checkpoint.1[item.row()] as usize;
        let from = next.checked_sub(1).map_or(0, |before| count(&self.checkpoints[before]));
        let to = self.checkpoints.get(next).map_or(times.len(), count);
        from + times[from..to].partition_point(|&then| then <= time)
    }

    /// Time of a movie's first rating.
    pub fn first_rated(&self, item: ItemIdx) -> Option<i64> {
        self.times_of(item.row()).first().copied()
    }

    fn times_of(&self, item: usize) -> &[i64] {
        &self.times[self.starts[item]..self.starts[item + 1]]
    }
}

fn forget(mut state: [f32; N_STATES], seconds: i64) -> [f32; N_STATES] {
    let days = seconds as f64 / DAY_S;
    for (count, half_life) in state.iter_mut().zip(HALF_LIVES_DAYS.iter().chain([&RETURNING_HALF_LIFE_DAYS])) {
        let n_halvings = days / half_life;
        // Below the least number above zero there is nothing to compute; most of a catalogue is that old.
        *count *= if n_halvings < MOST_HALVINGS { (-n_halvings).exp2() as f32 } else { 0.0 };
    }
    state
}

fn make_relative(counts: &mut [f32]) {
    let most = counts.iter().copied().fold(0.0, f32::max);
    if most > 0.0 {
        for count in counts {
            *count /= most;
        }
    }
}
