//! The generated rows of `hits`: a function of their number, so that every machine makes the same ones.
//!
//! Sites, users, pages and phrases are drawn by their rank, the first ones much more often; all else of a row follows from
//! these or from a hash of its number. The queries' constants are there: site 62, its two pages of known hashes, a user.

use super::text;
use crate::numbers::{hashed, mixed, skewed};

/// Sites; the real table has about as many.
const SITES: u64 = 6_500;
/// The rank of the site that the queries ask for: it has about 0.8 % of all rows, as the real one.
const SITE_62: u64 = 5;
/// The rank of the user that the queries ask for, and its number.
const KNOWN_USER: (u64, i64) = (7, 435_090_932_899_640_449);
/// The hashes of two pages of site 62 that the queries ask for, by rank.
const KNOWN_PAGES: [(u64, i64); 2] = [(3, 2_868_770_270_353_813_622), (2, 3_594_120_000_172_545_465)];
/// 2013-07-02, the first of the days, in days since 1970.
const FIRST_DAY: i64 = 15_888;
/// How many days there are.
const DAYS: u64 = 30;
/// Seconds of a day.
const DAY: i64 = 86_400;

/// Values that hang on what a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    Watch,
    Title,
    Second,
    LocalSecond,
    Day,
    Counter,
    Address,
    Region,
    User,
    System,
    Agent,
    Page,
    Original,
    Referer,
    Width,
    Height,
    WindowWidth,
    WindowHeight,
    Mobile,
    Phone,
    PhoneModel,
    Source,
    Engine,
    Phrase,
    Age,
    Sex,
    PageHash,
    RefererHash,
}

/// Where a visitor came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Nowhere,
    Search,
    /// A page of this site.
    Own(u64),
    /// A page of another site.
    Other(u64, u64),
}

/// What a row is about, by ranks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// A hash of the row's number.
    seed: u64,
    site: u64,
    user: u64,
    page: u64,
    /// None where nothing was searched for.
    phrase: Option<u64>,
    second: i64,
}

impl Row {
    /// A row of a table of so many.
    pub(super) fn new(number: u64, rows: u64) -> Self {
        let seed = mixed(number);
        let of = |purpose| hashed(seed, purpose);
        let site = skewed(of(1), SITES, 4);
        // The first sites have more pages: about one for five rows.
        let pages = rows / (60 * (site + 1)) + 8;
        let day = skewed(of(4), DAYS, 1) as i64;
        // The mean of two numbers: more in the middle of the day.
        let second = i64::midpoint(skewed(of(5), 86_400, 1) as i64, skewed(of(6), 86_400, 1) as i64);
        Self {
            seed,
            site,
            user: skewed(of(2), rows / 5 + 10, 2),
            page: skewed(of(3), pages, 3),
            phrase: (of(7) % 1000 < 132).then(|| skewed(of(8), rows / 12 + 10, 3)),
            second: (FIRST_DAY + day) * DAY + second,
        }
    }

    /// By what the rows of a file are sorted, as the public table's are.
    pub(super) fn key(&self) -> (i64, i64, i64) {
        (site_number(self.site), self.second / DAY, user_number(self.user))
    }

    /// The row's hash for a column.
    pub(super) fn hash(&self, column: usize) -> u64 {
        hashed(self.seed, 1_000 + column as u64)
    }

    fn origin(&self) -> Origin {
        let hash = hashed(self.seed, 9);
        match hash % 100 {
            _ if self.phrase.is_some() => Origin::Search,
            0..19 => Origin::Nowhere,
            19..70 => Origin::Own(skewed(mixed(hash), 2_000, 4)),
            _ => Origin::Other(skewed(mixed(hash), SITES, 3), skewed(mixed(hash + 1), 500, 3)),
        }
    }

    /// A number of a column that hangs on what the row is about.
    pub(super) fn number(&self, special: Special) -> i64 {
        let user = |purpose| hashed(self.user, purpose);
        let is_mobile = user(20) % 100 < 6;
        let screen = SCREENS[skewed(user(21), SCREENS.len() as u64, 2) as usize];
        match special {
            Special::Watch => (self.seed >> 1) as i64,
            Special::Second => self.second,
            Special::LocalSecond => self.second + (hashed(self.seed, 10) % 7_200) as i64,
            Special::Day => self.second / DAY,
            Special::Counter => site_number(self.site),
            // An address is a user's for some days.
            Special::Address => i64::from(hashed(self.user, 22 + (self.second / DAY / 7) as u64) as i32),
            Special::Region => skewed(user(23), 9_000, 3) as i64 + 1,
            Special::User => user_number(self.user),
            Special::System => skewed(user(24), 90, 3) as i64,
            Special::Agent => skewed(user(25), 80, 2) as i64,
            Special::Width => screen.0,
            Special::Height => screen.1,
            Special::WindowWidth => screen.0 - (hashed(self.seed, 11) % 40) as i64,
            Special::WindowHeight => screen.1 - 100 - (hashed(self.seed, 12) % 200) as i64,
            Special::Mobile => i64::from(is_mobile),
            Special::Phone => {
                if is_mobile {
                    1 + skewed(user(26), 90, 3) as i64
                } else {
                    0
                }
            }
            Special::Source => match self.origin() {
                Origin::Nowhere => 0,
                Origin::Search => 2,
                Origin::Own(page) => {
                    if page % 2 == 0 {
                        -1
                    } else {
                        6
                    }
                }
                Origin::Other(site, _) => 1 + (site % 5) as i64,
            },
            Special::Engine => self.phrase.map_or(0, |phrase| 1 + skewed(hashed(phrase, 27), 90, 4) as i64),
            Special::Age => [0, 22, 31, 26, 39, 55, 16][skewed(user(28), 7, 1) as usize],
            Special::Sex => (user(29) % 3) as i64,
            Special::PageHash => page_hash(self.site, self.page),
            Special::RefererHash => match self.origin() {
                Origin::Nowhere => 0,
                Origin::Search => hashed(self.phrase.unwrap_or_default(), 30) as i64,
                Origin::Own(page) => page_hash(self.site, page),
                Origin::Other(site, page) => page_hash(site, page),
            },
            Special::Title
            | Special::Page
            | Special::Original
            | Special::Referer
            | Special::PhoneModel
            | Special::Phrase => 0,
        }
    }

    /// A text of a column that hangs on what the row is about.
    pub(super) fn text(&self, special: Special, out: &mut String) {
        match special {
            Special::Title => text::push_title(page_key(self.site, self.page), out),
            Special::Page => text::push_url(self.site, page_key(self.site, self.page), out),
            // Some pages are known by another address.
            Special::Original if hashed(self.seed, 13).is_multiple_of(9) => {
                text::push_url(self.site, page_key(self.site, self.page), out);
            }
            Special::Referer => match self.origin() {
                Origin::Nowhere => {}
                Origin::Search => text::push_search(self.phrase.unwrap_or_default(), out),
                Origin::Own(page) => text::push_url(self.site, page_key(self.site, page), out),
                Origin::Other(site, page) => text::push_url(site, page_key(site, page), out),
            },
            Special::PhoneModel if self.number(Special::Mobile) == 1 => {
                text::push_model(skewed(hashed(self.user, 26), 160, 3), out);
            }
            Special::Phrase => {
                if let Some(phrase) = self.phrase {
                    text::push_phrase(phrase, out);
                }
            }
            _ => {}
        }
    }
}

/// Sizes of screens, the common ones first.
const SCREENS: [(i64, i64); 12] = [
    (1366, 768),
    (1920, 1080),
    (1280, 1024),
    (1638, 1658),
    (1024, 768),
    (1600, 900),
    (1440, 900),
    (1680, 1050),
    (1280, 800),
    (1996, 1666),
    (320, 480),
    (0, 0),
];

/// The number of a site; ranks are scattered.
fn site_number(site: u64) -> i64 {
    if site == SITE_62 { 62 } else { (site * 7_919 % 262_144) as i64 + 63 }
}

fn user_number(user: u64) -> i64 {
    if user == KNOWN_USER.0 { KNOWN_USER.1 } else { (hashed(user, 31) >> 1) as i64 }
}

fn page_key(site: u64, page: u64) -> u64 {
    hashed(page, 100 + site)
}

fn page_hash(site: u64, page: u64) -> i64 {
    let known = KNOWN_PAGES.iter().find(|(rank, _)| site == SITE_62 && *rank == page);
    known.map_or_else(|| mixed(page_key(site, page)) as i64, |(_, hash)| *hash)
}
